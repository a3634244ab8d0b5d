"""Requests in, responses out: bounded, timed, JSON."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import parse_qsl

import orjson
from aiohttp import web
from pydantic import BaseModel, ValidationError

from bot.http.connection import HEADERS
from bot.http.errors import ProblemError, wrong_body

if TYPE_CHECKING:
    from collections.abc import Mapping

_M = TypeVar("_M", bound=BaseModel)

_BODY_S = 30.0
"""Seconds a body may take to arrive."""
_FIELDS = 50
"""Fields of a query."""


async def read_body(request: web.BaseRequest) -> bytes:
    """The whole body. Raises `ProblemError` when it is longer than the settings allow, late, encoded or cut short."""
    limit = request.client_max_size
    if request.content_length is not None and request.content_length > limit:
        raise ProblemError("too_long", f"The request is too long: {limit // 1024} KiB at most.")
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise ProblemError("encoded", "Send the body as it is, without Content-Encoding.")
    if request.headers.get("Expect", "").lower() == "100-continue" and request.version >= (1, 1):
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    try:
        async with asyncio.timeout(_BODY_S):
            return await request.read()
    except TimeoutError as error:
        raise ProblemError("too_slow", "The body took too long to arrive.", headers={"Connection": "close"}) from error
    except web.HTTPRequestEntityTooLarge as error:
        raise ProblemError("too_long", f"The request is too long: {limit // 1024} KiB at most.") from error
    except web.RequestPayloadError as error:
        raise ProblemError("bad_request", "The body is malformed or was cut short.") from error


async def read_model(request: web.BaseRequest, model: type[_M]) -> _M:
    """The body as a validated model. Raises `ProblemError` with one sentence that names the wrong fields."""
    body = await read_body(request)
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise wrong_body(error) from None


def read_query(request: web.BaseRequest) -> dict[str, list[str]]:
    """The fields of the query, each with its values in order. Raises `ProblemError` for what is not UTF-8 or too much."""
    found: dict[str, list[str]] = {}
    try:
        raw = request.rel_url.raw_query_string
        for name, value in parse_qsl(raw, keep_blank_values=True, errors="strict", max_num_fields=_FIELDS):
            found.setdefault(name, []).append(value)
    except ValueError:
        raise ProblemError("bad_request", f"The query is not UTF-8, or has more than {_FIELDS} fields.") from None
    return found


def json_response(
    content: object, *, status: int = 200, reason: str | None = None, headers: Mapping[str, str] | None = None
) -> web.Response:
    """A response that holds `content` as JSON."""
    given = {**HEADERS, **headers} if headers else HEADERS
    return web.Response(status=status, reason=reason, body=orjson.dumps(content), headers=given, content_type="application/json")


def problem_response(problem: ProblemError, *, openai: bool = False) -> web.Response:
    """The response to a request that is not answered."""
    return json_response(problem.body(openai=openai), status=problem.status, reason=problem.reason, headers=problem.headers)
