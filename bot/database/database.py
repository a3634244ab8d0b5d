"""The one database: a writer thread with one connection, a few reader threads, and never SQL on the event loop.

Writes that queue up while the disk works share one transaction, each within its own savepoint: one `fsync` for all of them.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar, cast

from sqlalchemy.exc import DBAPIError

from bot.database.emptying import Emptying
from bot.database.engines import WRITER_PRAGMAS, raw, reader_engine, translated, writer_engine
from bot.database.schema import prepare
from bot.errors import DatabaseError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy import Connection, Engine

T = TypeVar("T")

READERS = 2
"""Threads that read. More of them take the interpreter lock from the event loop more often than they wait for the disk."""

_SHARED_S = 0.02
"""No further write joins a transaction that is this old: a batch stays well under 50 ms."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Job:
    """A piece of work, and who waits for it. `bare`: outside of any transaction. `put_at`: of the monotonic clock."""

    work: Callable[[Connection], Any]
    future: asyncio.Future[Any]
    bare: bool = False
    put_at: float = field(default_factory=time.monotonic)
    result: Any = None
    error: BaseException | None = None


class _Line:
    """The jobs that wait for a thread. Closing it lets what is queued be carried out first.

    `carry_out` is what is done with one of several that share a transaction. `of_reads`: a read sees what was committed before
    it was asked for, so it joins no snapshot that is older.
    """

    def __init__(self, carry_out: Callable[[Connection, _Job], None], *, of_reads: bool = False) -> None:
        self.carry_out = carry_out
        self._of_reads = of_reads
        self._jobs: deque[_Job] = deque()
        self._changed = threading.Condition()
        self._closed = False

    def put(self, job: _Job) -> None:
        with self._changed:
            if self._closed:
                raise DatabaseError("The database is closed: the program is stopping.")
            self._jobs.append(job)
            self._changed.notify()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def take(self) -> _Job | None:
        """The next job; None once the line is closed and empty."""
        with self._changed:
            while not self._jobs and not self._closed:
                self._changed.wait()
            return self._jobs.popleft() if self._jobs else None

    def take_shared(self, begun_at: float) -> _Job | None:
        """The next job if one waits that may join a transaction which began then."""
        with self._changed:
            waits = bool(self._jobs) and not self._jobs[0].bare
            return self._jobs.popleft() if waits and (not self._of_reads or self._jobs[0].put_at <= begun_at) else None

    def __bool__(self) -> bool:
        return bool(self._jobs)


