"""Told to leave, the daemon finishes what it writes; killed, it leaves no child and no lock; and its children may die alone."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.e2e.doors import DOORS, Said, by_http, by_socket, by_stream, database, fresh
from tests.rigs.daemon import Daemon
from tests.rigs.ollama import Ollama

QUESTION = "What pressure should the boiler in the cellar have?"
ANSWER = "The boiler stands in the cellar, behind the freezer. [1]"
SLOW = {"tokens_s": 12.0}
"""An answer takes a good second."""


@asynccontextmanager
async def opened(folder: Path, settings: str = "") -> AsyncIterator[tuple[Daemon, Ollama]]:
    documents = folder / "documents"
    documents.mkdir()
    (documents / "heating.md").write_text(f"# Heating\n\n{ANSWER.removesuffix(' [1]')} Its pressure should be 1.5 bar.\n")
    async with Ollama() as rig, Daemon(folder / "daemon", rig.address, {"house": documents}, settings=settings) as daemon:
        yield await daemon.start(indexed=True), rig


async def writing(rig: Ollama, answers: int = 1) -> None:
    """Wait until the model writes."""
    async with asyncio.timeout(20):
        while rig.counters.active < answers:
            await asyncio.sleep(0.01)


def tell(daemon: Daemon, number: signal.Signals) -> None:
    assert daemon.process is not None
    daemon.process.send_signal(number)


def descendants(pid: int) -> list[int]:
    children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return children + [grandchild for child in children for grandchild in descendants(child)]


def is_alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


async def test_what_is_written_is_finished_and_what_waits_is_kept(tmp_path: Path) -> None:
    async with opened(tmp_path) as (daemon, rig):
        rig.set(**SLOW)
        first = asyncio.create_task(by_stream(daemon, QUESTION, key="first", conversation="a"))
        await writing(rig)
        behind = asyncio.create_task(by_http(daemon, QUESTION, key="behind", conversation="b"))
        async with asyncio.timeout(10):
            while stored(daemon) < 2:
                await asyncio.sleep(0.02)
        tell(daemon, signal.SIGTERM)
        kept, left = await asyncio.gather(first, behind)
        assert await asyncio.wait_for(daemon.died(), 30) == 0

        assert (kept.error, kept.text, kept.streamed) == (None, ANSWER, ANSWER)
        assert (left.status, left.error) == (503, "stopping")
        rig.set(tokens_s=0.0)
        rig.prompts.clear()
        await daemon.start()
        again = [await by_http(daemon, QUESTION, key=key, conversation=name) for key, name in (("behind", "b"), ("first", "a"))]
        assert [said.text for said in again] == [ANSWER, ANSWER]
        assert len(rig.prompts) == 1  # the first one was not asked again
        await by_socket(daemon, QUESTION, conversation="c")


async def test_a_second_signal_leaves_at_once_and_nothing_is_lost(tmp_path: Path) -> None:
    async with opened(tmp_path) as (daemon, rig):
        rig.set(tokens_s=0.5)
        asked = asyncio.create_task(by_http(daemon, QUESTION, key="first"))
        await writing(rig)
        tell(daemon, signal.SIGTERM)
        async with asyncio.timeout(10):
            while b"leaving" not in daemon.log.read_bytes():
                await asyncio.sleep(0.02)
        begun = time.monotonic()
        tell(daemon, signal.SIGINT)
        assert await daemon.died() == 1
        assert time.monotonic() - begun < 2
        await asyncio.gather(asked, return_exceptions=True)
        rig.set(tokens_s=0.0)
        await daemon.start()
        assert (await by_http(daemon, QUESTION, key="first")).text == ANSWER


async def test_past_its_grace_an_answer_is_broken_off_and_begun_again_later(tmp_path: Path) -> None:
    async with opened(tmp_path, "[daemon]\ngrace_s = 0.5\n") as (daemon, rig):
        rig.set(tokens_s=0.5)
        asked = asyncio.create_task(by_stream(daemon, QUESTION, key="first"))
        await writing(rig)
        begun = time.monotonic()
        assert await daemon.stop() == 0
        assert time.monotonic() - begun < 10
        assert (await asked).error == "stopping"
        rig.set(tokens_s=0.0)
        await daemon.start()
        assert (await by_http(daemon, QUESTION, key="first")).text == ANSWER


async def test_killed_it_leaves_no_child_and_no_lock(tmp_path: Path) -> None:
    async with opened(tmp_path) as (daemon, _):
        assert daemon.process is not None
        left = descendants(daemon.process.pid)
        assert left
        await daemon.kill()
        async with asyncio.timeout(5):
            while any(is_alive(pid) for pid in left):
                await asyncio.sleep(0.05)
        await daemon.start()
        assert (await by_http(daemon, QUESTION)).text == ANSWER


async def test_children_that_are_killed_come_back(tmp_path: Path) -> None:
    async with opened(tmp_path) as (daemon, _):
        assert daemon.process is not None
        for pid in descendants(daemon.process.pid):
            os.kill(pid, signal.SIGKILL)
        told: list[Said] = await asyncio.gather(*(door(daemon, QUESTION, conversation=fresh()) for door in DOORS.values()))
        (daemon.folder.parent / "documents" / "cat.md").write_text("# Cat\n\nThe cat Mistigri eats sardines.\n")
        async with asyncio.timeout(30):
            while (await by_http(daemon, "What does the cat Mistigri eat?", conversation="cat")).cited != ["cat.md"]:
                await asyncio.sleep(0.2)
        code, out, _ = await daemon.verb("db", "check")

    assert all(said.text.startswith(ANSWER) for said in told)
    assert code == 0, out


def stored(daemon: Daemon) -> int:
    with database(daemon) as connection:
        return int(connection.execute("SELECT count(*) FROM inbox").fetchone()[0])
