"""Calls to the Bot API: JSON in, JSON out, and errors that say whether a call may have been carried out.

CallError   any call that did not succeed; nothing that is raised or logged here holds the token
"""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING, Any

import aiohttp
from telegram import Bot
from telegram.error import TelegramError
from telegram.request import BaseRequest, RequestData

if TYPE_CHECKING:
    from adapters.telegram.config import TelegramConfig

_CONNECT_S = 5.0
_UPLOAD_S = 60.0
_CONNECTIONS = 32
_IDLE_S = 5.0
"""A connection that nobody used for so long is not used again: the server may be closing it."""
_CLOSE_S = 5.0
_ALLOWANCE_S = 5.0
"""A poll that brings nothing is answered when its time is over; later than that the connection is dead."""
_NEVER_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.ClientHttpProxyError)
_OF_A_PROXY = frozenset({401, 403, 404, 407})
"""Statuses that mean something else when they come as a page: somebody before Telegram has answered, and it may pass."""
_BROKEN = (TimeoutError, aiohttp.ClientError, OSError)

logging.getLogger("telegram").setLevel(logging.WARNING)  # below that it logs texts


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


class _Wire(BaseRequest):
    """HTTP for the library, with errors of ours, and downloads that stop at a limit.

    Its own client looks at every idle connection for each call and takes four times as long. `read_s`: how long an answer may
    take; `connections`: calls at the same time.
    """

    def __init__(self, config: TelegramConfig, connections: int, read_s: float) -> None:
        self._proxy, self._connections, self._read_s = config.proxy, connections, read_s
        self._session: aiohttp.ClientSession | None = None

    @property
    def read_timeout(self) -> float:
        return self._read_s

    async def initialize(self) -> None:
        """Get ready; no connection is made."""
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=self._connections, keepalive_timeout=_IDLE_S)
            self._session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), proxy=self._proxy)

    async def shutdown(self) -> None:
        """Close all connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def do_request(
        self, url: str, method: str, request_data: RequestData | None = None, read_timeout: Json = None, *_: Json, **__: Json
    ) -> tuple[int, bytes]:
        """One call. Raises `CallError` for every status but success."""
        read_s = read_timeout if isinstance(read_timeout, int | float) else self._read_s
        await self._notice()
        try:
            async with self._opened().request(
                method, url, data=_form(request_data), timeout=self._timeout(read_s), allow_redirects=False
            ) as response:
                code, payload = response.status, await response.read()
        except aiohttp.InvalidURL:
            raise CallError("the address is no URL") from None  # it holds the token
        except _BROKEN as error:
            raise CallError(f"no answer: {type(error).__name__}", maybe=not isinstance(error, _NEVER_SENT)) from error
        if not 200 <= code <= 299:
            raise _refused(code, payload)
        return code, payload

    async def stream(self, url: str, limit: int) -> bytearray | None:
        """What is at an address, None when it is longer than `limit` bytes. Raises `CallError`."""
        content = bytearray()
        try:
            async with self._opened().get(url, timeout=self._timeout(self._read_s), allow_redirects=False) as response:
                if response.status != 200:
                    raise CallError("the file could not be downloaded", response.status)
                async for piece in response.content.iter_any():
                    content += piece
                    if len(content) > limit:
                        return None
        except _BROKEN as error:
            raise CallError(f"the download broke off: {type(error).__name__}") from error
        return content

    async def _notice(self) -> None:
        """Let the loop see which idle connections have died: what is written to one of those may or may not have arrived."""
        for _ in range(2):
            await asyncio.sleep(0)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise CallError("not connected to Telegram")
        return self._session

    def _timeout(self, read_s: float) -> aiohttp.ClientTimeout:
        connect_s = min(_CONNECT_S, self._read_s)
        return aiohttp.ClientTimeout(total=read_s + _UPLOAD_S, connect=self._read_s, sock_connect=connect_s, sock_read=read_s)


def _form(request: RequestData | None) -> aiohttp.FormData | dict[str, str] | None:
    """The parameters of a call, with its files where it has some."""
    if request is None or not request.contains_files:
        return request.json_parameters if request else None
    form = aiohttp.FormData(quote_fields=False)
    for name, value in request.json_parameters.items():
        form.add_field(name, value)
    for name, (file_name, content, media_type) in (request.multipart_data or {}).items():
        form.add_field(name, content, filename=file_name, content_type=media_type)
    return form


class _Bot(Bot):
    async def call(self, method: str, data: dict[str, Any], read_s: float) -> Json:
        return await self._post(method, data, read_timeout=read_s)


class Client:
    """One connection to one bot account. Made anew by each `run`; `open` and `close` it."""

    def __init__(self, config: TelegramConfig, token: str) -> None:
        self._token = token
        self._files = config.files
        self._read_s, self._poll_s = config.call_timeout_s, config.poll_timeout_s + _ALLOWANCE_S
        self._calls = _Wire(config, _CONNECTIONS, config.call_timeout_s)
        self._polls = _Wire(config, 1, config.call_timeout_s)
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


def _refused(code: int, payload: bytes) -> CallError:
    """What a refusal says. A server's own fault may have come after it did what it was asked."""
    try:
        body = json.loads(payload)
        parameters = body.get("parameters") or {}
        retry, moved = parameters.get("retry_after"), parameters.get("migrate_to_chat_id")
        description = str(body.get("description", ""))
    except (ValueError, AttributeError):
        if code in _OF_A_PROXY:
            return CallError(f"a page of {code} that is none of Telegram's")
        retry, moved, description = None, None, ""
    return CallError(
        description or "refused without a word",
        code,
        maybe=code >= 500,
        retry_after=float(retry) if isinstance(retry, int | float) else None,
        moved_to=moved if isinstance(moved, int) else None,
    )
