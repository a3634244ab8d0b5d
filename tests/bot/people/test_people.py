"""People: the settings rule, a stranger is nobody, and a shared chat reads nothing of any one person's."""

from __future__ import annotations

import os
import pwd
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from adapters.types import Message, Reply
from bot.database.database import Database
from bot.errors import CannotError, SettingsError
from bot.inbox_rows import Pending
from bot.live import NewTurn
from bot.memory import Memory
from bot.people.identities import Identity
from bot.people.people import People, Person
from bot.settings.fields import PersonConfig
from bot.tokens import Tokens
from tests.bot.doorstep import message as said_by
from tests.bot.doorstep import opened, person_of

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
    assert await person_of(people, "telegram", "7") == ben
    await people.declare([ANNA])
    assert await person_of(people, "telegram", "7") is None
    await people.declare([ANNA, BEN])
    assert await person_of(people, "telegram", "7") == ben


async def test_a_stranger_is_nobody(database: Database) -> None:
    people = People(database)
    await people.declare([ANNA])
    await people.link("telegram", "7", people.owner)
    assert await person_of(people, "discord", "7") is None
    assert await person_of(people, "telegram", "8") is None


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


async def test_roles_read_in_private_and_on_discord_alone(database: Database) -> None:
    people = People(database)
    await people.declare([ANNA, BEN])
    ben = people.named("ben")
    assert ben is not None
    given: dict[str, Any] = {"roles": ("77", "78")}
    mine = {"everyone", f"person:{ben.id}"}
    assert people.audience(ben, said_by("7", platform="discord", **given)) == mine | {"discord-role:77", "discord-role:78"}
    assert people.audience(ben, said_by("7", platform="telegram", **given)) == mine
    shared = said_by("7", platform="discord", private=False, chat="5", **given)
    assert people.audience(ben, shared) == {"everyone", "chat:discord:5"}


async def test_identities_of_the_settings(tmp_path: Path) -> None:
    async with opened(tmp_path, [ANNA, PersonConfig(name="ben", identities=["telegram:8", "discord:80"])]) as door:
        ben = door.named("ben")
        assert await door.person("8") == await door.person("80", platform="discord") == ben
        await door.people.declare([ANNA, PersonConfig(name="ben", identities=["telegram:8"])])
        assert await door.owner_of("80", "discord") is None
        await door.people.declare([ANNA, PersonConfig(name="carl", identities=["telegram:8"]), BEN])
        assert (await door.person("8")).name == "carl"


async def test_a_guest_whom_the_settings_name_later_keeps_the_memory(tmp_path: Path) -> None:
    async with opened(tmp_path) as door:
        guest = await door.paired("8")
        await door.stored(guest, "before", user="8")
        await door.people.declare([ANNA, PersonConfig(name="ben", identities=["telegram:8"])])
        ben = await door.person("8")
        assert ben == door.named("ben")
        assert await door.rows("SELECT person_id FROM inbox") == [(ben.id,)]
        assert await door.rows("SELECT person_id FROM conversations") == [(ben.id,)]


async def test_who_was_blocked_stays_so_without_the_name(tmp_path: Path) -> None:
    async with opened(tmp_path, [ANNA, PersonConfig(name="ben", identities=["telegram:8"])], allow_users=["8"]) as door:
        await door.people.block("ben")
        for declared in ([ANNA, BEN], [ANNA]):
            await door.people.declare(declared)
            assert await door.says("8") is None


async def test_blocked_on_every_door(tmp_path: Path) -> None:
    declared = [ANNA, PersonConfig(name="ben", unix_user="nobody")]
    async with opened(tmp_path, declared) as door:
        tokens = Tokens(door.database)
        door.people.watch(tokens.load)
        secret, nobody = await tokens.create("bens", door.named("ben")), pwd.getpwnam("nobody").pw_uid
        await door.people.block("ben")
        assert await tokens.person(secret) is None
        assert await door.people.of_unix(nobody) is None
        await door.people.unblock("ben")
        assert await tokens.person(secret) == await door.people.of_unix(nobody) == door.named("ben")


async def test_what_is_chosen_holds_on_every_door(tmp_path: Path) -> None:
    async with opened(tmp_path, [ANNA, PersonConfig(name="ben", unix_user="nobody")]) as door:
        tokens = Tokens(door.database)
        door.people.watch(tokens.load)
        secret = await tokens.create("bens", door.named("ben"))
        await door.people.set_private(door.named("ben"), private=True)
        await door.people.set_language(door.named("ben"), "fr")
        for person in (await tokens.person(secret), door.named("ben"), await door.people.find("ben")):
            assert person == Person(door.named("ben").id, "ben", owner=False, language="fr", private=True)


