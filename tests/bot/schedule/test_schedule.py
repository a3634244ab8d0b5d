"""The jobs of the night: one at a time, with a deadline, the last run kept in the database."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bot.database.database import Database
from bot.schedule.schedule import Job, Schedule
from bot.schedule.upkeep import Upkeep
from bot.telemetry import Telemetry
from knowledge.models import Health


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


async def test_a_job_without_hours_does_not_keep_the_others_from_theirs(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    async def work() -> str:
        return ""

    schedule = Schedule(database, [Job("broken", "0 4 * * 8", work), Job("nightly", "15 4 * * *", work)], 10)
    schedule.start()
    for name in ("broken", "nightly"):
        await schedule.run(name, work)
    broken, nightly = await schedule.last_runs()
    schedule.stop()
    assert broken.next_at is None
    assert nightly.next_at is not None
    assert "job not scheduled name=broken" in caplog.text


@pytest.mark.parametrize(
    ("days", "expected"), [("0", {6}), ("7", {6}), ("1", {0}), ("1-5", {0, 1, 2, 3, 4}), ("sat-sun", {5, 6})]
)
async def test_days_of_the_week_are_those_of_cron(database: Database, days: str, expected: set[int]) -> None:
    async def work() -> str:
        return ""

    schedule = Schedule(database, [Job("weekly", f"0 12 * * {days}", work)], 10)
    job = schedule._scheduler.get_job("weekly")
    moment = datetime.now(job.trigger.timezone)
    found = set()
    for _ in range(7):
        moment = job.trigger.get_next_fire_time(None, moment) + timedelta(hours=1)
        found.add(moment.weekday())
    assert found == expected


async def test_a_collection_that_fails_in_an_unforeseen_way_does_not_keep_the_next_from_its_turn() -> None:
    tried: list[str] = []

    class Library:
        async def reindex(self, name: str, **_: object) -> None:
            tried.append(name)
            raise ValueError("nobody thought of it")

    async def loaded() -> Any:
        return SimpleNamespace(library=Library())

    async def idle() -> None:
        return

    await Upkeep(loaded, idle, Telemetry()).reindex_each(["one", "two"])
    assert tried == ["one", "two"]


async def test_the_embedding_model_is_looked_at_beside_the_other() -> None:
    looked = asyncio.Event()

    class Library:
        async def look_at_embedder(self) -> None:
            looked.set()

    class Model:
        async def check(self) -> Health:
            return Health("ready", "m", "")

    async def loaded() -> Any:
        return SimpleNamespace(library=Library(), model=Model())

    async def idle() -> None:
        return

    task = asyncio.create_task(Upkeep(loaded, idle, Telemetry()).look_at_model())
    await asyncio.wait_for(looked.wait(), 10)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
