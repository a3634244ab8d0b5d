"""The jobs of the night: one at a time, with a deadline, the last run kept in the database."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.database.database import Database
from bot.schedule.schedule import Job, Schedule


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await Database.open(tmp_path / "grillon.db")
    yield opened
    await opened.close()


async def test_a_job_that_succeeds_is_kept_with_its_sentence(database: Database) -> None:
    async def work() -> str:
        return "all is well"

    schedule = Schedule(database, [Job("tidy", "0 4 * * *", work)], 10)
    assert await schedule.run("tidy", work) == "all is well"
    (last,) = await schedule.last_runs()
    assert (last.name, last.outcome, last.detail) == ("tidy", "ok", "all is well")
    assert last.finished_at is not None
    assert last.finished_at >= last.started_at


async def test_a_job_that_fails_or_outlasts_its_deadline_is_said(database: Database) -> None:
    async def fails() -> str:
        raise ValueError("no room")

    async def hangs() -> str:
        await asyncio.Event().wait()
        return ""

    schedule = Schedule(database, [], 0.05)
    assert "no room" in await schedule.run("fails", fails)
    assert "deadline" in await schedule.run("hangs", hangs)
    assert [run.outcome for run in await schedule.last_runs()] == ["failed", "failed"]


async def test_a_job_never_runs_beside_itself(database: Database) -> None:
    running, most = 0, 0

    async def work() -> str:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1
        return ""

    schedule = Schedule(database, [], 10)
    await asyncio.gather(*(schedule.run("same", work) for _ in range(5)))
    assert most == 1


async def test_the_clock_runs_a_job_and_says_when_the_next_is(database: Database) -> None:
    async def work() -> str:
        return ""

    schedule = Schedule(database, [Job("nightly", "15 4 * * *", work)], 10)
    schedule.start()
    await schedule.run("nightly", work)
    (last,) = await schedule.last_runs()
    schedule.stop()
    assert last.next_at is not None
    assert last.next_at > last.started_at
