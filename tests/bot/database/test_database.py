"""The database: pragmas on the live connections, errors of one job apart from the others, a full disk, a newer file."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError, OperationalError

from bot.database.database import Database
from bot.errors import DatabaseError


def put(key: str, value: str = "") -> Any:
    """Work that writes one row."""
    return lambda connection: connection.execute(text("INSERT INTO meta VALUES (:k, :v)"), {"k": key, "v": value}).rowcount


def count(connection: Connection) -> int:
    return int(connection.execute(text("SELECT count(*) FROM meta WHERE key LIKE 'k%'")).scalar_one())


def pragma(name: str) -> Any:
    return lambda connection: connection.exec_driver_sql(f"PRAGMA {name}").scalar()


async def test_the_live_connections_have_their_pragmas(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "grillon.db")
    expected = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1, "busy_timeout": 5000}
    assert {name: await database.write(pragma(name)) for name in expected} == expected
    assert await database.read(pragma("query_only")) == 1
    assert await database.empty_log(4)
    assert await database.write(pragma("busy_timeout")) == 5000
    await database.close()


async def test_files_are_private(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "grillon.db")
    await database.write(put("k"))
    assert {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {
        "grillon.db": 0o600,
        "grillon.db-wal": 0o600,
        "grillon.db-shm": 0o600,
    }
    await database.close()
    assert [path.name for path in tmp_path.iterdir()] == ["grillon.db"]


async def test_a_reader_cannot_write(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "grillon.db")
    with pytest.raises((OperationalError, DatabaseError)):
        await database.read(put("k"))
    await database.close()


async def test_an_error_quotes_no_word_that_was_to_be_written(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "grillon.db")
    await database.write(put("k", "pomegranate"))
    with pytest.raises(IntegrityError) as caught:
        await database.write(put("k", "pomegranate"))
    assert "pomegranate" not in str(caught.value)
    await database.close()


async def test_work_runs_in_threads_of_its_own(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "grillon.db")
    names = {
        await database.read(lambda _: threading.current_thread().name),
        await database.write(lambda _: threading.current_thread().name),
    }
    assert threading.current_thread().name not in names
    assert len(names) == 2
    await database.close()


async def test_an_error_undoes_the_work_of_its_own_job_alone(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "grillon.db")
    gate = threading.Event()

    def fails(connection: Connection) -> None:
        connection.execute(text("INSERT INTO meta VALUES ('k-undone', '')"))
        raise ValueError("no")

    def double(connection: Connection) -> None:
        connection.execute(text("INSERT INTO meta VALUES ('k1', '')"))

    first = asyncio.ensure_future(database.write(lambda _: gate.wait()))
    others = [database.write(work) for work in (put("k1"), fails, double, put("k2"))]
    tasks = [asyncio.ensure_future(other) for other in others]
    await asyncio.sleep(0)
    gate.set()
    results = await asyncio.gather(first, *tasks, return_exceptions=True)
    assert [type(result) for result in results] == [bool, int, ValueError, IntegrityError, int]
    assert await database.read(count) == 2
    await database.close()


async def test_a_single_failing_write_leaves_nothing(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "grillon.db")

    def fails(connection: Connection) -> None:
        connection.execute(text("INSERT INTO meta VALUES ('k-undone', '')"))
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await database.write(fails)
    assert await database.read(count) == 0
    await database.close()


async def test_a_cancelled_caller_leaves_its_write_to_be_carried_out(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "grillon.db")
    gate = threading.Event()
    first = asyncio.ensure_future(database.write(lambda _: gate.wait()))
    second = asyncio.ensure_future(database.write(put("k")))
    await asyncio.sleep(0)
    second.cancel()
    gate.set()
    await first
    assert await database.read(count) == await database.write(count) == 1
    await database.close()


async def test_closing_carries_out_what_is_queued_and_takes_no_more(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "grillon.db")
    writes = [asyncio.ensure_future(database.write(put(f"k{n}"))) for n in range(50)]
    await asyncio.sleep(0)
    await database.close()
    assert sum(await asyncio.gather(*writes)) == 50
    with pytest.raises(DatabaseError, match="stopping"):
        await database.read(count)


async def test_a_read_sees_one_snapshot(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "grillon.db")
    inside, written = threading.Event(), threading.Event()

    def twice(connection: Connection) -> tuple[int, int]:
        before = count(connection)
        inside.set()
        written.wait(10)
        return before, count(connection)

    reading = asyncio.ensure_future(database.read(twice))
    await asyncio.to_thread(inside.wait, 10)
    await database.write(put("k"))
    written.set()
    assert await reading == (0, 0)
    await database.close()


async def test_a_full_disk_is_an_honest_sentence_and_passes(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "grillon.db")
    pages = int(await database.write(pragma("page_count")))
    await database.write(pragma(f"max_page_count = {pages + 3}"))
    await database.write(put("k", "x" * 2000))
    with pytest.raises(DatabaseError, match=r"The disk is full: .*grillon\.db could not be written"):
        await database.write(put("k-large", "x" * 200_000))
    assert await database.read(count) == 1
    await database.write(pragma("max_page_count = 1000000"))
    await database.write(put("k-again", "x" * 20000))
    assert await database.write(pragma("integrity_check")) == "ok"
    await database.close()


async def test_a_full_disk_fails_every_write_whose_work_is_lost(tmp_path: Path) -> None:
    """Several writes share a transaction: one that was told "stored" is stored, whichever of them met the full disk."""
    database = await Database.open(tmp_path / "grillon.db")
    pages = int(await database.write(pragma("page_count")))
    await database.write(pragma(f"max_page_count = {pages + 4}"))
    writes = [database.write(put(f"k{n}", "x" * (3000 if n % 3 else 10))) for n in range(60)]
    results = await asyncio.gather(*writes, return_exceptions=True)
    stored = await database.read(lambda c: {row[0] for row in c.execute(text("SELECT key FROM meta WHERE key LIKE 'k%'"))})
    assert stored == {f"k{n}" for n, result in enumerate(results) if result == 1}
    assert DatabaseError in {type(result) for result in results}
    await database.close()


async def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "grillon.db").write_bytes(b"not a database, but longer than a header of one hundred bytes " * 5)
    with pytest.raises(DatabaseError, match="is not a database"):
        await Database.open(tmp_path / "grillon.db")


async def test_a_damaged_file(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "grillon.db")
    await database.close()
    path = tmp_path / "grillon.db"
    data = path.read_bytes()
    path.write_bytes(data[:4096] + b"\xff" * (len(data) - 4096))
    with pytest.raises(DatabaseError, match="damaged"):
        await Database.open(path)


_FILL = """
    import asyncio, pathlib, resource, signal, sys
    from sqlalchemy import text
    from bot.database.database import Database
    from bot.errors import DatabaseError

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]

    async def fill(path, limit):
        database = await Database.open(path)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        stored, refused = [], 0
        for n in range(60):
            try:
                row = {"k": f"k{n}", "v": "x" * (37 * n)}
                await database.write(lambda c: c.execute(text("INSERT INTO meta VALUES (:k, :v)"), row).rowcount)
                stored.append(row["k"])
            except DatabaseError:
                refused += 1
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        assert refused, "the limit was never met"
        await database.write(lambda c: c.execute(text("INSERT INTO meta VALUES ('k-again', '')")))
        await database.close()
        database = await Database.open(path)
        found = await database.read(lambda c: [r[0] for r in c.execute(text("SELECT key FROM meta WHERE key LIKE 'k%'"))])
        sound = await database.write(lambda c: c.exec_driver_sql("PRAGMA integrity_check").scalar())
        await database.close()
        assert sound == "ok", sound
        assert set(found) == {*stored, "k-again"}, (stored, found)

    folder = pathlib.Path(sys.argv[1])
    for n in range(25):
        asyncio.run(fill(folder / f"{n}.db", 4200 * (n + 1)))
    print("done")
