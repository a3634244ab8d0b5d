"""A REST call taken apart, and what goes back: JSON whose type is exactly `application/json`, errors in Discord's form."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import BodyPartReader, web

from tests.rigs.discord.world import Json, Upload

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SENTENCES = {
    0: "401: Unauthorized",
    10003: "Unknown Channel",
    10004: "Unknown Guild",
    10007: "Unknown Member",
    10008: "Unknown Message",
    10013: "Unknown User",
    10015: "Unknown Webhook",
    10062: "Unknown interaction",
    40005: "Request entity too large",
    40060: "Interaction has already been acknowledged.",
    40094: "This interaction has reached the maximum number of follow up messages.",
    50001: "Missing Access",
    50005: "Cannot edit a message authored by another user",
    50006: "Cannot send an empty message",
    50007: "Cannot send messages to this user",
    50013: "Missing Permissions",
    50027: "Invalid Webhook Token",
    50035: "Invalid Form Body",
    50109: "The request body contains invalid JSON.",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a payload: where (`components.0.components.1.label`), and Discord's code and sentence for it."""

    path: str
    code: str
    sentence: str


class RefusedError(Exception):
    """The call is answered with an error. `noted` says how it is called among the violations, None when it is none."""

    def __init__(self, status: int, code: int, *, problems: Sequence[Problem] = (), noted: str | None = None) -> None:
        super().__init__(_SENTENCES.get(code, "Error"))
        self.status, self.code, self.problems, self.noted = status, code, tuple(problems), noted

    @property
    def body(self) -> Json:
        """The answer's body, with the tree of what is wrong where."""
        body: Json = {"message": str(self), "code": self.code}
        if self.problems:
            body["errors"] = _tree(self.problems)
        return body


def _tree(problems: Sequence[Problem]) -> Json:
    root: Json = {}
    for problem in problems:
        node = root
        for key in problem.path.split("."):
            node = node.setdefault(key, {})
        node.setdefault("_errors", []).append({"code": problem.code, "message": problem.sentence})
    return root


@dataclass(slots=True)
class Call:
    """One call. `at` holds the parts of the path; `body` is the JSON, `files` what came beside it, by number."""

    at: Mapping[str, str]
    query: Mapping[str, str]
    body: Any = None
    files: dict[int, Upload] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back. Without a body: 204."""

    body: Any = None
    status: int = 200


async def taken(request: web.Request) -> Call:
    """Read a call whole."""
    call = Call(request.match_info, request.query)
    if request.content_type == "multipart/form-data":
        await _parts(request, call)
    elif raw := await request.read():
        call.body = _json(raw)
    return call


async def _parts(request: web.Request, call: Call) -> None:
    async for part in await request.multipart():
        assert isinstance(part, BodyPartReader)
        data = bytes(await part.read())
        if part.name == "payload_json":
            call.body = _json(data)
        elif part.name is not None and part.name.startswith("files["):
            call.files[int(part.name[6:-1])] = Upload(part.filename or "unnamed", data, part.headers.get("Content-Type"))


def _json(raw: bytes) -> Any:
    try:
        return orjson.loads(raw)
    except ValueError:
        raise RefusedError(400, 50109, noted="json") from None


def response(answer: Answer, headers: Mapping[str, str]) -> web.Response:
    """The HTTP response."""
    if answer.body is None:
        return web.Response(status=204, headers={**headers, "Via": "1.1 rig"})
    return web.Response(
        status=answer.status,
        body=orjson.dumps(answer.body),
        headers={**headers, "Via": "1.1 rig", "Content-Type": "application/json"},
    )
