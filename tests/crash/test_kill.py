"""Killed at random moments and at each named point while people ask: nothing is lost, answered twice, out of order or unsound."""

from __future__ import annotations

import asyncio
import random
import re
import signal
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.database.backup import verify
from tests.crash import test_line
from tests.crash.crowd import SETTINGS, Crowd
from tests.rigs.daemon import Daemon
from tests.rigs.ollama import Ollama

QUESTION = "What pressure should the boiler in the cellar have?"
BOILER = "# Heating\n\nThe boiler stands in the cellar, behind the freezer. Its pressure should be 1.5 bar.\n"
ROOT = Path(__file__).parents[2]

STARTING = ("migration.step",)
ANSWERING = (
    "inbox.receive.before",
    "inbox.receive.committed",
    "inbox.leased",
    "retrieve.done",
    "generate.first_token",
    "answer.first_words",
    "answer.mid_stream",
    "answer.commit.before",
    "memory.write",
    "answer.committed",
)
INDEXING = (
    "index.scanned",
    "index.read",
    "index.staged",
    "index.embedded",
    "index.upserted",
    "index.flipped",
    "index.old_deleted",
)
BACKING_UP = ("backup.copied", "backup.verified")
SENDING = ("send.begun", "send.before", "send.after", "send.acknowledged")
"""No door of this daemon sends: `test_line` and `test_platforms` kill at these."""


def test_every_failpoint_is_met() -> None:
    code = "".join(path.read_text() for package in ("bot", "knowledge", "migrations") for path in (ROOT / package).rglob("*.py"))
    named = set(re.findall(r'(?:failpoint\(|point = )"([a-z_.]+)"', code))

    assert named == {*STARTING, *ANSWERING, *INDEXING, *BACKING_UP, *SENDING}
    assert set(SENDING) < set(test_line.POINTS)
    assert len(named) >= 20


@asynccontextmanager
async def besieged(folder: Path) -> AsyncIterator[Daemon]:
    """A daemon that answers each time in other words, and not at once."""
    documents = folder / "documents"
    documents.mkdir(parents=True)
    (documents / "heating.md").write_text(BOILER)
    async with (
        Ollama(slots=4, tokens_s=2000.0, answer="{quote} [{n}] {nonce}", record=10, prefix=False) as rig,
        Daemon(folder / "daemon", rig.address, {"house": documents}, settings=SETTINGS, model="slots = 4") as daemon,
    ):
        yield daemon


async def sound(daemon: Daemon, crowd: Crowd) -> None:
    """Let everything be answered, then look at it from all sides."""
    await daemon.start(indexed=True)
    crowd.release()
    await crowd.told()
    await crowd.ask_again()
    await until_settled(daemon)
    assert await daemon.stop() == 0
    crowd.check()
    on_disk = {path.name: path.read_text() for path in (daemon.folder.parent / "documents").iterdir()}
    indexed = live(daemon)
    assert indexed.keys() == on_disk.keys()
    assert all(text in on_disk[name] for name, text in indexed.items())


async def until_settled(daemon: Daemon) -> None:
    """Wait until the index agrees with itself: what a kill left is mended behind."""
    async with asyncio.timeout(60):
        while (checked := await daemon.verb("db", "check"))[0]:
            assert "missing" in checked[1] or "belong" in checked[1], checked
            await asyncio.sleep(0.2)


def live(daemon: Daemon) -> dict[str, str]:
    """What answers are made from, read past all of our code."""
    connection = sqlite3.connect(f"file:{daemon.state / 'grillon.db'}?mode=ro", uri=True)
    try:
        query = (
            "SELECT path, text FROM chunks JOIN documents ON documents.id = document_id AND documents.version = chunks.version"
        )
        return dict(connection.execute(query).fetchall())
    finally:
        connection.close()


async def killed_at(daemon: Daemon, point: str, arrival: int = 1) -> None:
    try:
        assert await asyncio.wait_for(daemon.died(), 60) == -signal.SIGKILL, f"{point}\n{daemon.tail()}"
    except TimeoutError:
        pytest.fail(f"{point}:{arrival} was not met\n{daemon.tail()}")


@pytest.mark.timeout(900)
async def test_killed_at_random_moments_and_at_each_point(tmp_path: Path) -> None:
    """Most of it is loading the library anew after each kill, on one core each: so three daemons are killed side by side."""
    async with asyncio.TaskGroup() as sieges:
        sieges.create_task(killed_at_random(tmp_path / "random", 500, 5))
        sieges.create_task(killed_while_answering(tmp_path / "answering"))
        sieges.create_task(killed_while_indexing(tmp_path / "indexing"))


@pytest.mark.full
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("messages", "kills"), [(1250, 25), (10_000, 200)])
async def test_killed_at_many_random_moments(tmp_path: Path, messages: int, kills: int) -> None:
    async with asyncio.TaskGroup() as sieges:
        for half in ("one", "other"):
            sieges.create_task(killed_at_random(tmp_path / half, messages // 2, kills // 2 + kills % 2))


async def killed_at_random(tmp_path: Path, messages: int, kills: int) -> None:
    async with besieged(tmp_path) as daemon:
        await daemon.start(indexed=True)
        async with Crowd(daemon, messages, question=QUESTION) as crowd:
            for kill in range(kills):
                (daemon.folder.parent / "documents" / f"new{kill % 7}.md").write_text(f"# Page\n\nThe page of the kill {kill}.\n")
                crowd.release(messages // (kills + 1))
                await asyncio.sleep(random.uniform(0, 1.5))
                await daemon.kill()
                # Now and then it dies again while it still loads.
                await daemon.start(indexed=random.random() < 0.8)
            await daemon.kill()
            await sound(daemon, crowd)


async def killed_while_answering(tmp_path: Path) -> None:
    async with besieged(tmp_path) as daemon:
        for point in STARTING:
            await daemon.start(point, wait=False)
            await killed_at(daemon, point)
        await daemon.start(indexed=True)
        async with Crowd(daemon, 360, question=QUESTION) as crowd:
            await daemon.kill()
            for point in ANSWERING:
                arrival = random.randint(1, 6)
                await daemon.start(f"{point}:{arrival}", wait=False)  # it may die before anybody sees it alive
                crowd.release(24)
                await killed_at(daemon, point, arrival)
            await sound(daemon, crowd)


async def killed_while_indexing(tmp_path: Path) -> None:
    async with besieged(tmp_path) as daemon:
        await daemon.start(indexed=True)
        documents = daemon.folder.parent / "documents"
        async with Crowd(daemon, 240, question=QUESTION) as crowd:
            await daemon.kill()
            for number, point in enumerate(INDEXING):
                (documents / "heating.md").write_text(f"{BOILER}\nIt hummed {number} times.\n")
                (documents / f"new{number}.md").write_text(f"# Page\n\nThe page of the number {number}.\n")
                await daemon.start(point)
                crowd.release(16)
                await killed_at(daemon, point)
            for point in BACKING_UP:
                await daemon.start(point)
                crowd.release(16)
                assert (await daemon.verb("db", "backup"))[0] != 0
                await killed_at(daemon, point)
            await daemon.start()
            assert (await daemon.verb("db", "backup"))[0] == 0
            await daemon.kill()
            await sound(daemon, crowd)
        backups = list((daemon.state / "backups").iterdir())
        assert len(backups) == 1
        verify(backups[0])
