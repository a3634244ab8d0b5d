"""Erased words leave the write-ahead log, however long a reader needs it and whatever fails meanwhile."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from bot.database import emptying
from bot.database.database import Database
from bot.database.emptying import Emptying
from bot.errors import DatabaseError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from sqlalchemy import Connection

CANARY = "heliotrope"


def put(connection: Connection) -> None:
    connection.execute(text("INSERT INTO meta (key, value) VALUES ('k', :value)"), {"value": CANARY})


def erase(connection: Connection) -> None:
    connection.execute(text("DELETE FROM meta WHERE key = 'k'"))


def reader(path: Path) -> sqlite3.Connection:
    """Someone who looks at the database as it is now."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN")
    connection.execute("SELECT * FROM meta").fetchall()
    return connection


def left(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if CANARY.encode() in path.read_bytes()]


async def test_the_log_is_emptied_behind_once_its_reader_is_done(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    database = await Database.open(tmp_path / "grillon.db")
    await database.write(put)
    other = reader(tmp_path / "grillon.db")
    await database.write(erase)
    assert not await database.empty_log(0.05)
    assert not await database.empty_log(0.05)
    assert left(tmp_path) == ["grillon.db-wal"]
    other.close()
    async with asyncio.timeout(20):
        while left(tmp_path):
            await asyncio.sleep(0.02)
    assert (tmp_path / "grillon.db-wal").stat().st_size == 0
    assert await database.empty_log(4)
    assert caplog.text == ""
    await database.close()


async def test_a_long_read_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emptying, "_WAITS_S", (0.01, 0.01))
    database = await Database.open(tmp_path / "grillon.db")
    other = reader(tmp_path / "grillon.db")
    await database.write(put)
    assert not await database.empty_log(1)
    assert caplog.messages == ["a long read keeps erased words in the write-ahead log until it ends"]
    other.close()
    assert await database.empty_log(4)
    await database.close()


async def test_the_daemon_can_stop_while_a_reader_keeps_the_log(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "grillon.db")
    other = reader(tmp_path / "grillon.db")
    await database.write(put)
    await database.write(erase)
    assert not await database.empty_log(0.05)
    async with asyncio.timeout(10):
        await database.close()
    other.close()
    again = await Database.open(tmp_path / "grillon.db")
    assert left(tmp_path) == []
    await again.close()


def acting(*acts: bool | Exception) -> tuple[Callable[[], Awaitable[bool]], list[bool | Exception]]:
    left_over = list(acts)

    async def truncate() -> bool:
        await asyncio.sleep(0.01)
        act = left_over.pop(0)
        if isinstance(act, Exception):
            raise act
        return act

    return truncate, left_over


async def test_a_try_that_was_on_its_way_does_not_count_for_what_is_erased_after_it() -> None:
    truncate, left_over = acting(True, True)
    log = Emptying(truncate)
    first = asyncio.create_task(log.empty(4))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert await log.empty(4)
    assert await first
    assert left_over == []


async def test_a_full_disk_is_said_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    truncate, _ = acting(DatabaseError("The disk is full."), True)
    assert await Emptying(truncate).empty(4)
    assert caplog.messages == ["the write-ahead log may hold erased words and could not be emptied: The disk is full."]


async def test_what_nobody_expected_is_raised_and_the_log_counts_as_full() -> None:
    truncate, _ = acting(ValueError("what"), True)
    log = Emptying(truncate)
    with pytest.raises(ValueError, match="what"):
        await log.empty(4)
    assert await log.empty(4)
