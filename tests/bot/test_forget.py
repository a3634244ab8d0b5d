"""/forget: a search of every byte of the state finds nothing of the person, and everything of the others."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from sqlalchemy import text

from adapters.types import Message, Reply, UnknownError
from bot.database.database import Database
from bot.forget import Forget, journal_path, person_digest, read_journal
from bot.live import NewTurn, Outcome, Received, Step, Words
from bot.people.people import Person
from bot.settings.fields import PersonConfig
from tests.bot.doorstep import message as said_by
from tests.bot.doorstep import opened, person_of
from tests.bot.house import House, PushDoor, Told, message, open_house

CANARIES = ("canariquestion", "canarianswer", "canarithread", "canarisender", "canarikey", "canarioption")
COMMON = "salamander"


def canary(n: int, platform: str = "http") -> Message:
    """A message that carries a word of its own in every field."""
    return Message(
        platform,
        "account",
        f"canarikey{n}",
        "chat",
        "canarisender",
        f"canariquestion {n} " + "long " * 300,
        private=True,
        thread="canarithread" if n % 2 else None,
        sender_name="canarisender",
        options={"note": "canarioption"},
    )


async def answer(received: Received) -> AsyncGenerator[Step | Words | Outcome]:
    words = received.message.text
    said = f"canarianswer {words}" if "canari" in words else f"{COMMON} {words}"
    yield Outcome(Reply(said), NewTurn(words, said, frozenset({1})))


def found_in(folder: Path, words: tuple[str, ...] = CANARIES) -> set[tuple[str, str]]:
    """Which words stand in which file, in any case, as UTF-8 or UTF-16."""
    found = set()
    for path in folder.rglob("*"):
        if path.is_file():
            data = path.read_bytes().lower()
            found |= {(path.name, word) for word in words if word.encode() in data or word.encode("utf-16-le") in data}
    return found


async def fill(house: House, count: int = 12) -> None:
    for n in range(count):
        await house.ask(canary(n))
        await house.ask(message(f"b{n}", f"{COMMON} {n}"), "ben")
    await house.database.write(
        lambda connection: connection.execute(
            text("INSERT INTO identities SELECT 'telegram', 'canarisender', id, 0, 'approved' FROM people WHERE name = 'anna'")
        )
    )


async def test_no_byte_of_the_person_is_left(tmp_path: Path) -> None:
    async with open_house(tmp_path, Told(answer)) as house:
        await fill(house)
        assert {word for _, word in found_in(tmp_path)} == set(CANARIES)
        await Forget(house.database, tmp_path).person(house.person("anna").id)
        assert found_in(tmp_path) == set()
        others = await house.database.read(lambda connection: connection.execute(text("SELECT count(*) FROM turns")).scalar())
        assert others == 12
    assert found_in(tmp_path) == set()
    assert found_in(tmp_path, (COMMON,)) == {("grillon.db", COMMON)}


async def test_more_than_one_slice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.forget._SLICE", 3)
    async with open_house(tmp_path, Told(answer)) as house:
        await fill(house, 10)
        await Forget(house.database, tmp_path).person(house.person("anna").id)
        assert found_in(tmp_path) == set()


async def test_while_another_reader_holds_an_older_state(tmp_path: Path) -> None:
    async with open_house(tmp_path, Told(answer)) as house:
        await fill(house)
        reader = sqlite3.connect(tmp_path / "grillon.db", isolation_level=None, check_same_thread=False)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM turns").fetchone()
        forgetting = asyncio.create_task(Forget(house.database, tmp_path).person(house.person("anna").id))
        async with asyncio.timeout(5):
            while (
                await house.database.read(lambda connection: connection.execute(text("SELECT count(*) FROM turns")).scalar())
                != 12
            ):
                await asyncio.sleep(0.01)
        assert not forgetting.done()
        reader.close()
        await forgetting
        assert found_in(tmp_path) == set()


async def test_a_handled_message_is_not_answered_again(tmp_path: Path) -> None:
    async with open_house(tmp_path, Told(answer)) as house:
        await fill(house, 2)
        await Forget(house.database, tmp_path).person(house.person("anna").id)
        assert await house.dispatcher.receive(canary(0), house.person("anna")) == 0
        assert await house.dispatcher.receive(canary(1), house.person("ben")) == 0
        assert (await house.reply(0)).error == "forgotten"
        assert (await house.ask(canary(2))).error is None


async def test_asked_for_by_a_message_of_the_line(tmp_path: Path) -> None:
    """The reply arrives, then the message that asked for it goes too; what came after it stays."""
    door = PushDoor()
    forget: list[Forget] = []

    async def answer_or_forget(received: Received) -> AsyncGenerator[Step | Words | Outcome]:
        if received.message.text.startswith("/forget"):
            await forget[0].person(received.person.id, but=received.id)
            yield Outcome(Reply("erased"), None)
            return
        async for event in answer(received):
            yield event

    async with open_house(tmp_path, Told(answer_or_forget), doors={"telegram": door}) as house:
        forget.append(Forget(house.database, tmp_path))
        anna = house.person("anna")
        for n in range(4):
            await house.ask(canary(n, "telegram"))
        asking = Message(
            "telegram",
            "account",
            "canarikey-f",
            "chat",
            "canarisender",
            "/forget canariquestion",
            private=True,
            sender_name="canarisender",
        )
        asked = await house.dispatcher.receive(asking, anna)
        later = await house.dispatcher.receive(message("9", "what comes later", platform="telegram"), anna)
        assert (await house.reply(asked)).text == "erased"
        assert (await house.reply(later)).text == f"{COMMON} what comes later"
        await house.dispatcher.drain(5)
        assert [word for id_, word, _ in door.sent if id_ == "canarikey-f"] == ["erased"]
        assert found_in(tmp_path) == set()
        assert (await house.states()).keys() == {"9"}
        turns = await house.database.read(
            lambda connection: connection.execute(text("SELECT question FROM turns")).scalars().all()
        )
        assert turns == ["what comes later"]


async def test_erased_while_its_reply_may_or_may_not_have_arrived(tmp_path: Path) -> None:
    """There is nothing left that a notice could speak of; the lane goes on."""
    async with open_house(tmp_path, Told(answer), doors={"telegram": (door := PushDoor())}) as house:
        anna, erased = house.person("anna"), asyncio.Event()

        async def forgotten_meanwhile() -> None:
            door.sending = None
            await Forget(house.database, tmp_path).person(anna.id)
            erased.set()
            raise UnknownError("timeout")

        door.sending = forgotten_meanwhile
        await house.ask(message("0", "canariquestion", platform="telegram"))
        async with asyncio.timeout(2):
            await erased.wait()
            assert (await house.ask(message("1", "later", platform="telegram"))).error is None
        await house.dispatcher.drain(5)
        assert [word for _, word, _ in door.sent] == ["canariquestion", COMMON, "later"]
        assert found_in(tmp_path) == set()


async def test_a_declared_person_comes_back_as_a_new_one(tmp_path: Path) -> None:
    async with open_house(tmp_path, Told(answer)) as house:
        await fill(house, 2)
        anna = house.person("anna")
        keys = await house.database.read(lambda connection: connection.execute(text("SELECT key FROM people")).scalars().all())
        await Forget(house.database, tmp_path).person(anna.id)
        after = await house.database.read(lambda connection: connection.execute(text("SELECT key FROM people")).scalars().all())
        assert len(set(keys) - set(after)) == 1
        assert len(read_journal(journal_path(tmp_path))) == 1
        assert not any(key in journal_path(tmp_path).read_text() for key in keys)
        assert journal_path(tmp_path).stat().st_mode & 0o777 == 0o600
        assert (await house.ask(message("new"))).error is None
        assert await person_of(house.people, "telegram", "canarisender") is None


_KILLED = """
import asyncio, os, pathlib, signal, sys
from bot import forget
from bot.database.database import Database

