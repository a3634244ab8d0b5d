"""The inbox across deaths of the process: who is blamed, what is resumed, and in which order."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import pytest

from adapters.types import Part, Reply
from bot.database.database import Database
from bot.inbox import Inbox, space_of
from bot.live import NewTurn
from bot.outbox import Outgoing
from bot.people import conversations
from bot.people.people import People, Person
from bot.settings.fields import LimitsConfig, PersonConfig
from bot.stored import dump, load_message, load_reply
from tests.bot.house import Gated, PushDoor, message, open_house

LATER = 2e9


async def opened(folder: Path) -> tuple[Database, Inbox, Person]:
    database = await Database.open(folder / "grillon.db")
    people = People(database)
    await people.declare([PersonConfig(name="anna", owner=True)])
    return database, Inbox(database, LimitsConfig()), people.owner


async def test_one_message_is_stored_once(tmp_path: Path) -> None:
    database, inbox, anna = await opened(tmp_path)
    arrived = await asyncio.gather(*(inbox.receive(message("1"), anna, LATER) for _ in range(5)))
    assert len({one.id for one in arrived}) == 1
    assert sum(one.fresh for one in arrived) == 1
    other_account = await inbox.receive(message("1", platform="telegram"), anna, LATER)
    assert other_account.fresh
    assert await inbox.known(message("1"), anna) == arrived[0].id
    assert await inbox.known(message("7"), anna) is None
    await database.close()


async def test_of_a_private_person_nothing_is_kept_whatever_the_door_knows(tmp_path: Path) -> None:
    """A door that knew the person before they chose so hands in what is no longer true."""
    database, inbox, anna = await opened(tmp_path)
    people = People(database)
    await people.declare([PersonConfig(name="anna", owner=True)])
    await people.set_private(anna, private=True)
    assert not anna.private
    id_ = (await inbox.receive(message("1"), anna, LATER)).id
    await inbox.lease(id_)
    await inbox.close(id_, "answered", Reply("one"), (), NewTurn("q", "a"))
    left = "SELECT (SELECT count(*) FROM inbox), (SELECT count(*) FROM turns)"
    assert await database.read(lambda connection: connection.exec_driver_sql(left).one()) == (0, 0)
    await database.close()


async def test_a_person_names_so_many_conversations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was silent for longest makes room, with its turns; not what is being answered, nor what has no name."""
    monkeypatch.setattr(conversations, "NAMED", 3)
    database, inbox, anna = await opened(tmp_path)

    async def said(id_: str, thread: str | None, *, answered: bool = True) -> int:
        arrived = await inbox.receive(message(id_, thread=thread), anna, LATER)
        await inbox.lease(arrived.id)
        if answered:
            await inbox.close(arrived.id, "answered", Reply("one"), (), NewTurn(id_, "a"))
        return arrived.id

    await said("1", None)
    await said("2", "open", answered=False)
    await said("3", "tax")
    garden = await said("4", "garden")
    await said("5", "tax")
    await said("6", "new")
    left = "SELECT json_group_array(space) FROM conversations UNION ALL SELECT json_group_array(question) FROM turns"
    found = await database.read(lambda connection: [set(json.loads(one)) for one in connection.exec_driver_sql(left).scalars()])
    assert found == [{"private", "private:open", "private:tax", "private:new"}, {"1", "3", "5", "6"}]
    assert await inbox.reply(garden) == Reply("one")  # whoever asks for it again still gets it
    await database.close()


async def test_messages_and_replies_survive_storage() -> None:
    original = message("1", "é🦗\n", thread="t", private=False, collections=["a"], nested={"x": [1, None, 2.5]})
    assert load_message(dump(original)) == original
    reply = Reply("text", refused=True, timings={"retrieve": 0.01})
    assert load_reply(dump(reply)) == reply


@pytest.mark.parametrize(
    ("given", "space"),
    [
        (message("1"), "private"),
        (message("1", platform="telegram"), "private"),
        (message("1", thread="kitchen"), "private:kitchen"),
        (message("1", platform="telegram", private=False), "telegram:chat"),
        (message("1", platform="discord", private=False, thread="9"), "discord:chat:9"),
    ],
)
def test_the_space_of_a_conversation(given: object, space: str) -> None:
    assert space_of(given) == space  # type: ignore[arg-type]


