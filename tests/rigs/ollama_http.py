"""A small HTTP/1.1 server for the Ollama stand-in: exact about headers and chunks, cheap, and able to misbehave.

Each connection serves one request after the other. A client that goes away cancels the handler at once, as it frees the slot of
a real server.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_REASONS = {
    200: "OK",
    302: "Found",
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    405: "Method Not Allowed",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
_GO_BUFFER = 2048


@dataclass(frozen=True, slots=True)
class Request:
    """One request, whole."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


def chunk(data: bytes) -> bytes:
    """One HTTP chunk."""
    return b"%x\r\n%s\r\n" % (len(data), data)


class Reply:
    """What the handler writes. Nothing goes out before the first `write`, so the headers come with the first words."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head = b""

    def whole(
        self, status: int, body: bytes, content_type: str | None = "application/json; charset=utf-8", *headers: str
    ) -> None:
        """A body of known length; a Go server sends more than 2 KiB of it in chunks."""
        lines = [*headers, *([f"Content-Type: {content_type}"] if content_type else [])]
        if len(body) > _GO_BUFFER:
            self.begin(status, content_type or "", *headers)
            self.end(body)
            return
        lines.append(f"Content-Length: {len(body)}")
        self._transport.write(_head(status, lines) + body)

    def begin(self, status: int, content_type: str, *headers: str) -> None:
        """Prepare the head of a body in chunks."""
        self._head = _head(status, [*headers, f"Content-Type: {content_type}", "Transfer-Encoding: chunked"])

    def write(self, *pieces: bytes) -> None:
        """Send each piece as a chunk of its own."""
        head, self._head = self._head, b""
        self._transport.write(head + b"".join(map(chunk, pieces)))

    def end(self, *pieces: bytes) -> None:
        """Send the last pieces, if any, and the empty chunk, in one go."""
        head, self._head = self._head, b""
        self._transport.write(head + b"".join(map(chunk, pieces)) + b"0\r\n\r\n")

    def cut(self) -> None:
        """Go away without a last chunk, as a killed server does; what was written still arrives."""
        self._transport.close()


class Connection(asyncio.Protocol):
    """One client."""

    def __init__(self, handle: Callable[[Request, Reply], Awaitable[None]], connections: set[Connection]) -> None:
        self._handle = handle
        self._connections = connections
        self._buffer = bytearray()
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 -- asyncio's signature
        self._connections.discard(self)
        if self._task is not None:
            self._task.cancel()

    async def abort(self) -> None:
        """Cut the connection and wait for the end of its handler."""
        task = self._task
        self.transport.abort()
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._task is None:
            self._next()

    def _next(self) -> None:
        self._task = None
        request = self._parsed()
        if request is not None:
            self._task = asyncio.get_running_loop().create_task(self._serve(request))

    async def _serve(self, request: Request) -> None:
        await self._handle(request, Reply(self.transport))
        if not self.transport.is_closing():
            self._next()

    def _parsed(self) -> Request | None:
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return None
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", 0))
        if len(rest) < length:
            return None
        method, path, _ = first.split(" ")
        self._buffer = rest[length:]
        return Request(method, path.partition("?")[0], headers, bytes(rest[:length]))


def _head(status: int, lines: list[str]) -> bytes:
    return "\r\n".join((f"HTTP/1.1 {status} {_REASONS[status]}", *lines, "", "")).encode()
