"""The gateway: all its sockets, and what a test can do to them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from aiohttp import web

from tests.rigs.discord.sockets import HEARTBEAT, INVALID, RECONNECT, Socket
from tests.rigs.discord.trouble import broken

if TYPE_CHECKING:
    from tests.rigs.discord.house import House


class Gateway:
    """All sockets, and what a test can do to them."""

    def __init__(self, house: House) -> None:
        self._house = house
        self.sockets: set[Socket] = set()
        self.flowing = asyncio.Event()
        self.flowing.set()

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Serve one WebSocket until it ends."""
        if fault := self._house.strike("gateway.connect", None, after=False):
            return await broken(self._house, fault, request)
        ws = web.WebSocketResponse(compress=False, autoping=True)
        await ws.prepare(request)
        socket = Socket(self.flowing, self._house, ws, request)
        self.sockets.add(socket)
        try:
            await socket.live()
        finally:
            self.sockets.discard(socket)
            self._house.stir()
        return ws

    @property
    def connected(self) -> bool:
        """Whether a bot is there, past READY or RESUMED."""
        return any(socket.session is not None for socket in self.sockets)

    def reconnect(self) -> None:
        """Op 7: ask every bot to connect anew."""
        self._each({"op": RECONNECT, "d": None})

    def invalidate(self, *, resumable: bool = False) -> None:
        """Op 9: the session is over, or may be resumed."""
        if not resumable:
            self._house.sessions.alive.clear()
        self._each({"op": INVALID, "d": resumable})

    def beat(self) -> None:
        """Op 1: ask for a heartbeat at once."""
        self._each({"op": HEARTBEAT, "d": None})

    def close(self, code: int) -> None:
        """Close every socket with a code; 4004 to 4014 except 4008 and 4009 end the session too, as 1000 does."""
        if code in {1000, 4004, 4007, *range(4010, 4015)}:
            self._house.sessions.alive.clear()
        for socket in list(self.sockets):
            socket.outbox.put_nowait(code)

    def drop(self) -> None:
        """Reset every socket without a word; the sessions stay."""
        for socket in list(self.sockets):
            socket.abort()

    def freeze(self) -> None:
        """Send nothing any more, to anybody, until `thaw`: a zombie."""
        self.flowing.clear()

    def thaw(self) -> None:
        """Send what has been held back, and go on."""
        self.flowing.set()

    def _each(self, frame: dict[str, Any]) -> None:
        for socket in list(self.sockets):
            socket.send(frame)