async def test_private_chats_of_all_platforms_are_one_conversation(tmp_path: Path) -> None:
    database, inbox, anna = await opened(tmp_path)
    one, two = await inbox.receive(message("1"), anna, LATER), await inbox.receive(message("2", platform="telegram"), anna, LATER)
    shared = await inbox.receive(message("3", platform="telegram", private=False), anna, LATER)
    assert one.conversation_id == two.conversation_id != shared.conversation_id
    await database.close()


async def test_a_death_is_blamed_on_what_ran_alone(tmp_path: Path) -> None:
    database, inbox, anna = await opened(tmp_path)
    first = (await inbox.receive(message("1"), anna, LATER)).id
    second = (await inbox.receive(message("2"), anna, LATER)).id
    await inbox.lease(first)
    (left, other) = await inbox.recover()
    assert (left.id, left.attempts, left.alone) == (first, 1, True)
    assert (other.id, other.attempts, other.alone) == (second, 0, False)
    await database.close()


async def test_of_several_nobody_is_blamed_and_each_runs_alone_next(tmp_path: Path) -> None:
    database, inbox, anna = await opened(tmp_path)
    ids = [(await inbox.receive(message(str(n)), anna, LATER)).id for n in range(3)]
    for id_ in ids[:2]:
        await inbox.lease(id_)
    assert [(left.attempts, left.alone) for left in await inbox.recover()] == [(0, True), (0, True), (0, False)]
    await inbox.lease(ids[0])
    await inbox.fail(ids[0], 5.0)
    assert [(left.attempts, left.alone, left.due_at) for left in await inbox.recover()] == [
        (1, False, 5.0),
        (0, True, 0),
        (0, False, 0),
    ]
    await database.close()


async def test_an_interrupted_attempt_does_not_count(tmp_path: Path) -> None:
    database, inbox, anna = await opened(tmp_path)
    id_ = (await inbox.receive(message("1"), anna, LATER)).id
    await inbox.lease(id_)
    await inbox.give_back([id_])
    (left,) = await inbox.recover()
    assert (left.attempts, left.alone) == (0, False)
    await database.close()


async def test_an_answer_is_committed_once_with_all_that_belongs_to_it(tmp_path: Path) -> None:
    database, inbox, anna = await opened(tmp_path)
    id_ = (await inbox.receive(message("1"), anna, LATER)).id
    await inbox.lease(id_)
    parts = [Part({"n": 0}), Part({"n": 1})]
    turn = NewTurn("q", "a", frozenset({3, 5}))
    assert await inbox.close(id_, "answered", Reply("one"), parts, turn)
    assert not await inbox.close(id_, "answered", Reply("two"), parts, turn)
    assert await inbox.reply(id_) == Reply("one")
    assert [one.part for one in await inbox.outbox.parts(id_)] == parts
    (left,) = await inbox.recover()
    assert left.reply == Reply("one")
    await inbox.outbox.close(id_, 0, "sent", "p1")
    assert await inbox.outbox.parts(id_) == [Outgoing(1, parts[1])]
    await inbox.outbox.close(id_, 1, "unknown")
    assert await inbox.recover() == []
    counts = await database.read(
        lambda connection: connection.exec_driver_sql(
            "SELECT (SELECT count(*) FROM turns), (SELECT count(*) FROM turn_documents)"
        ).one()
    )
    assert counts == (1, 2)
    await database.close()


async def test_a_heartbeat_extends_leases_and_finds_what_was_erased(tmp_path: Path) -> None:
    database, inbox, anna = await opened(tmp_path)
    ids = [(await inbox.receive(message(str(n)), anna, LATER)).id for n in range(2)]
    await inbox.lease(ids[0])
    await database.write(lambda connection: connection.exec_driver_sql("UPDATE inbox SET lease_until = 1"))
    assert await inbox.beat([ids[0], 77]) == {77}
    until = await database.read(
        lambda connection: connection.exec_driver_sql("SELECT lease_until FROM inbox ORDER BY id").scalars().all()
    )
    assert until[0] > 1_000_000_000
    assert until[1] == 1
    await database.close()


