"""People: the settings rule, a stranger is nobody, and a shared chat reads nothing of any one person's."""

from __future__ import annotations

import os
import pwd
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.types import Message
from bot.database import Database
from bot.errors import SettingsError
from bot.people import People, Person
from bot.settings import PersonConfig

ANNA, BEN = PersonConfig(name="anna", owner=True), PersonConfig(name="ben")


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await Database.open(tmp_path / "grillon.db")
    yield opened
    await opened.close()


def message(*, private: bool) -> Message:
    return Message("telegram", "bot", "1", "-100", "7", "hello", private)


async def test_declared_people_keep_their_ids(database: Database) -> None:
    people = People(database)
    await people.declare([ANNA, BEN])
    first = (people.named("anna"), people.named("ben"))
    again = People(database)
    await again.declare([BEN, ANNA])
    assert (again.named("anna"), again.named("ben")) == first
    assert first[0] == Person(first[0].id, "anna", owner=True) if first[0] else False
    assert again.owner == first[0]


async def test_without_a_declared_owner_there_is_one(database: Database) -> None:
    people = People(database)
    await people.declare([BEN])
    owner = people.owner
    assert owner == Person(owner.id, None, owner=True)
    await people.declare([BEN])
    assert people.owner == owner
    await people.declare([ANNA])
    assert people.owner.name == "anna"


async def test_who_is_not_declared_any_more_has_no_access(database: Database) -> None:
    people = People(database)
    await people.declare([ANNA, BEN])
    ben = people.named("ben")
    assert ben is not None
    await people.link("telegram", "7", ben)
    assert await people.of_identity("telegram", "7") == ben
    await people.declare([ANNA])
    assert await people.of_identity("telegram", "7") is None
    await people.declare([ANNA, BEN])
    assert await people.of_identity("telegram", "7") == ben


async def test_a_stranger_is_nobody(database: Database) -> None:
    people = People(database)
    await people.declare([ANNA])
    await people.link("telegram", "7", people.owner)
    assert await people.of_identity("discord", "7") is None
    assert await people.of_identity("telegram", "8") is None


async def test_an_account_of_this_machine(database: Database) -> None:
    people = People(database)
    mine, nobody = pwd.getpwuid(os.geteuid()).pw_name, pwd.getpwnam("nobody").pw_uid
    await people.declare([ANNA, PersonConfig(name="ben", unix_user="nobody")])
    assert await people.of_unix(nobody) == people.named("ben")
    assert await people.of_unix(os.geteuid()) == people.named("anna")
    assert await people.of_unix(0) == people.named("anna")
    assert await people.of_unix(54321) is None
    await people.declare([ANNA, PersonConfig(name="ben", unix_user=mine)])
    assert await people.of_unix(os.geteuid()) == people.named("ben")
    assert await people.of_unix(nobody) is None


async def test_the_audience(database: Database) -> None:
    people = People(database)
    await people.declare([ANNA, BEN])
    anna, ben = people.named("anna"), people.named("ben")
    assert anna is not None
    assert ben is not None
    assert people.audience(anna, message(private=True)) == {"everyone", "owner", f"person:{anna.id}"}
    assert people.audience(ben, message(private=True)) == {"everyone", f"person:{ben.id}"}
    assert people.audience(anna, message(private=False)) == {"everyone", "chat:telegram:-100"}


async def test_readers_of_a_collection(database: Database) -> None:
    people = People(database)
    await people.declare([ANNA, BEN])
    ben = people.named("ben")
    assert ben is not None
    given = ["everyone", "owner", "ben", "discord-role:77", "chat:telegram:-100"]
    assert people.resolve_readers(given) == {"everyone", "owner", f"person:{ben.id}", "discord-role:77", "chat:telegram:-100"}
    assert people.resolve_readers([]) == frozenset()
    for unknown in ("carl", "person:1", "chat:telegram", "discord-role:", "Everyone"):
        with pytest.raises(SettingsError, match=r"is not known.*anna, ben"):
            people.resolve_readers([unknown])


async def test_a_person_named_like_a_rule_is_that_person(database: Database) -> None:
    people = People(database)
    await people.declare([ANNA, PersonConfig(name="person:1"), PersonConfig(name="chat:telegram:-100")])
    named = people.named("chat:telegram:-100")
    assert named is not None
    assert people.resolve_readers(["chat:telegram:-100"]) == {f"person:{named.id}"}


async def test_owners_are_asked_for_only_once_declared(database: Database) -> None:
    with pytest.raises(RuntimeError):
        _ = People(database).owner
