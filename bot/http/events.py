"""Server-sent events: one open response, written to as events come, with signs of life between them."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Self

import orjson
from aiohttp import web
from aiohttp.http_writer import StreamWriter

from bot.http.connection import HEADERS
from bot.http.errors import ProblemError, problem_of, stopped

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

_STALLED_S = 60.0
"""Seconds a client may read nothing while there is something to read."""
_BEAT = b": alive\n\n"
_HEADERS = {**HEADERS, "Cache-Control": "no-cache, no-store", "Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}


class EventStream:
    """An event stream to one client, as an async context manager. `beat_s`: seconds between two comments that keep it open.

    aiohttp sets TCP_NODELAY and writes each chunk at once. The headers are out from the beginning: whatever goes wrong inside
    becomes the last event, as `ending` frames it, and is not raised, unless the client is gone.
    """

    def __init__(self, request: web.BaseRequest, beat_s: float, ending: Callable[[ProblemError], bytes]) -> None:
        self.response = web.StreamResponse(headers=_HEADERS)
        self._request = request
        self._beat_s = beat_s
        self._ending = ending
        self._last = b""

    async def __aenter__(self) -> Self:
        writer = await self.response.prepare(self._request)
        assert isinstance(writer, StreamWriter)
        self._writer = writer
        self._beating = asyncio.create_task(self._beat(), name="http beat")
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> bool:
        self._beating.cancel()
        if isinstance(error, asyncio.CancelledError) and stopping(self._request):
            self.end(self._ending(stopped()))
        elif isinstance(error, Exception) and not isinstance(error, ConnectionError):
            self.end(self._ending(problem_of(error, self._request.path)))
        elif error is not None:
            return False
        await self._drained()
        await self.response.write_eof(self._last)
        return True

    async def send(self, frame: bytes) -> None:
        """Write one or several frames. Raises `ConnectionError` when the client left or does not read."""
        await self._drained()
        await self._write(frame)

    def end(self, frame: bytes) -> None:
        """Say what comes last: it goes out with the end of the response."""
        self._last = frame

    async def _write(self, frame: bytes) -> None:
        # Past the response's own write(), which may wait for the client without an end.
        await self._writer.write(frame, drain=False)

    async def _drained(self) -> None:
        if not self._request.protocol.writing_paused:
            return
        try:
            async with asyncio.timeout(_STALLED_S):
                await self._writer.drain()
        except TimeoutError as error:
            if self._request.transport is not None:
                self._request.transport.abort()
            raise ConnectionError("the client does not read") from error

    async def _beat(self) -> None:
        with suppress(ConnectionError):
            while True:
                await asyncio.sleep(self._beat_s)
                if not self._request.protocol.writing_paused:
                    await self._write(_BEAT)


def stopping(request: web.BaseRequest) -> bool:
    """Whether a cancelled handler was cancelled because the daemon stops; otherwise the client left, and its transport with it.

    The cancellation is then taken back: there is a last thing to be said.
    """
    task = asyncio.current_task()
    if request.transport is None or task is None:
        return False
    task.uncancel()
    return True


def frame(content: object, name: str | None = None) -> bytes:
    """One event: its name, where there is one, and its data as JSON on one line."""
    data = orjson.dumps(content)
    return b"event: %b\ndata: %b\n\n" % (name.encode(), data) if name else b"data: %b\n\n" % data
