"""The calls to Discord's REST interface, each tried once.

The library's own HTTP client waits out a 429 by itself while other calls to that channel pass, repeats after a 5xx what may have
been carried out, has no deadline, and reads attachments without a bound: what is sent here goes through a session of our own.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import aiohttp

from adapters.discord.errors import AmbiguousError, AnsweredError, PausedError, RestError, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from adapters.discord.allowance import InvalidRequests
    from adapters.discord.config import DiscordConfig
    from adapters.discord.payloads import Json
    from adapters.types import File

_CHUNK = 64 * 1024
_OF_A_PROXY = frozenset({401, 403, 404, 407})
"""Statuses that mean something else when they come as a page: somebody before Discord has answered, and it may pass."""
_NOT_CONNECTED = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)


class Rest:
    """The calls, while it is open. `invalid` counts the answers that bring a ban, and refuses calls before there are too many."""

    def __init__(self, config: DiscordConfig, invalid: InvalidRequests) -> None:
        self._config = config
        token = config.token.get_secret_value().strip() if config.token else ""
        self._headers = {"Authorization": f"Bot {token}", "User-Agent": "DiscordBot (grillon, 0.1)"}
        self._invalid = invalid
        self._free_at: dict[str, float] = {}
        self._bucket_of: dict[str, str] = {}
        self._session: aiohttp.ClientSession | None = None

    def open(self) -> None:
        """From now on calls can be made."""
        request_s = self._config.deadlines.request_s
        timeout = aiohttp.ClientTimeout(total=request_s, connect=min(5.0, request_s))
        self._session = aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar())

    async def close(self) -> None:
        """Close the connections: until it is opened again, no call is made, and whoever waits to repeat one goes on waiting."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        files: tuple[File, ...] = (),
        known: bool = True,
    ) -> Json:
        """One call; the answer as an object, an empty one when there is none. Raises `RestError`.

        `known` sends the bot's token along: calls with the token of an interaction need none.
        """
        told = await self._exchange(method, path, body, files=files, known=known)
        return told if isinstance(told, dict) else {}

    async def listing(self, path: str, query: Mapping[str, str]) -> list[Json]:
        """What is listed there. Raises `RestError`."""
        told = await self._exchange("GET", path, query=query)
        return told if isinstance(told, list) else []

    async def _exchange(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        files: tuple[File, ...] = (),
        query: Mapping[str, str] | None = None,
        known: bool = True,
    ) -> object:
        route = f"{method} {_public(path)}"
        bucket = f"{method} {_blurred(path)}"
        await self._await_bucket(bucket)
        self._invalid.check()
        headers = {"User-Agent": self._headers["User-Agent"]} if not known else self._headers
        try:
            url = self._config.api_base + path
            async with self._opened().request(method, url, params=query, headers=headers, **_body(body, files)) as response:
                self._note_bucket(bucket, response)
                return await self._answer(route, response)
        except _NOT_CONNECTED as error:
            raise UnreachableError(f"{route}: no connection ({type(error).__name__})") from error
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise AmbiguousError(f"{route}: no answer ({type(error).__name__})") from error

    async def download(self, url: str, limit_bytes: int) -> bytes:
        """Read a file of at most `limit_bytes`. Raises `ValueError` when it is larger, `RestError`."""
        host = urlsplit(url).hostname or "?"
        timeout = aiohttp.ClientTimeout(total=self._config.deadlines.download_s)
        try:
            async with self._opened().get(url, timeout=timeout, allow_redirects=False) as response:
                if response.status != 200:
                    raise AnsweredError(f"GET {host}: {response.status}", response.status, 0)
                return await _bounded(response, limit_bytes)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise AmbiguousError(f"GET {host}: {type(error).__name__}") from error

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise UnreachableError("there is no connection to Discord")
        return self._session

    async def _answer(self, route: str, response: aiohttp.ClientResponse) -> object:
        raw = await response.read()
        if response.status < 300:
            told = _decoded(raw)
            if raw and told is None:
                raise AmbiguousError(f"{route}: {response.status} with an answer that is none of Discord's")
            return told
        if response.status in (401, 403, 429) and response.headers.get("X-RateLimit-Scope") != "shared":
            self._invalid.count()
        raise self._failure(route, response, _decoded(raw))

    def _failure(self, route: str, response: aiohttp.ClientResponse, answer: object) -> RestError:
        status = response.status
        told: Json = answer if isinstance(answer, dict) else {}
        if status == 429:
            wait_s = _seconds(told.get("retry_after"), response.headers.get("Retry-After"))
            everywhere = bool(told.get("global")) or not told  # without a word it is the proxy, which shuts out the address
            return PausedError(f"{route}: 429, wait {wait_s:.1f} s", wait_s, everywhere=everywhere)
        if status >= 500 or status == 408:
            return AmbiguousError(f"{route}: {status}")
        if not told and status in _OF_A_PROXY:
            return UnreachableError(f"{route}: {status} with an answer that is none of Discord's")
        code = told.get("code")
        number = code if isinstance(code, int) else 0
        return AnsweredError(f"{route}: {status}, code {number}", status, number)

    def _note_bucket(self, route: str, response: aiohttp.ClientResponse) -> None:
        """What the headers say: none left in that bucket before so many seconds."""
        bucket = response.headers.get("X-RateLimit-Bucket")
        key = f"{bucket}:{route.split('/')[2:4]}" if bucket else route
        if len(self._bucket_of) > 4096:
            self._bucket_of.clear()
            self._free_at.clear()
        self._bucket_of[route] = key
        if response.headers.get("X-RateLimit-Remaining") == "0":
            self._free_at[key] = time.monotonic() + _seconds(response.headers.get("X-RateLimit-Reset-After"), "0")

    async def _await_bucket(self, route: str) -> None:
        free_at = self._free_at.get(self._bucket_of.get(route, route), 0.0)
        wait_s = free_at - time.monotonic()
        if wait_s > 0:
            await asyncio.sleep(min(wait_s, 60.0))