async def main():
    database = await Database.open(pathlib.Path(sys.argv[1]))
    step, whole = 0, database.write
    async def write(work):
        nonlocal step
        step += 1
        if step > int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)
        return await whole(work)
    database.write = write
    person = await database.read(lambda c: c.exec_driver_sql("SELECT id FROM people WHERE name = 'anna'").scalar_one())
    forget._SLICE = 5
    await forget.Forget(database, database.path.parent).person(person)

asyncio.run(main())
"""


@pytest.mark.parametrize("after", [1, 2, 4, 7])
async def test_killed_in_the_middle_it_is_finished_at_the_next_start(tmp_path: Path, after: int) -> None:
    async with open_house(tmp_path, Told(answer)) as house:
        await fill(house)
    killed = subprocess.run(
        [sys.executable, "-c", _KILLED, str(tmp_path / "grillon.db"), str(after)], env=os.environ, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    database = await Database.open(tmp_path / "grillon.db")
    await Forget(database, tmp_path).resume()
    assert found_in(tmp_path) == set()
    assert len(read_journal(journal_path(tmp_path))) == 1
    assert await database.read(lambda connection: connection.execute(text("SELECT count(*) FROM turns")).scalar()) == 12
    assert await database.read(
        lambda connection: connection.execute(text("SELECT key FROM meta ORDER BY key")).scalars().all()
    ) == [
        "buttons",
        "salt",
    ]
    await database.close()


async def test_two_that_became_one_are_forgotten_as_both(tmp_path: Path) -> None:
    """A message that waited meanwhile still says who it is from; a backup of before holds the one that is gone."""
    async with opened(tmp_path) as door:
        here, there = await door.paired("9"), await door.paired("11")
        keys = await door.rows("SELECT key FROM people WHERE name IS NULL")
        for person in (here, there):
            await door.stored(person, "canariquestion")
        asking = await door.stored(there, "/forget")
        await door.codes.redeem(await door.codes.link(said_by("9"), here), said_by("11"), there)
        await door.codes.link(said_by("9"), here)
        await Forget(door.database, tmp_path).person(there.id, but=asking.id)
        assert await door.rows("SELECT text FROM (SELECT json_extract(message, '$.text') AS text FROM inbox)") == [("/forget",)]
        assert set(read_journal(journal_path(tmp_path))) >= {person_digest(key) for (key,) in keys}
        assert await door.rows("SELECT count(*) FROM codes") == [(0,)]
        assert await door.owner_of("9") is None
        assert await door.owner_of("11") is None


async def test_what_the_settings_say_and_who_is_blocked_are_not_forgotten(tmp_path: Path) -> None:
    async with opened(tmp_path, [PersonConfig(name="anna", owner=True, identities=["telegram:1"])], allow_users=["5"]) as door:
        anna, guest = await door.person("1"), await door.person("5")
        await door.people.link("discord", "1", anna)
        await door.people.set_language(anna, "fr")
        forget = Forget(door.database, tmp_path)
        await forget.person(anna.id)
        assert await door.person("1") == Person(anna.id, "anna", owner=True)
        assert await door.owner_of("1", "discord") is None
        await door.people.block("telegram:5")
        await forget.person(guest.id)
        assert await door.says("5") is None
