"""The daemon's local socket: connections of verbs, and one task for each of their requests."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

import orjson

from bot.errors import GrillonError, RejectedError, told
from bot.local.access import Peer, bind, peer_of, present
from bot.local.house import House, Request, Values
from bot.local.verbs import FOR_ALL, HOUSE, PAPERS
from bot.local.wire import LINE_BYTES, error_values, line
from knowledge.errors import KnowledgeError

_log = logging.getLogger(__name__)
_CONNECTIONS = 64
_OF_ACCOUNT = 8
"""Connections at once in all and of one account, but of those that may use the owner's verbs: nobody else locks these out."""
_TURNED_AWAY = 16
_HEARD_BYTES = 65_536
"""So many of those who are turned away are heard out, each for so long and so much; the others get their sentence alone."""
_NOBODY = "your account is nobody here: the owner declares it as `unix_user` in [[people]]"
_FULL = "the daemon takes no more connections; try again in a moment"
_INTERNAL = "something went wrong here; the daemon's log says where"
_PATIENCE_S = 5.0
_LOOK_S = 0.1
_QUIET_LOOKS = 3
_AT_ONCE = 16
"""Requests of one connection in progress."""


class LocalSocket:
    """The open socket, as an async context manager."""

    def __init__(self, house: House, path: Path) -> None:
        self._house = house
        self._path = path
        self._connections: dict[_Connection, asyncio.Task[None]] = {}
        self._server: asyncio.Server | None = None
        self._leaving = 0

    async def __aenter__(self) -> Self:
        """Listen. Raises `SettingsError`, `StateInUseError`."""
        listening = await asyncio.to_thread(bind, self._path, self._house.settings)
        self._server = await asyncio.start_unix_server(self._serve, sock=listening, limit=LINE_BYTES)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop_receiving()
        tasks = list(self._connections.values())
        for connection, task in self._connections.items():
            connection.keep_questions()
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def finish(self) -> None:
        """Be found by nobody new, and answer what those who are inside asked. Who only sits there is not waited for."""
        self._path.unlink(missing_ok=True)
        quiet = 0
        while quiet < _QUIET_LOOKS:  # who found us just before is about to ask
            await asyncio.sleep(_LOOK_S)
            quiet = 0 if self.busy else quiet + 1

    @property
    def busy(self) -> bool:
        """Whether a request is being answered."""
        return any(connection.busy for connection in self._connections)

    def stop_receiving(self) -> None:
        """Take no new connection and no new request; what is being answered goes on."""
        if self._server is not None:
            self._server.close()
            self._server = None
            self._path.unlink(missing_ok=True)
        for connection in self._connections:
            connection.receiving = False

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        settings, transport = self._house.settings, cast("asyncio.Transport", writer.transport)
        transport.pause_reading()  # of an account that may be nobody here nothing is kept in memory
        try:
            peer = await peer_of(writer.get_extra_info("socket"), self._house.people, settings.socket.group)
            transport.resume_reading()
            if peer is None:
                await self._turn_away(reader, writer, "forbidden", _NOBODY)
            elif not self._has_room(peer):
                await self._turn_away(reader, writer, "queue_full", _FULL)
            else:
                await self._connected(_Connection(self._house, peer, reader, writer))
        except* ConnectionError:
            _log.debug("a local connection was lost")
        finally:
            writer.close()

    def _has_room(self, peer: Peer) -> bool:
        if self._server is None:
            return False
        others = [connection.peer.uid for connection in self._connections if not connection.peer.trusted]
        return peer.trusted or (len(others) < _CONNECTIONS and others.count(peer.uid) < _OF_ACCOUNT)

    async def _turn_away(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, code: str, sentence: str) -> None:
        """Refuse, then hear the request out: closing before it came would take our sentence away with it."""
        await _refuse(writer, code, sentence)
        if self._leaving >= _TURNED_AWAY:
            return
        self._leaving += 1
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(_PATIENCE_S):
                    await _hear(reader)
        finally:
            self._leaving -= 1

    async def _connected(self, connection: _Connection) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections[connection] = task
        try:
            await connection.serve()
        except asyncio.CancelledError:
            if self._server is not None:
                raise
            # We are leaving. `asyncio` 3.11 would print a traceback for a handler that ends as cancelled (gh-110894).
        finally:
            del self._connections[connection]


