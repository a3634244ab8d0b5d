"""Backups are sound and private; a restore answers nothing again, loses no id, and forgets who was forgotten."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from adapters.types import NotSentError
from bot.database.backup import back_up, backups, drop_older, verify
from bot.database.database import Database
from bot.database.restore import restore
from bot.errors import DatabaseError, NewerDatabaseError
from bot.forget import Forget
from bot.inbox import Inbox
from bot.people.people import People
from bot.settings.fields import LimitsConfig, PersonConfig
from tests.bot.house import Gated, PushDoor, Told, message, open_house
from tests.bot.test_forget import CANARIES, answer, canary, found_in


async def test_a_backup_made_under_load_is_whole_and_private(tmp_path: Path) -> None:
    async with open_house(tmp_path, slots=4, queue_person=1000) as house:
        asking = [asyncio.create_task(house.ask(message(str(n), thread=f"t{n % 4}"))) for n in range(100)]
        path = await asyncio.to_thread(back_up, tmp_path / "grillon.db", tmp_path / "backups")
        await asyncio.gather(*asking)
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700
        assert [file.name for file in path.parent.iterdir()] == [path.name]
        verify(path)
    connection = sqlite3.connect(path)
    inbox, turns = (connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("inbox", "turns"))
    connection.close()
    assert 0 <= turns <= inbox <= 100


async def test_the_oldest_make_room(tmp_path: Path) -> None:
    await (await Database.open(tmp_path / "grillon.db")).close()
    other = back_up(tmp_path / "grillon.db", tmp_path / "backups", label="migration")
    made = [back_up(tmp_path / "grillon.db", tmp_path / "backups", keep=2) for _ in range(4)]
    assert backups(tmp_path / "backups") == [made[3], made[2]]
    assert other.exists()


async def test_the_one_just_made_stays_after_the_clock_was_set_back(tmp_path: Path) -> None:
    await (await Database.open(tmp_path / "grillon.db")).close()
    folder = tmp_path / "backups"
    folder.mkdir()
    later = [folder / f"grillon-2999010{n}-000000-000000.db" for n in (1, 2)]
    for path in later:
        path.touch()
    made = back_up(tmp_path / "grillon.db", folder, keep=2)
    assert backups(folder) == [later[1], made]


async def test_a_damaged_original_makes_no_backup(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        for n in range(30):
            await house.ask(message(str(n), "x" * 3000))
    path = tmp_path / "grillon.db"
    data = bytearray(path.read_bytes())
    for page in range(20, len(data) // 4096, 2):
        data[page * 4096 : page * 4096 + 64] = b"\xff" * 64
    path.write_bytes(data)
    with pytest.raises(DatabaseError):
        back_up(path, tmp_path / "backups")
    assert list((tmp_path / "backups").iterdir()) == []


def test_nothing_to_back_up(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError):
        back_up(tmp_path / "nothing.db", tmp_path / "backups")
    (tmp_path / "file").touch()
    with pytest.raises(DatabaseError, match="No backup was made"):
        back_up(tmp_path / "nothing.db", tmp_path / "file")


@pytest.mark.parametrize("point", ["backup.copied", "backup.verified"])
async def test_killed_during_a_backup(tmp_path: Path, point: str) -> None:
    await (await Database.open(tmp_path / "grillon.db")).close()
    code = (
        "import pathlib, sys; from bot.database.backup import back_up; "
        "p = pathlib.Path(sys.argv[1]); back_up(p, p.parent / 'backups')"
    )
    run = [sys.executable, "-c", code, str(tmp_path / "grillon.db")]
    killed = subprocess.run(run, env={**os.environ, "GRILLON_FAILPOINT": point}, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert backups(tmp_path / "backups") == []
    made = back_up(tmp_path / "grillon.db", tmp_path / "backups")
    assert list((tmp_path / "backups").iterdir()) == [made]


async def test_what_was_pending_expires_and_nothing_is_sent_again(tmp_path: Path) -> None:
    door, answerer = PushDoor(), Gated()
    async with open_house(tmp_path, answerer, doors={"telegram": door}, slots=2) as house:
        for id_, thread in (("done", "a"), ("pending", "b"), ("after", "c")):
            answerer.let("done")
            if id_ != "after":
                await house.dispatcher.receive(message(id_, platform="telegram", thread=thread), house.person("anna"))
        await house.ask(message("done", platform="telegram", thread="a"))
        await house.database.write(lambda connection: connection.execute(text("UPDATE outbox SET state = 'waiting'")))
        await house.database.write(
            lambda connection: connection.execute(text("UPDATE inbox SET state = 'answered' WHERE message_id = 'done'"))
        )
        backup = await asyncio.to_thread(back_up, tmp_path / "grillon.db", tmp_path / "backups")
        answerer.let("pending")
        answerer.let("after")
        late = await house.dispatcher.receive(message("after", platform="telegram", thread="c"), house.person("anna"))
        await house.reply(late)
        await house.dispatcher.drain(5)
    result = restore(backup, tmp_path)
    assert (result.expired, result.erased) == (1, 0)
    assert result.replaced is not None
    verify(result.replaced)

    door, answerer = PushDoor(), Gated()
    async with open_house(tmp_path, answerer, doors={"telegram": door}) as house:
        pending = await house.dispatcher.receive(message("pending", platform="telegram", thread="b"), house.person("anna"))
        assert (await house.reply(pending)).error == "expired"
        assert await house.dispatcher.receive(message("after", platform="telegram", thread="c"), house.person("anna")) == 0
        answerer.let("new")
        new = await house.dispatcher.receive(message("new", platform="telegram"), house.person("anna"))
        assert new > late
        await house.reply(new)
        await house.dispatcher.drain(5)
        assert {id_ for id_, _, _ in door.sent} == {"pending", "new"}
        assert answerer.started == ["new"]
        noted = await house.database.read(
            lambda connection: connection.execute(text("SELECT value FROM meta WHERE key = 'restored_at'")).scalar()
        )
        assert float(noted or 0) > 0


async def test_what_was_answered_and_erased_after_the_backup_is_not_answered_again(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        backup = await asyncio.to_thread(back_up, tmp_path / "grillon.db", tmp_path / "backups")
        await house.people.set_private(house.person("anna"), private=True)
        await house.ask(message("1"))
        assert await house.states() == {}
    restore(backup, tmp_path)
    async with open_house(tmp_path) as house:
        assert await house.dispatcher.receive(message("1"), house.person("anna")) == 0
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    async with open_house(elsewhere) as house:
        await house.people.set_private(house.person("anna"), private=True)
        await house.ask(message("1"))
    restore(backup, elsewhere)
    async with open_house(elsewhere) as house:
        count = text("SELECT count(*) FROM handled")
        assert await house.database.read(lambda connection: connection.execute(count).scalar()) == 0, "they are of another salt"


async def test_who_was_forgotten_stays_forgotten(tmp_path: Path) -> None:
    async with open_house(tmp_path, Told(answer)) as house:
        for n in range(3):
            await house.ask(canary(n))
            await house.ask(message(f"b{n}"), "ben")
        backup = await asyncio.to_thread(back_up, tmp_path / "grillon.db", tmp_path / "backups")
        await Forget(house.database, tmp_path).person(house.person("anna").id)
        second = await asyncio.to_thread(back_up, tmp_path / "grillon.db", tmp_path / "backups")
        await house.ask(message("new", "something new"))
        third = await asyncio.to_thread(back_up, tmp_path / "grillon.db", tmp_path / "backups")
    assert {word for _, word in found_in(tmp_path / "backups")} == set(CANARIES)
    for path, erased, turns in ((backup, 1, 3), (second, 0, 3), (third, 0, 4), (backup, 1, 3)):
        assert restore(path, tmp_path).erased == erased
        assert {name for name, _ in found_in(tmp_path)} <= {file.name for file in (tmp_path / "backups").iterdir()}
        async with open_house(tmp_path, Told(answer)) as house:
            await Forget(house.database, tmp_path).resume()
            assert (
                await house.database.read(lambda connection: connection.execute(text("SELECT count(*) FROM turns")).scalar())
                == turns
            )
            assert await house.dispatcher.receive(canary(0), house.person("anna")) == 0


async def test_without_the_journal_the_replaced_database_says_who_was_forgotten(tmp_path: Path) -> None:
    async with open_house(tmp_path, Told(answer)) as house:
        await house.ask(canary(0))
        backup = await asyncio.to_thread(back_up, tmp_path / "grillon.db", tmp_path / "backups")
        await Forget(house.database, tmp_path).person(house.person("anna").id)
    (tmp_path / "forgotten.json").unlink()
    assert restore(backup, tmp_path).erased == 1


async def test_a_damaged_database_is_replaced_and_kept(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await house.ask(message("1"))
        backup = await asyncio.to_thread(back_up, tmp_path / "grillon.db", tmp_path / "backups")
    (tmp_path / "grillon.db").write_bytes(b"garbage " * 1000)
    (tmp_path / "grillon.db-wal").write_bytes(b"more garbage")
    result = restore(backup, tmp_path)
    assert result.replaced is not None
    assert result.replaced.read_bytes() == b"garbage " * 1000
    async with open_house(tmp_path) as house:
        assert (await house.ask(message("1"))).text == "answer to question 1"
        assert (await house.ask(message("2"))).error is None


async def test_what_cannot_be_restored_leaves_everything_as_it_is(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await house.ask(message("1"))
        backup = await asyncio.to_thread(back_up, tmp_path / "grillon.db", tmp_path / "backups")
    before = (tmp_path / "grillon.db").read_bytes()
    (tmp_path / "text").write_text("hello")
    data = backup.read_bytes()
    (tmp_path / "torn").write_bytes(data[: len(data) // 2])
    sqlite3.connect(tmp_path / "other").execute("CREATE TABLE t (a)").connection.close()
    for bad in ("text", "torn", "other", "missing"):
        with pytest.raises(DatabaseError):
            restore(tmp_path / bad, tmp_path)
    newer = sqlite3.connect(backup)
    newer.execute("UPDATE alembic_version SET version_num = '9999'")
    newer.commit()
    newer.close()
    with pytest.raises(NewerDatabaseError):
        restore(backup, tmp_path)
    assert (tmp_path / "grillon.db").read_bytes() == before
    assert not [path.name for path in tmp_path.iterdir() if "restoring" in path.name]


async def test_restoring_into_an_empty_folder(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await house.ask(message("1"))
        backup = await asyncio.to_thread(back_up, tmp_path / "grillon.db", tmp_path / "backups")
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    assert restore(backup, folder).replaced is None
    async with open_house(folder) as house:
        assert (await house.ask(message("1"))).text == "answer to question 1"


async def test_pruning(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "grillon.db")
    people, inbox = People(database), Inbox(database, LimitsConfig(handled_days=30))
    await people.declare([PersonConfig(name="anna", owner=True)])

    async def counts() -> dict[str, int]:
        names = ("turns", "turn_documents", "inbox", "outbox", "handled", "conversations", "people")
        rows = await database.read(
            lambda connection: connection.exec_driver_sql(
                f"SELECT {', '.join(f'(SELECT count(*) FROM {name})' for name in names)}"
            ).one()
        )
        return dict(zip(names, rows, strict=True))

    await database.close()
    async with open_house(tmp_path, Told(answer), doors={"telegram": PushDoor()}) as house:
        for n in range(300):
            await house.ask(message(str(n), "short", platform="telegram", thread=f"t{n % 3}"))
        await house.dispatcher.drain(5)
    database = await Database.open(tmp_path / "grillon.db")
    inbox = Inbox(database, LimitsConfig(handled_days=30))
    full = await counts()
    assert await inbox.prune(365) == 0
    assert await counts() == full

    async def age(table: str, column: str, days: float, where: str = "1") -> None:
        statement = f"UPDATE {table} SET {column} = {column} - {days * 86400} WHERE {where}"
        await database.write(lambda connection: connection.exec_driver_sql(statement))

    await age("inbox", "finished_at", 31)
    await database.write(lambda connection: connection.exec_driver_sql("INSERT INTO handled VALUES (x'00', 1), (x'01', 3e9)"))
    assert await inbox.prune(365) == 301
    after = await counts()
    assert (after["turns"], after["inbox"], after["outbox"], after["handled"], after["conversations"]) == (300, 0, 0, 1, 3)
    await age("turns", "created_at", 366, "id <= 250")
    assert await inbox.prune(365) == 250
    await age("turns", "created_at", 366)
    await age("conversations", "created_at", 2)
    await database.write(
        lambda connection: connection.exec_driver_sql(
            "INSERT INTO people (key, owner, active, created_at) VALUES ('gone', 0, 0, 0), ('stranger', 0, 1, 0)"
        )
    )
    assert await inbox.prune(365) == 50 + 3 + 1
    assert (await counts())["people"] == full["people"] + 1
    await database.close()


async def test_what_can_never_be_sent_is_pruned_as_well(tmp_path: Path) -> None:
    """A platform was taken out of the settings while an answer waited for it."""

    async def offline() -> None:
        raise NotSentError("not connected", retry_after=100)

    async with open_house(tmp_path, doors={"telegram": PushDoor(sending=offline)}) as house:
        await house.ask(message("1", platform="telegram"))
    async with open_house(tmp_path) as house:
        removed = []
        for column in ("finished_at", "expires_at"):
            removed.append(await house.inbox.prune(365))
            older = text(f"UPDATE inbox SET {column} = {column} - 31 * 86400")
            await house.database.write(partial(Connection.execute, statement=older))
        assert [*removed, await house.inbox.prune(365)] == [0, 0, 1]
        left = "SELECT (SELECT count(*) FROM inbox), (SELECT count(*) FROM outbox)"
        assert await house.database.read(lambda connection: connection.exec_driver_sql(left).one()) == (0, 0)


def test_a_database_with_a_broken_page_is_said_to_be_damaged(tmp_path: Path) -> None:
    path = tmp_path / "broken.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE words (word TEXT)")
        connection.executemany("INSERT INTO words VALUES (?)", [("x" * 500,)] * 100)
    connection.close()
    data = bytearray(path.read_bytes())
    data[:100] = data[:16] + b"\xff" * 84
    path.write_bytes(data)
    with pytest.raises(DatabaseError, match="damaged"):
        verify(path)


def test_databases_put_aside_go_after_their_time_and_backups_do_not(tmp_path: Path) -> None:
    names = {f"grillon-20260101-000000-{n:06d}{label}.db": label for n, label in enumerate(("", "-replaced", "-migration"))}
    for name in names:
        (tmp_path / name).write_bytes(b"")
        os.utime(tmp_path / name, (0, 0))
    (tmp_path / "grillon-20260102-000000-000000-replaced.db").write_bytes(b"")
    assert drop_older(tmp_path, 3600) == 2
    assert {path.name for path in tmp_path.iterdir()} == {
        "grillon-20260101-000000-000000.db",
        "grillon-20260102-000000-000000-replaced.db",
    }