def _public(path: str) -> str:
    """A path as it may be logged: what stands behind the id of a webhook or interaction is a secret."""
    parts = path.split("/")
    if parts[1] == "webhooks" and len(parts) > 3:
        parts[3] = "…"
    if parts[1] == "interactions" and len(parts) > 3:
        parts[2:4] = ["…", "…"]
    return _blurred("/".join(parts))


def _blurred(path: str) -> str:
    """A path without the ids behind its first: Discord counts by channel, guild, or webhook and its token."""
    parts = path.split("/")
    return "/".join([*parts[:4], *("…" if part.isdigit() else part for part in parts[4:])])


def _body(body: object, files: tuple[File, ...]) -> Json:
    if not files:
        return {} if body is None else {"json": body}
    form = aiohttp.FormData(quote_fields=False)
    form.add_field("payload_json", json.dumps(body), content_type="application/json")
    for n, file in enumerate(files):
        form.add_field(f"files[{n}]", file.text.encode(), filename=file.name, content_type="text/plain; charset=utf-8")
    return {"data": form}


def _decoded(raw: bytes) -> object:
    """An answer that is no JSON (a page of a proxy before Discord) says nothing."""
    try:
        return json.loads(raw) if raw else None
    except ValueError:
        return None


def _seconds(*told: object) -> float:
    """The first value that is a number, at least a tick, at most an hour."""
    for value in told:
        try:
            return min(max(float(str(value)), 0.05), 3600.0)
        except (TypeError, ValueError):
            continue
    return 1.0


async def _bounded(response: aiohttp.ClientResponse, limit_bytes: int) -> bytes:
    if (response.content_length or 0) > limit_bytes:
        raise ValueError(f"the file has more than {limit_bytes} bytes")
    read = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK):
        read += chunk
        if len(read) > limit_bytes:
            raise ValueError(f"the file has more than {limit_bytes} bytes")
    return bytes(read)
