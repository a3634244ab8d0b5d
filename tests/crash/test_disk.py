"""A disk that is full at the n-th write: an honest sentence, nothing corrupt, and on it goes when there is room.

The limit of a file's size stands for the disk: it can be set for a running process by whoever started it, and lifted again.
"""

from __future__ import annotations

import asyncio
import resource
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.e2e.doors import DOORS, Said, by_http, fresh
from tests.rigs.daemon import Daemon
from tests.rigs.ollama import Ollama

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUESTION = "What pressure should the boiler in the cellar have?"
FRAME = 4096 + 24
"""A page in the write-ahead log."""
FULL = {503, 507}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def daemon(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Daemon]:
    folder = tmp_path_factory.mktemp("disk")
    documents = folder / "documents"
    documents.mkdir()
    (documents / "heating.md").write_text("# Heating\n\nThe boiler stands in the cellar. Its pressure should be 1.5 bar.\n")
    people = '[[people]]\nname = "anna"\nowner = true\n[[people]]\nname = "ben"\n'
    async with (
        Ollama(slots=8, answer="{quote} [{n}] {nonce}") as rig,
        Daemon(folder / "daemon", rig.address, {"house": documents}, settings=people, model="slots = 8") as running,
    ):
        yield await running.start(indexed=True)


def limit(daemon: Daemon, size: int) -> None:
    """Let no file of the daemon and its children grow beyond `size` bytes; -1: as before."""
    assert daemon.process is not None
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for pid in (daemon.process.pid, *children(daemon.process.pid)):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard if size < 0 else size, hard))


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def ask(daemon: Daemon, keys: list[str]) -> dict[str, Said]:
    said = await asyncio.gather(*(by_http(daemon, QUESTION, key=key, conversation=key) for key in keys))
    return dict(zip(keys, said, strict=True))


async def answered(daemon: Daemon, keys: list[str]) -> dict[str, Said]:
    """What could not be written down is written down a moment after there is room, or is asked anew."""
    async with asyncio.timeout(20):
        while True:
            after = await ask(daemon, keys)
            if not any(said.error for said in after.values()):
                return after
            await asyncio.sleep(0.1)


async def test_full_at_the_nth_write(daemon: Daemon) -> None:
    refused, told = 0, 0
    for n in (0, 1, 3, 8, 24, 72, 216):
        keys = [fresh() for _ in range(4)]
        # Who is forgotten takes the write-ahead log along: it begins anew.
        await by_http(daemon, "/forget", token=await ben(daemon))
        limit(daemon, 32 + n * FRAME)
        during = await ask(daemon, keys)
        limit(daemon, -1)
        after = await answered(daemon, keys)

        for key, said in during.items():
            if said.error is None:
                assert said.text == after[key].text  # answered once
                told += 1
            else:
                assert said.status in FULL
                assert said.error == "database"
                assert said.text.startswith("The disk ")
                refused += 1
        sound(daemon, keys)
    assert refused >= 8
    assert told >= 1


async def test_every_door_says_so(daemon: Daemon) -> None:
    limit(daemon, 0)
    said = await asyncio.gather(*(door(daemon, QUESTION, conversation=fresh()) for door in DOORS.values()))
    limit(daemon, -1)

    assert all(one.error for one in said)
    assert all(one.text.startswith("The disk ") for one in said), said
    assert (await by_http(daemon, QUESTION, conversation=fresh())).error is None


async def test_documents_are_indexed_once_there_is_room(daemon: Daemon) -> None:
    documents = daemon.folder.parent / "documents"
    limit(daemon, 2 * FRAME)
    for number in range(3):
        (documents / f"page{number}.md").write_text(f"# Page\n\nThe tapestry hangs in the corridor {number}.\n" * 60)
    async with asyncio.timeout(20):
        while b"index collection=house error=" not in daemon.log.read_bytes():
            await asyncio.sleep(0.1)
    limit(daemon, -1)
    async with asyncio.timeout(60):
        while len((await by_http(daemon, "/search tapestry", conversation="disk")).body.get("consulted", [])) < 3:
            await asyncio.sleep(0.3)

    code, out, _ = await daemon.verb("db", "check")
    assert code == 0, out


async def ben(daemon: Daemon) -> str:
    return await daemon.create_token(fresh(), "--person", "ben")


def sound(daemon: Daemon, keys: list[str]) -> None:
    connection = sqlite3.connect(f"file:{daemon.state / 'grillon.db'}?mode=ro", uri=True)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        query = "SELECT space, count(*) FROM turns JOIN conversations ON conversations.id = conversation_id GROUP BY 1"
        counted = dict(connection.execute(query).fetchall())
    finally:
        connection.close()
    assert all(counted[f"private:{key}"] == 1 for key in keys)
