"""One connection: what is refused before there is a request, and nothing of it in the log."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import orjson
from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Callable

_log = logging.getLogger(__name__)

CONNECTIONS = 700
"""Open connections at once: below the 1,024 descriptors that a process has by default."""
IDLE_S = 60.0
"""Seconds a connection may be idle, or take to send its headers."""
LINGER_S = 5.0
"""Seconds the rest of a refused body is read and thrown away, so that the client gets to see the refusal."""

HEADERS = {
    "Server": "grillon",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""On every response."""

_FULL = b'{"error":{"code":"queue_full","message":"Too many connections: come back later."}}'
_REFUSAL = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 30\r\nConnection: close\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(_FULL), _FULL)
)


class _Connection(web.RequestHandler):
    """aiohttp's protocol, but for what it says: JSON to the client, and no word of what was sent to the log."""

    @property
    def open(self) -> bool:
        """Whether nobody has hung up yet."""
        return self.transport is not None and not self.transport.is_closing()

    @property
    def idle(self) -> bool:
        """Whether it has no request in progress, be it that none came whole."""
        return not self._request_in_progress and not self._messages

    def give_up(self) -> None:
        """Hang up at once, whatever was half said."""
        if self.transport is not None:
            self.transport.abort()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 -- the base class names it
    ) -> web.StreamResponse:
        """Answer what is not HTTP. The parser's message quotes what was sent: it goes nowhere."""
        _log.debug("http malformed kind=%s", type(exc).__name__)
        if request.writer.output_size > 0:
            raise ConnectionError("an answer has begun already")
        code = "bad_request" if status < 500 else "internal"
        error = {
            "code": code,
            "message": "This is not an HTTP request that can be read: its line or its headers are wrong or too long.",
        }
        body = orjson.dumps({"error": error})
        response = web.Response(status=status, body=body, headers=HEADERS, content_type="application/json")
        response.force_close()
        return response

    def log_exception(self, *_: object, **kw: object) -> None:
        """Say that it happened, without the exception's text."""
        _log.error("http connection error kind=%s", type(kw.get("exc_info")).__name__)


class _Full(asyncio.Protocol):
    """A connection too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say so and hang up."""
        if isinstance(transport, asyncio.WriteTransport):
            transport.write(_REFUSAL)
        transport.close()


def connections(server: web.Server) -> Callable[[], asyncio.Protocol]:
    """Makes the protocol of each new connection, up to `CONNECTIONS` at once.

    Beyond that the oldest one without a request makes room: whoever holds connections and says nothing keeps nobody out.
    """
    loop = asyncio.get_running_loop()

    def connect() -> asyncio.Protocol:
        held = [one for one in server.connections if isinstance(one, _Connection) and one.open]
        if len(held) >= CONNECTIONS:
            idle = next((one for one in held if one.idle), None)
            if idle is None:
                return _Full()
            idle.give_up()
        return _Connection(
            server,
            loop=loop,
            access_log=None,  # type: ignore[arg-type]  # Its type forgets None, which its code takes for: no log.
            keepalive_timeout=IDLE_S,
            lingering_time=LINGER_S,
            auto_decompress=False,
        )

    return connect