async def test_what_waits_behind_the_command_is_private_too(tmp_path: Path) -> None:
    async with opened(tmp_path) as door:
        anna, ben = door.named("anna"), door.named("ben")
        before, waiting, others = [await door.stored(who, "words") for who in (ben, ben, anna)]

        async def answered(pending: Pending) -> None:
            await door.inbox.lease(pending.id)
            await door.inbox.close(pending.id, "answered", Reply("ok"), (), NewTurn("words", "ok"))

        await answered(before)
        await door.people.set_private(ben, private=True)
        await answered(waiting)
        await answered(others)
        assert await door.rows("SELECT id FROM inbox ORDER BY id") == [(before.id,), (others.id,)]
        assert await door.rows("SELECT inbox_id FROM turns") == [(before.id,), (others.id,)]
        late = await door.stored(ben, "words")
        await door.people.set_private(ben, private=False)
        await answered(late)
        assert await door.rows("SELECT count(*) FROM turns") == [(2,)], "it was said in private"


async def test_found_by_name_account_or_number(tmp_path: Path) -> None:
    async with opened(tmp_path, [ANNA, BEN, PersonConfig(name="3")]) as door:
        guest = await door.paired("9")
        for who in ("telegram:9", str(guest.id), f"#{guest.id}", f" {guest.id} "):
            assert await door.people.find(who) == guest
        assert await door.people.find("3") == door.named("3")
        for who in ("", "nobody", "telegram:99", "#", "99", "-1", "1.0", "²", "9" * 400, "discord:9", "' OR 1=1"):
            with pytest.raises(CannotError):
                await door.people.find(who)


async def test_the_owner_is_not_blocked_and_a_stranger_may_be(tmp_path: Path) -> None:
    async with opened(tmp_path, []) as door:
        for who in (str(door.people.owner.id),):
            with pytest.raises(CannotError):
                await door.people.block(who)
        await door.people.block("telegram:9")
        assert await door.says("9") is None
        await door.people.unblock("telegram:9")
        assert not isinstance(await door.says("9"), Person)  # it was not let in before either
    async with opened(tmp_path) as door:
        with pytest.raises(CannotError):
            await door.people.block("anna")


async def test_the_list(tmp_path: Path) -> None:
    async with opened(tmp_path, [ANNA, PersonConfig(name="ben", identities=["telegram:8"])], allow_users=["5"]) as door:
        inside, guest = await door.person("5"), await door.paired("9")
        await door.people.block("#" + str(guest.id))
        listed = {one.id: (one.name, one.blocked, one.identities, one.ways) for one in await door.people.list()}
        assert listed == {
            door.named("anna").id: ("anna", False, (), ()),
            door.named("ben").id: ("ben", False, (Identity("telegram", "8"),), ("settings",)),
            inside.id: (None, False, (Identity("telegram", "5"),), ("allowed",)),
            guest.id: (None, True, (Identity("telegram", "9"),), ("approved",)),
        }


async def test_a_chat_that_moves_takes_its_conversations_along(tmp_path: Path) -> None:
    async with opened(tmp_path) as door:
        guest, other = await door.paired("9"), await door.paired("11")
        chats = (("-5", None), ("-5", "3"), ("-50", None), ("-1005", None))
        for person, (chat, thread) in [*((guest, one) for one in chats), (other, chats[0])]:
            await door.stored(person, "hello", private=False, chat=chat, thread=thread)
        for _ in range(2):  # it may be said again
            await door.people.moved("telegram", "-5", "-1005")
            counted = "SELECT person_id, space, (SELECT count(*) FROM inbox WHERE conversation_id = c.id) FROM conversations c"
            assert sorted(await door.rows(counted)) == [
                (guest.id, "telegram:-1005", 2),
                (guest.id, "telegram:-1005:3", 1),
                (guest.id, "telegram:-50", 1),
                (other.id, "telegram:-1005", 1),
            ]
        again = People(door.database)
        await again.declare([ANNA, BEN])
        there = said_by("9", private=False, chat="-1005")
        assert again.audience(guest, there) == {"everyone", "chat:telegram:-1005", "chat:telegram:-5"}
        elsewhere = said_by("9", private=False, chat="-1005", platform="discord")
        assert again.audience(guest, elsewhere) == {"everyone", "chat:discord:-1005"}


async def test_chats_that_move_in_a_circle(tmp_path: Path) -> None:
    async with opened(tmp_path) as door:
        for chat, to in (("1", "2"), ("2", "3"), ("3", "1"), ("3", "3")):
            await door.people.moved("telegram", chat, to)
        assert door.people.chats.names("telegram", "1") == {"1", "2", "3"}


async def test_what_was_reset_stays_out_of_prompts_when_two_become_one(tmp_path: Path) -> None:
    async with opened(tmp_path) as door:
        here, there = await door.paired("9"), await door.paired("11")
        memory = Memory(door.database)
        for person, text in ((here, "here"), (there, "secret"), (here, "later")):
            pending = await door.stored(person, text)
            await door.inbox.close(pending.id, "answered", Reply(text), [], NewTurn(text, text))
            if person == there:
                await memory.reset(there.id, pending.conversation_id)
        redeemed = await door.codes.redeem(await door.codes.link(said_by("9"), here), said_by("11"), there)
        conversation = (await door.stored(redeemed.person, "now")).conversation_id

        turns = await memory.turns(here.id, conversation, budget_tokens=100, count=len, readable=lambda _, documents: documents)
        assert [turn.question for turn in turns] == ["later"]