"""


def test_no_room_for_the_nth_write(tmp_path: Path) -> None:
    """The log may not grow beyond a limit: the n-th write fails in the middle of a commit, for many n."""
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(_FILL), str(tmp_path)], capture_output=True, text=True, timeout=100, check=False
    )
    assert (result.stdout, result.returncode) == ("done\n", 0), result.stderr


async def test_a_read_sees_what_was_committed_before_it_was_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.database.database.READERS", 1)
    monkeypatch.setattr("bot.database.database._SHARED_S", 10.0)
    database = await Database.open(tmp_path / "grillon.db")
    first, begun, go = threading.Event(), threading.Event(), threading.Event()

    def slow(connection: Connection) -> int:
        found = count(connection)  # the snapshot is taken
        begun.set()
        go.wait(5)
        return found

    held = asyncio.ensure_future(database.read(lambda _: first.wait(5)))
    shared = [asyncio.ensure_future(database.read(work)) for work in (slow, count)]
    await asyncio.sleep(0.05)
    first.set()
    await asyncio.to_thread(begun.wait, 5)
    await database.write(put("k"))
    later = asyncio.ensure_future(database.read(count))
    await asyncio.sleep(0.05)
    go.set()
    assert (await held, *await asyncio.gather(*shared), await later) == (True, 0, 0, 1)
    await database.close()
