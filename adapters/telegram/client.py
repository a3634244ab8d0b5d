"""Calls to the Bot API: JSON in, JSON out, and errors that say whether a call may have been carried out.

CallError   any call that did not succeed; nothing that is raised or logged here holds the token
"""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING, Any

import httpx
from telegram import Bot
from telegram.error import TelegramError
from telegram.request import HTTPXRequest

if TYPE_CHECKING:
    from adapters.telegram.config import TelegramConfig

_CONNECT_S = 5.0
_UPLOAD_S = 60.0
_CONNECTIONS = 32
_KEPT = 8
"""Connections that stay open when nobody uses them: httpx looks at each of them twice for every call."""
_CLOSE_S = 5.0
_ALLOWANCE_S = 5.0
"""A poll that brings nothing is answered when its time is over; later than that the connection is dead."""
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol)

for _name in ("httpx", "httpcore", "telegram"):
    logging.getLogger(_name).setLevel(logging.WARNING)  # below that they log addresses, which hold the token, and texts


Json = Any
"""A JSON value, as the server sent it."""


class CallError(TelegramError):
    """A call did not succeed. `code` is the HTTP status, 0 without an answer.

    `maybe` is true when it may have been carried out all the same. `retry_after` is in seconds; `moved_to` is a group's new id.
    """

    def __init__(
        self,
        description: str,
        code: int = 0,
        *,
        maybe: bool = False,
        retry_after: float | None = None,
        moved_to: int | None = None,
    ) -> None:
        super().__init__(f"{code} {description}" if code else description)
        self.description = description
        self.code = code
        self.maybe = maybe
        self.retry_after = retry_after
        self.moved_to = moved_to

    def without(self, token: str) -> CallError:
        """The same, without the token in what it says."""
        return CallError(
            self.description.replace(token, "…"),
            self.code,
            maybe=self.maybe,
            retry_after=self.retry_after,
            moved_to=self.moved_to,
        )


class _Wire(HTTPXRequest):
    """The library's HTTP client, with errors of ours, and downloads that stop at a limit."""

    async def do_request(self, *args: Json, **options: Json) -> tuple[int, bytes]:
        """As `HTTPXRequest.do_request`; every status but success is raised as `CallError`."""
        try:
            code, payload = await super().do_request(*args, **options)
        except (TelegramError, RuntimeError) as error:
            reason = error.__cause__ or error
            never = isinstance(reason, (*_NEVER_SENT, RuntimeError))
            raise CallError(f"no answer: {type(reason).__name__}", maybe=not never) from error
        if not 200 <= code <= 299:
            raise _refused(code, payload)
        return code, payload

    async def stream(self, url: str, limit: int) -> bytearray | None:
        """What is at an address, None when it is longer than `limit` bytes. Raises `CallError`."""
        content = bytearray()
        try:
            async with self._client.stream("GET", url) as response:
                if not response.is_success:
                    raise CallError("the file could not be downloaded", response.status_code)
                async for piece in response.aiter_bytes():
                    content += piece
                    if len(content) > limit:
                        return None
        except httpx.HTTPError as error:
            raise CallError(f"the download broke off: {type(error).__name__}") from error
        return content


class _Bot(Bot):
    async def call(self, method: str, data: dict[str, Any], read_s: float) -> Json:
        return await self._post(method, data, read_timeout=read_s)


class Client:
    """One connection to one bot account. Made anew by each `run`; `open` and `close` it."""

    def __init__(self, config: TelegramConfig, token: str) -> None:
        self._token = token
        self._files = config.files
        self._read_s, self._poll_s = config.call_timeout_s, config.poll_timeout_s + _ALLOWANCE_S
        self._calls = _wire(config, _CONNECTIONS, config.call_timeout_s)
        self._polls = _wire(config, 1, config.call_timeout_s)
        self._bot = _Bot(token, config.api, config.files, self._calls, self._polls)
        self._flying = 0
        self._landed = asyncio.Event()
        self._landed.set()

    async def call(self, method: str, data: dict[str, Any] | None = None) -> Json:
        """Call a method and return its result, as JSON. Raises `CallError`."""
        self._flying += 1
        self._landed.clear()
        try:
            return await self._bot.call(method, data or {}, self._read_s if method != "getUpdates" else self._poll_s)
        except CallError as error:
            if self._token not in error.description:
                raise
            raise error.without(self._token) from None
        except (TelegramError, KeyError, TypeError, ValueError) as error:
            raise CallError(f"an answer that is none of the Bot API's: {type(error).__name__}", 200, maybe=True) from error
        finally:
            self._flying -= 1
            if not self._flying:
                self._landed.set()

    async def download(self, path: str, limit: int) -> bytes | None:
        """A file's content, None when it is longer than `limit` bytes. `path` is what `getFile` says. Raises `CallError`."""
        base = self._files.replace("{token}", self._token) if "{token}" in self._files else self._files + self._token
        content = await self._calls.stream(f"{base}/{path.lstrip('/')}", limit)
        return None if content is None else bytes(content)

    async def open(self) -> None:
        """Get ready; no call goes out."""
        await asyncio.gather(self._polls.initialize(), self._calls.initialize())

    async def renew(self) -> None:
        """Drop the connection of the long poll: the next one is new."""
        await self._polls.shutdown()
        await self._polls.initialize()

    async def close(self) -> None:
        """Let what flies land, for a while, then close all connections."""
        try:
            async with asyncio.timeout(_CLOSE_S):
                await self._landed.wait()
        except TimeoutError:
            logging.getLogger(__name__).warning("telegram: calls=%d are cut off", self._flying)
        finally:
            await asyncio.gather(self._polls.shutdown(), self._calls.shutdown())


def _wire(config: TelegramConfig, connections: int, read_s: float) -> _Wire:
    return _Wire(
        connections,
        read_timeout=read_s,
        write_timeout=read_s,
        connect_timeout=min(_CONNECT_S, read_s),
        pool_timeout=read_s,
        media_write_timeout=_UPLOAD_S,
        proxy=config.proxy,
        httpx_kwargs={
            "trust_env": False,
            "limits": httpx.Limits(max_connections=connections, max_keepalive_connections=min(_KEPT, connections)),
        },
    )


def _refused(code: int, payload: bytes) -> CallError:
    """What a refusal says. A server's own fault may have come after it did what it was asked."""
    try:
        body = json.loads(payload)
        parameters = body.get("parameters") or {}
        retry, moved = parameters.get("retry_after"), parameters.get("migrate_to_chat_id")
        description = str(body.get("description", ""))
    except (ValueError, AttributeError):
        retry, moved, description = None, None, ""
    return CallError(
        description or "refused without a word",
        code,
        maybe=code >= 500,
        retry_after=float(retry) if isinstance(retry, int | float) else None,
        moved_to=moved if isinstance(moved, int) else None,
    )