class _Connection:
    """One verb at the other end."""

    def __init__(self, house: House, peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._house = house
        self.peer = peer
        self._reader = reader
        self._writer = writer
        self._running: dict[int, tuple[Request, asyncio.Task[None]]] = {}
        self._ended: set[int] = set()
        self.receiving = True

    async def serve(self) -> None:
        """Read requests until the other end leaves; what it left unfinished is cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while (values := await self._read()) is not None:
                await self._take(values, tasks)
            for _, task in self._running.values():
                task.cancel()

    @property
    def busy(self) -> bool:
        """Whether a request of it is being answered."""
        return bool(self._running)

    def keep_questions(self) -> None:
        """The daemon leaves, not the person: questions are answered after its restart."""
        for request, _ in self._running.values():
            request.keep = True

    async def _read(self) -> Values | None:
        """The next request, None at the end. A line that is no request ends the connection: nothing after it could be trusted."""
        try:
            text = await self._reader.readline()
            values: Any = orjson.loads(text) if text else None
        except ValueError:  # beyond the limit, or not JSON
            values = {}
        if values is None or _wellformed(values):
            return cast("Values | None", values)
        await _refuse(self._writer, "binary", f"that was no request: one JSON object a line, at most {LINE_BYTES} bytes")
        return None

    async def _take(self, values: Values, tasks: asyncio.TaskGroup) -> None:
        number, verb = values["id"], values["verb"]
        if verb == "cancel":
            self._cancel(number)
        elif problem := self._problem(number, verb):
            await self._send({"id": number, **error_values(problem)})
        else:
            request = Request(self.peer, values.get("params", {}))
            task = tasks.create_task(self._answer(number, verb, request), name=f"local {verb}")
            self._running[number] = request, task
            task.add_done_callback(lambda _: self._running.pop(number, None))

    def _cancel(self, number: int) -> None:
        if number in self._running:
            self._ended.add(number)
            self._running[number][1].cancel()

    def _problem(self, number: int, verb: str) -> GrillonError | None:
        """Why a request is not taken."""
        if verb not in HOUSE and verb not in PAPERS:
            return RejectedError("unknown_verb", f"the daemon knows no verb {verb!r}: it may be older than this program")
        if verb not in FOR_ALL and not self.peer.trusted:
            remedy = "use sudo, or have `group` in [socket] name a group of yours"
            return RejectedError("forbidden", f"only the owner of this machine may do that: {remedy}", 403)
        if not self.receiving:
            return RejectedError("stopping", "the daemon is stopping; ask again when it is back", 503)
        if number in self._running or len(self._running) >= _AT_ONCE:
            return RejectedError("queue_full", f"at most {_AT_ONCE} requests at once, each with its own number", 429)
        return None

    async def _answer(self, number: int, verb: str, request: Request) -> None:
        try:
            if verb in PAPERS:
                await self._send({"id": number, "result": await PAPERS[verb](self._house, request.params)})
                return
            await self._look_again(request)
            async with aclosing(HOUSE[verb](self._house, request)) as lines:
                async for values in lines:
                    await self._send({"id": number, **values})
        except (GrillonError, KnowledgeError) as error:
            await self._send({"id": number, **error_values(error)})
        except asyncio.CancelledError:
            if number not in self._ended:
                raise
            self._ended.discard(number)
            await self._send({"id": number, **error_values(RejectedError("cancelled", "cancelled"))})
        except ConnectionError:
            raise
        except Exception as error:  # noqa: BLE001 -- logged without its text, which `asyncio` would write out, somebody's words too
            _log.error("local request failed verb=%s error=%s", verb, told(error))
            await self._send({"id": number, **error_values(RejectedError("internal", _INTERNAL, 500))})

    async def _look_again(self, request: Request) -> None:
        """A `grillon chat` stays connected for hours: what its person chose meanwhile counts from the next line on."""
        peer = await present(request.peer, self._house.people)
        if peer is None:
            raise RejectedError("forbidden", _NOBODY, 403)
        request.peer = peer

    async def _send(self, values: Values) -> None:
        self._writer.write(line(values))
        await self._writer.drain()


def _wellformed(values: object) -> bool:
    if not isinstance(values, dict) or not isinstance(values.get("params", {}), dict):
        return False
    return isinstance(values.get("id"), int) and isinstance(values.get("verb"), str)


async def _hear(reader: asyncio.StreamReader) -> None:
    """Throw away what comes, up to the end of a line or more than a request has."""
    heard = 0
    while heard < _HEARD_BYTES and (text := await reader.read(_HEARD_BYTES)) and b"\n" not in text:
        heard += len(text)


async def _refuse(writer: asyncio.StreamWriter, code: str, sentence: str) -> None:
    """Say why to whoever connected, before the connection is closed."""
    writer.write(line({"id": None, **error_values(RejectedError(code, sentence))}))
    await writer.drain()
