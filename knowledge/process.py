"""A private child process: started when first needed, spoken to over a socket pair, gone when we are.

Chroma holds the interpreter lock for seconds while it writes, embedding and parsing do the same: each lives in a child. A
frame is two 32-bit lengths, a JSON header and a blob (vectors as raw float32), so that nothing a hostile file makes of its
child is ever unpickled here. Requests carry a number; answers may come in any order, and a streamed answer in several frames.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import socket
import struct
import sys
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping, Sequence

_LENGTHS = struct.Struct("<II")
_FRAME_LIMIT = 512 * 1024 * 1024


class ChildError(Exception):
    """A handler in the child raised. `kind` is the exception's class name there, `data` what it chose to pass on."""

    def __init__(self, kind: str, message: str, data: dict[str, Any]) -> None:
        super().__init__(message)
        self.kind = kind
        self.data = data


class ChildDiedError(Exception):
    """The child ended before it answered; the next call starts another."""


def pack(header: Mapping[str, Any], blob: bytes = b"") -> bytes:
    """Make one frame."""
    head = orjson.dumps(header)
    return _LENGTHS.pack(len(head), len(blob)) + head + blob


async def _read_frame(reader: asyncio.StreamReader) -> tuple[dict[str, Any], bytes]:
    head_length, blob_length = _LENGTHS.unpack(await reader.readexactly(_LENGTHS.size))
    if head_length + blob_length > _FRAME_LIMIT:
        raise ChildDiedError("the child sent a frame beyond the limit")
    head = await reader.readexactly(head_length)
    return orjson.loads(head), await reader.readexactly(blob_length) if blob_length else b""


class _Running:
    """One life of the child."""

    def __init__(self, process: asyncio.subprocess.Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.process = process
        self.writer = writer
        self.waiting: dict[int, asyncio.Queue[tuple[dict[str, Any], bytes] | None]] = {}
        self.alive = True
        self.listener = asyncio.create_task(self._listen(reader), name=f"child {process.pid}")

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        try:
            while True:
                header, blob = await _read_frame(reader)
                queue = self.waiting.get(header["id"])
                if queue is not None:
                    queue.put_nowait((header, blob))
        except (asyncio.IncompleteReadError, OSError, ChildDiedError, orjson.JSONDecodeError):
            pass  # Its end, or garbage from it: both mean that this life is over, and every waiting call is told below.
        finally:
            self.alive = False
            self.writer.close()
            for queue in self.waiting.values():
                queue.put_nowait(None)


class Child:
    """One private child process that runs `python -P -m module`, restarted by the next call after its end.

    The module calls `knowledge.child.serve`. `starts` counts its lives.
    """

    def __init__(self, module: str, arguments: Sequence[str] = (), *, environment: Mapping[str, str] | None = None) -> None:
        self._module = module
        self._arguments = tuple(arguments)
        self._environment = dict(environment or {})
        self._numbers = itertools.count(1)
        self._lock = asyncio.Lock()
        self._running: _Running | None = None
        self.starts = 0

    @property
    def pid(self) -> int | None:
        """The child's process id, None while there is none."""
        return self._running.process.pid if self._running and self._running.alive else None

    async def call(
        self, method: str, params: Mapping[str, Any] | None = None, blob: bytes = b"", *, timeout_s: float | None = None
    ) -> tuple[dict[str, Any], bytes]:
        """Call `method` and wait for its one answer.

        Raises `ChildError` for an error of the handler, `ChildDiedError`, and `TimeoutError` (the child, stuck, is then
        killed).
        """
        try:
            async with asyncio.timeout(timeout_s), contextlib.aclosing(self.stream(method, params, blob)) as answers:
                async for answer in answers:
                    return answer
        except TimeoutError:
            await self.kill()
            raise
        raise ChildDiedError(f"{self._module} gave no answer to {method}")

    async def stream(
        self, method: str, params: Mapping[str, Any] | None = None, blob: bytes = b""
    ) -> AsyncGenerator[tuple[dict[str, Any], bytes], None]:
        """Call `method` and yield its answers; leaving early tells the child to stop. Errors as for `call`."""
        running = await self._started()
        number = next(self._numbers)
        queue: asyncio.Queue[tuple[dict[str, Any], bytes] | None] = asyncio.Queue()
        running.waiting[number] = queue
        finished = False
        try:
            await self._send(running, {"id": number, "method": method, "params": dict(params or {})}, blob)
            while True:
                item = await queue.get() if running.alive or not queue.empty() else None
                if item is None:
                    finished = True
                    raise ChildDiedError(f"{self._module} ended (exit code {running.process.returncode})")
                header, answer = item
                finished = "end" in header or "error" in header
                if "error" in header:
                    raise ChildError(header["error"], header.get("message", ""), header.get("data") or {})
                if "result" in header:
                    yield header["result"], answer
                if finished:
                    return
        finally:
            del running.waiting[number]
            if not finished and running.alive:
                with contextlib.suppress(ConnectionError, ChildDiedError):
                    await self._send(running, {"id": number, "cancel": True}, b"")

    async def kill(self) -> None:
        """End the child at once and wait for its end."""
        running, self._running = self._running, None
        if running is None:
            return
        with contextlib.suppress(ProcessLookupError):
            running.process.kill()
        await running.process.wait()
        await running.listener

    async def stop(self, grace_s: float = 5.0) -> None:
        """Let the child finish what it is doing (it sees the closed socket), then make sure that it is gone."""
        running = self._running
        if running is None:
            return
        running.writer.close()
        try:
            async with asyncio.timeout(grace_s):
                await running.process.wait()
        except TimeoutError:
            pass  # It did not leave within its grace: `kill` follows for every case.
        await self.kill()

    async def _started(self) -> _Running:
        async with self._lock:
            if self._running is None or not self._running.alive:
                if self._running is not None:
                    await self.kill()
                self._running = await self._start()
            return self._running

    async def _start(self) -> _Running:
        ours, theirs = socket.socketpair()
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",  # else modules that lie in the working directory, whoever put them there, come before our own
                "-m",
                self._module,
                str(theirs.fileno()),
                *self._arguments,
                pass_fds=(theirs.fileno(),),
                stdin=asyncio.subprocess.DEVNULL,
                env={**os.environ, **self._environment},
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        reader, writer = await asyncio.open_connection(sock=ours, limit=2**20)
        self.starts += 1
        return _Running(process, reader, writer)

    async def _send(self, running: _Running, header: Mapping[str, Any], blob: bytes) -> None:
        try:
            running.writer.write(pack(header, blob))
            await running.writer.drain()
        except (ConnectionError, RuntimeError) as error:
            raise ChildDiedError(f"{self._module} ended: {error}") from error