class Database:
    """The database, opened. Satisfies `knowledge.types.Sql`. Belongs to the event loop that opened it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._loop = asyncio.get_running_loop()
        self._emptying = Emptying(self._truncate_log)
        self._writes, self._reads = _Line(_within_savepoint), _Line(_by_itself, of_reads=True)
        self._writer = threading.Thread(
            target=self._serve, args=(writer_engine(path), self._writes), name="sql writer", daemon=True
        )
        self._readers = [
            threading.Thread(target=self._serve, args=(reader_engine(path), self._reads), name=f"sql reader {n}", daemon=True)
            for n in range(READERS)
        ]

    @classmethod
    async def open(cls, path: Path) -> Database:
        """Create or migrate the database, then open it. Raises `NewerDatabaseError`, `DatabaseError`."""
        await asyncio.to_thread(prepare, path)
        database = cls(path)
        for thread in (database._writer, *database._readers):
            thread.start()
        try:
            await database._truncate_log()  # what a crash left in the log, erased words too
        except DatabaseError:
            await database.close()
            raise
        return database

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a reader thread, on one consistent snapshot. Raises `DatabaseError`."""
        return cast("T", await self._put(self._reads, work))

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in the writer thread; it is durable when this returns, and undone when this raises. Raises `DatabaseError`.

        A caller that is cancelled leaves its write to be carried out.
        """
        return cast("T", await self._put(self._writes, work))

    async def empty_log(self, wait_s: float = 0.1) -> bool:
        """Empty the write-ahead log of what was erased before. False when a reader needs it for longer: it is done later."""
        return await self._emptying.empty(wait_s)

    async def close(self) -> None:
        """Carry out what is queued, then close; the last connection empties the write-ahead log."""
        await self._emptying.close()
        self._reads.close()
        for thread in self._readers:
            await asyncio.to_thread(thread.join)
        self._writes.close()
        await asyncio.to_thread(self._writer.join)

    async def _truncate_log(self) -> bool:
        return cast("bool", await self._put(self._writes, _truncate_log, bare=True))

    def _put(self, line: _Line, work: Callable[[Connection], Any], *, bare: bool = False) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = self._loop.create_future()
        line.put(_Job(work, future, bare))
        return future

    def _serve(self, engine: Engine, line: _Line) -> None:
        connection: Connection | None = None
        while (job := line.take()) is not None:
            try:
                connection = connection or engine.connect()
            except (DBAPIError, sqlite3.Error) as error:
                job.error = error
                self._deliver([job])
            else:
                self._deliver(_carry_out(connection, job, line))
        if connection is not None:
            connection.close()

    def _deliver(self, jobs: list[_Job]) -> None:
        for job in jobs:
            if job.error is not None:
                job.error = translated(job.error, self.path)
        try:
            self._loop.call_soon_threadsafe(_resolve, jobs)
        except RuntimeError:
            _log.debug("the loop is closed: nobody waits any more for %d database jobs", len(jobs))


def _carry_out(connection: Connection, job: _Job, line: _Line) -> list[_Job]:
    """Carry out `job`, in one transaction with those that wait behind it. Returns them all, with result or error."""
    jobs = [job]
    try:
        if job.bare:
            job.result = job.work(connection)
        else:
            _transaction(connection, jobs, line)
    except Exception as error:  # noqa: BLE001 -- whatever the work raised, or the commit, belongs to those who wait for it
        for lost in jobs:
            lost.error = lost.error or error
    return jobs


def _transaction(connection: Connection, jobs: list[_Job], line: _Line) -> None:
    """Carry out the first of `jobs`, and add those from the line that join it. Raises when nothing of it is durable."""
    begun_at = time.monotonic()
    with connection.begin():
        if not line:
            jobs[0].result = jobs[0].work(connection)
            return
        for job in jobs:  # which grows
            line.carry_out(connection, job)
            following = line.take_shared(begun_at) if time.monotonic() < begun_at + _SHARED_S else None
            if following is not None:
                jobs.append(following)


def _within_savepoint(connection: Connection, job: _Job) -> None:
    """Carry out one of several jobs of a transaction, so that its error undoes its own work alone.

    A full disk may make SQLite roll the whole transaction back: then it is an error of all.
    """
    driver = raw(connection)
    driver.execute("SAVEPOINT job")
    try:
        job.result = job.work(connection)
    except Exception as error:
        if not driver.in_transaction:
            raise
        driver.execute("ROLLBACK TO job")
        job.error = error
    driver.execute("RELEASE job")


def _by_itself(connection: Connection, job: _Job) -> None:
    """Carry out one of several reads: there is nothing to undo."""
    try:
        job.result = job.work(connection)
    except Exception as error:  # noqa: BLE001 -- whatever the work raised belongs to the one who waits for it
        job.error = error


def _truncate_log(connection: Connection) -> bool:
    driver = raw(connection)
    driver.execute("PRAGMA busy_timeout = 20")
    try:
        busy = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    finally:
        driver.execute("PRAGMA busy_timeout = " + WRITER_PRAGMAS["busy_timeout"])
    return not busy


def _resolve(jobs: list[_Job]) -> None:
    for job in jobs:
        if job.future.done():  # its caller was cancelled
            continue
        if job.error is None:
            job.future.set_result(job.result)
        else:
            job.future.set_exception(job.error)
