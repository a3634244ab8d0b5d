"""What happens by itself: re-indexing, backup, check, pruning. Each job once at a time, with a deadline, its last run kept."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.cron import CronTrigger
from sqlalchemy import select
from sqlalchemy.dialects.sqlite import insert

from bot.settings.cron import cron_fields
from bot.tables import jobs

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from knowledge.types import Sql

_log = logging.getLogger(__name__)
_MISSED_S = 6 * 3600
"""A job whose time passed while the machine slept is still run this long after."""


@dataclass(frozen=True, slots=True)
class Job:
    """A name, a cron line, and the work; the sentence it returns is kept as its outcome."""

    name: str
    cron: str
    work: Callable[[], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class LastRun:
    """The last run of a job. Times are seconds since the epoch; `outcome` is `ok`, `failed`, or None while it runs."""

    name: str
    started_at: float
    finished_at: float | None
    outcome: str | None
    detail: str | None
    next_at: float | None


class Schedule:
    """The jobs of this house. APScheduler says when; the last run of each is in the database."""

    def __init__(self, sql: Sql, todo: list[Job], deadline_s: float) -> None:
        self._sql = sql
        self._deadline_s = deadline_s
        self._running: dict[str, asyncio.Lock] = {job.name: asyncio.Lock() for job in todo}
        self._scheduler = AsyncIOScheduler(job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": _MISSED_S})
        for job in todo:
            try:
                trigger = CronTrigger(**cron_fields(job.cron)._asdict())
                self._scheduler.add_job(self.run, trigger, args=[job.name, job.work], id=job.name)
            except ValueError as error:  # the settings were checked; whatever it is, the other jobs have their hours
                _log.error("job not scheduled name=%s error=%s", job.name, error)

    def start(self) -> None:
        """Begin to look at the clock."""
        self._scheduler.start()

    def stop(self) -> None:
        """Stop looking at the clock; what runs is cancelled by whoever runs it."""
        self._scheduler.shutdown(wait=False)

    async def run(self, name: str, work: Callable[[], Awaitable[str]]) -> str:
        """Run a job now and keep how it went. Returns its sentence. A second call waits for the first to end."""
        async with self._running.setdefault(name, asyncio.Lock()):
            started = time.time()
            await self._keep(name, started, None, None, None)
            try:
                async with asyncio.timeout(self._deadline_s):
                    detail, outcome = await work(), "ok"
            except TimeoutError:
                detail, outcome = f"stopped after {self._deadline_s:.0f} s: its deadline", "failed"
            except Exception as error:  # noqa: BLE001 -- a job may fail in any way; the next night tries again, and /status says so
                detail, outcome = f"{type(error).__name__}: {error}"[:500], "failed"
                _log.warning("job failed name=%s error=%s", name, type(error).__name__)
            await self._keep(name, started, time.time(), outcome, detail)
            return detail

    async def last_runs(self) -> list[LastRun]:
        """The last run of each job that ever ran, by name."""
        rows = await self._sql.read(lambda connection: connection.execute(select(jobs).order_by(jobs.c.name)).all())
        return [LastRun(row.name, row.started_at, row.finished_at, row.outcome, row.detail, self._next(row.name)) for row in rows]

    def _next(self, name: str) -> float | None:
        job = self._scheduler.get_job(name)
        moment = getattr(job, "next_run_time", None)
        return moment.timestamp() if moment else None

    async def _keep(self, name: str, started: float, finished: float | None, outcome: str | None, detail: str | None) -> None:
        values = {"started_at": started, "finished_at": finished, "outcome": outcome, "detail": detail}
        statement = insert(jobs).values(name=name, **values)
        statement = statement.on_conflict_do_update(index_elements=["name"], set_=values)

        def work(connection: Connection) -> None:
            connection.execute(statement)

        await self._sql.write(work)
