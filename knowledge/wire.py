"""How we speak HTTP with a model server: one pool, no proxy, no redirect, deadlines, bounds, and aiohttp's errors translated."""

from __future__ import annotations

import asyncio
import ipaddress
import random
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import aiohttp
import orjson

from knowledge.deadlines import Deadlines, Watch, judge
from knowledge.errors import (
    ModelBrokenError,
    ModelBusyError,
    ModelError,
    ModelMissingError,
    ModelSlowError,
    ModelUnfitError,
    ModelUnreachableError,
    PromptTooLongError,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping

_ANSWER_BYTES = 64 * 2**20
_LINE_BYTES = 2**20
_CONNECT_S = 5.0
_OVER_WINDOW = re.compile(
    r"exceed\w* the (available |maximum )?context|context (length|window|size)|input length|too long", re.IGNORECASE
)
_HEADERS = {"Content-Type": "application/json", "Accept-Encoding": "identity"}


class Wire:
    """Requests to one model server. `model` and `address` go into every error; `path` of a unix socket replaces the network."""

    def __init__(
        self,
        address: str,
        model: str,
        *,
        headers: Mapping[str, str] | None = None,
        connections: int = 100,
        path: str | None = None,
    ) -> None:
        self.address = address.rstrip("/")
        self.model = model
        self._headers = {**_HEADERS, **(headers or {})}
        self._connections = connections
        self._path = path
        self._session: aiohttp.ClientSession | None = None

    async def leaves_house(self) -> bool:
        """True when the address belongs to a machine on the open internet. Raises `ModelUnreachableError` for an unknown name."""
        if self._path:
            return False
        host = urlsplit(self.address).hostname or ""
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, None)
        except OSError as error:
            raise ModelUnreachableError(f"no such machine: {host}", model=self.model, address=self.address) from error
        return any(ipaddress.ip_address(entry[4][0]).is_global for entry in found)

    async def ask(
        self, method: str, path: str, body: object = None, *, timeout_s: float = 10.0, step: str = "first_token"
    ) -> dict[str, Any]:
        """One request with a JSON answer. Raises the `ModelError` family; past `timeout_s` `ModelSlowError` with this `step`."""
        try:
            async with asyncio.timeout(timeout_s) as limit:
                response = await self._accepted(method, path, body, limit.when() or 0)
                try:
                    data = await self._body(response, _ANSWER_BYTES)
                finally:
                    response.close()
        except TimeoutError as error:
            raise self._slow(step, timeout_s) from error
        return self.parsed(data)

    async def lines(
        self, path: str, body: object, deadlines: Deadlines, loading: Callable[[], Awaitable[bool]] | None = None
    ) -> AsyncGenerator[list[bytes], None]:
        """Post `body` and yield the lines of the answer; those that came together, together. Closing it closes the connection.

        `loading` is asked once, when the first token is late: if it says True the load deadline is added. A busy server (503)
        is asked again with growing pauses until the first token is due. Raises the `ModelError` family.
        """
        end = asyncio.get_running_loop().time() + deadlines.answer_s
        response, due = await self._open(path, body, deadlines, loading)
        watch = Watch(response.content, due, end, deadlines.next_token_s)
        received, rest = 0, b""
        try:
            while data := await response.content.readany():
                watch.rest()
                received += len(data)
                *whole, rest = (rest + data).split(b"\n")
                if received > deadlines.answer_bytes or len(rest) > _LINE_BYTES:
                    raise self.broken("the answer does not end")
                if whole:
                    yield whole
                watch.wait()
            if rest:
                yield [rest]
        except TimeoutError as error:
            raise self._slow("next_token" if received else "first_token", None) from error
        except aiohttp.ClientError as error:
            raise self.broken(f"the answer was cut: {error}") from error
        finally:
            watch.stop()
            response.close()

    async def close(self) -> None:
        """Close all connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def parsed(self, data: bytes) -> dict[str, Any]:
        """The JSON object of `data`. Raises `ModelBrokenError` for anything else."""
        try:
            value = orjson.loads(data)
        except orjson.JSONDecodeError as error:
            raise self.broken(f"not JSON: {data[:80]!r}") from error
        if not isinstance(value, dict):
            raise self.broken(f"not a JSON object: {data[:80]!r}")
        return value

    def refusal(self, status: int, data: bytes) -> ModelError:
        """The error that an answer other than 200 means, in the wording of Ollama and of OpenAI-compatible servers alike."""
        said = _said(data)
        kind = _kind(status, said)
        return kind(f"{status}: {said or data[:200].decode(errors='replace')}", model=self.model, address=self.address)

    def broken(self, detail: str) -> ModelBrokenError:
        """A `ModelBrokenError` that names model and address."""
        return ModelBrokenError(detail, model=self.model, address=self.address)

    async def _open(
        self, path: str, body: object, deadlines: Deadlines, loading: Callable[[], Awaitable[bool]] | None
    ) -> tuple[aiohttp.ClientResponse, float]:
        """The response once its headers are there, and when the first token is due.

        With Ollama the headers come with the first token, so this wait is the wait for the first token.
        """
        loop = asyncio.get_running_loop()
        due = loop.time() + deadlines.first_token_s
        judging: set[asyncio.Task[None]] = set()
        try:
            async with asyncio.timeout_at(due + (deadlines.load_s if loading else 0)) as limit:
                if loading:
                    late = loop.call_at(due, lambda: judging.add(loop.create_task(judge(limit, loading))))
                try:
                    return await self._accepted("POST", path, body, due), limit.when() or due
                finally:
                    if loading:
                        late.cancel()
        except TimeoutError as error:
            step = "load" if loading and loop.time() >= due + deadlines.load_s else "first_token"
            raise self._slow(step, deadlines.load_s if step == "load" else deadlines.first_token_s) from error
        finally:
            for task in judging:
                task.cancel()

    async def _accepted(self, method: str, path: str, body: object, due: float) -> aiohttp.ClientResponse:
        pause = 0.2
        while True:
            response = await self._request(method, path, body)
            if response.status == 200:
                return response
            error = self.refusal(response.status, await self._body(response, _LINE_BYTES))
            response.close()
            if not isinstance(error, ModelBusyError) or asyncio.get_running_loop().time() + pause >= due:
                raise error
            await asyncio.sleep(pause * random.uniform(0.7, 1.3))  # noqa: S311 -- spreads retries, guards no secret
            pause = min(pause * 2, 5.0)

    async def _request(self, method: str, path: str, body: object) -> aiohttp.ClientResponse:
        data = None if body is None else orjson.dumps(body)
        url = self.address + path
        try:
            try:
                return await self._pool().request(method, url, data=data, allow_redirects=False)
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
                # A kept connection may have been closed while it idled. Asking again does no harm.
                return await self._pool().request(method, url, data=data, allow_redirects=False)
        except (aiohttp.ClientConnectionError, aiohttp.InvalidURL) as error:
            raise ModelUnreachableError(str(error) or type(error).__name__, model=self.model, address=self.address) from error
        except aiohttp.ClientError as error:
            raise self.broken(f"no HTTP: {error}") from error

    async def _body(self, response: aiohttp.ClientResponse, limit: int) -> bytes:
        data = bytearray()
        try:
            while piece := await response.content.readany():
                data += piece
                if len(data) > limit:
                    response.close()
                    raise self.broken("the answer does not end")
        except aiohttp.ClientError as error:
            raise self.broken(f"the answer was cut: {error}") from error
        return bytes(data)

    def _slow(self, step: str, seconds: float | None) -> ModelSlowError:
        detail = f"nothing after {seconds:g} s" if seconds else "the deadline passed"
        return ModelSlowError(f"{detail} ({step})", step=step, model=self.model, address=self.address)

    def _pool(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = (
                aiohttp.UnixConnector(self._path, limit=self._connections)
                if self._path
                else aiohttp.TCPConnector(limit=self._connections, keepalive_timeout=60)
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                headers=self._headers,
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
            )
        return self._session


def _said(data: bytes) -> str:
    try:
        error = orjson.loads(data)["error"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return ""
    return str(error.get("message", error)) if isinstance(error, dict) else str(error)


def _kind(status: int, said: str) -> type[ModelError]:
    if status in {429, 503}:
        return ModelBusyError
    if status == 404 and said:
        return ModelMissingError
    if status in {400, 413, 500} and _OVER_WINDOW.search(said):
        return PromptTooLongError
    if status == 400 and "does not support" in said:
        return ModelUnfitError
    return ModelBrokenError