async def test_a_restart_goes_on_in_order_and_sends_only_what_was_not_acknowledged(tmp_path: Path) -> None:
    database, inbox, anna = await opened(tmp_path)
    ids = [(await inbox.receive(message(str(n), platform="telegram"), anna, LATER)).id for n in range(3)]
    await inbox.lease(ids[0])
    await inbox.close(
        ids[0], "answered", Reply("first second third"), [Part({"text": word}) for word in ("first", "second", "third")]
    )
    await inbox.outbox.close(ids[0], 0, "sent", "p1")
    await inbox.lease(ids[1])
    await database.close()

    answerer, door = Gated(), PushDoor()
    async with open_house(tmp_path, answerer, doors={"telegram": door}, slots=3) as house:
        for n in range(3):
            answerer.let(str(n))
        assert (await house.reply(ids[2])).text == "answer 2"
        await house.dispatcher.drain(5)
        assert answerer.started == ["1", "2"]
        assert [(id_, word) for id_, word, _ in door.sent] == [
            ("0", "second"),
            ("0", "third"),
            ("1", "answer"),
            ("1", "1"),
            ("2", "answer"),
            ("2", "2"),
        ]
        assert door.sent[0][2] == f"{ids[0]}.1"
        assert {state for state, _, _ in (await house.states()).values()} == {"sent"}


async def test_what_nobody_waits_for_any_more_is_cancelled_at_a_restart(tmp_path: Path) -> None:
    database, inbox, anna = await opened(tmp_path)
    await inbox.receive(message("1", ephemeral=True), anna, LATER)
    await inbox.receive(message("2"), anna, LATER)
    await database.close()
    async with open_house(tmp_path) as house:
        assert (await house.ask(message("2"))).error is None
        assert (await house.ask(message("1", ephemeral=True))).error == "cancelled"


async def test_a_message_whose_process_died_too_often_is_set_aside(tmp_path: Path) -> None:
    database, inbox, anna = await opened(tmp_path)
    id_ = (await inbox.receive(message("1"), anna, LATER)).id
    for _ in range(3):
        await inbox.lease(id_)
        await inbox.recover()
    await database.close()
    async with open_house(tmp_path, Gated(), attempts=3) as house:
        assert (await house.reply(id_)).error == "gave_up"
        assert await house.states() == {"1": ("sent", "dead", 3)}


async def test_what_may_have_killed_the_process_waits_until_all_is_loaded_and_for_the_others(tmp_path: Path) -> None:
    database, inbox, anna = await opened(tmp_path)
    ids = [(await inbox.receive(message(str(n), thread=str(n)), anna, LATER)).id for n in range(4)]
    await inbox.lease(ids[0])
    await inbox.lease(ids[1])
    await database.close()
    answerer, loaded = Gated(), asyncio.Event()
    async with open_house(tmp_path, answerer, slots=4, settled=loaded.wait) as house:
        assert {await answerer.arrivals.get(), await answerer.arrivals.get()} == {"2", "3"}
        for n in range(4):
            answerer.let(str(n))
        await house.reply(ids[2])
        await house.reply(ids[3])
        assert house.dispatcher.waiting() == 2
        assert not answerer.arrivals.qsize()
        loaded.set()
        await house.reply(ids[0])
        await house.reply(ids[1])
        assert set((await house.states()).values()) == {("sent", "answered", 1)}


async def test_a_failed_message_waits_for_its_time_across_a_restart(tmp_path: Path) -> None:
    database, inbox, anna = await opened(tmp_path)
    ids = [(await inbox.receive(message(str(n)), anna, LATER)).id for n in range(2)]
    await inbox.lease(ids[0])
    await inbox.fail(ids[0], LATER)
    await database.close()
    answerer = Gated()
    async with open_house(tmp_path, answerer, retry_s=(60,)) as house:
        answerer.let("other")
        await house.ask(message("other", thread="x"))
        assert answerer.started == ["other"]
        assert house.dispatcher.position(ids[1]) is not None


async def test_a_failed_message_waits_no_longer_than_between_two_tries_when_the_clock_was_set_back(tmp_path: Path) -> None:
    database, inbox, anna = await opened(tmp_path)
    id_ = (await inbox.receive(message("1"), anna, LATER)).id
    await inbox.lease(id_)
    await inbox.fail(id_, time.time() + 30 * 86_400)
    await database.close()
    async with open_house(tmp_path, retry_s=(0.01,)) as house, asyncio.timeout(2):
        assert (await house.reply(id_)).text == "answer to question 1"


async def test_a_message_of_a_door_that_is_gone_is_said_to_have_expired(tmp_path: Path) -> None:
    database, inbox, anna = await opened(tmp_path)
    id_ = (await inbox.receive(message("1", platform="discord"), anna, LATER)).id
    await database.close()
    async with open_house(tmp_path) as house:
        assert (await house.reply(id_)).error == "expired"
