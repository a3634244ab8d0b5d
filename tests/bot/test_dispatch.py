"""The line: order in each conversation, fair between people, cancellable, retried, never lost, never answered twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

import pytest
from sqlalchemy import text

from adapters.types import NotSentError, Origin, Part, RefusedError, Reply, UnknownError
from bot.delivery import Delivery
from bot.doors import Door, PullDoor
from bot.errors import DatabaseError, RejectedError
from bot.live import Finished, NewTurn, Outcome, Received, Restarted, Step, Waiting, Words
from bot.speech.sentences import say
from tests.bot.house import Gated, PushDoor, Told, message, open_house


async def test_a_message_is_answered_and_remembered(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        id_ = await house.dispatcher.receive(message("1"), house.person("anna"))
        events = await house.events(id_)
        assert "".join(event.text for event in events if isinstance(event, Words)) == "an answer"
        assert events[-1] == Finished(Reply("answer to question 1"))
        assert await house.states() == {"1": ("sent", "answered", 1)}
        assert await house.events(id_) == [events[-1]]  # later, from the database
        turns = await house.database.read(
            lambda connection: connection.exec_driver_sql("SELECT question, answer FROM turns").all()
        )
        assert turns == [("question 1", "answer to question 1")]


async def test_the_same_message_twice_is_one(tmp_path: Path) -> None:
    async with open_house(tmp_path, Gated(), slots=5) as house:
        answerer = house.dispatcher._attempts._answerer
        assert isinstance(answerer, Gated)
        anna = house.person("anna")
        ids = await asyncio.gather(*(house.dispatcher.receive(message("1"), anna) for _ in range(5)))
        answerer.let("1")
        assert len(set(ids)) == 1
        assert {(await house.reply(id_)).text for id_ in ids} == {"answer 1"}
        assert await house.dispatcher.receive(message("1"), anna) == ids[0]
        assert answerer.started == ["1"]


async def test_another_body_under_the_same_key_is_refused(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await house.ask(message("1", body_hash="a"))
        assert (await house.ask(message("1", "other text", body_hash="a"))).text == "answer to question 1"
        with pytest.raises(RejectedError, match="another message") as raised:
            await house.ask(message("1", body_hash="b"))
        assert (raised.value.code, raised.value.status) == ("conflict", 422)


async def test_a_key_of_another_person_reaches_nothing(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await house.ask(message("1"), "anna")
        with pytest.raises(RejectedError, match="another message"):
            await house.ask(message("1"), "ben")


@pytest.mark.parametrize(
    ("sent", "code"),
    [(" \n", "empty"), ("x" * 101, "too_long"), ("a\0b", "binary"), ("a\x1b[31m", "binary"), ("a\udc80", "binary")],
)
async def test_what_is_not_text_is_not_taken(tmp_path: Path, sent: str, code: str) -> None:
    async with open_house(tmp_path, question_chars=100) as house:
        with pytest.raises(RejectedError) as raised:
            await house.dispatcher.receive(message("1", sent), house.person("anna"))
        assert raised.value.code == code
        assert await house.states() == {}
        assert (await house.ask(message("2", "tab\tand\r\nlines é 🦗"))).error is None


async def test_text_in_another_field_that_is_no_text(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        with pytest.raises(RejectedError) as raised:
            await house.ask(message("1", history=["\ud800"]))
        assert raised.value.code == "binary"


async def test_the_line_is_bounded(tmp_path: Path) -> None:
    answerer = Gated()
    async with open_house(tmp_path, answerer, queue=3, queue_person=2) as house:
        anna, ben = house.person("anna"), house.person("ben")
        for n in range(3):  # one runs, two wait
            await house.dispatcher.receive(message(f"a{n}"), anna)
        with pytest.raises(RejectedError, match="at most 2") as raised:
            await house.dispatcher.receive(message("a3"), anna)
        assert (raised.value.code, raised.value.status) == ("queue_full", 429)
        await house.dispatcher.receive(message("b0"), ben)
        with pytest.raises(RejectedError) as raised:
            await house.dispatcher.receive(message("b1"), ben)
        assert (raised.value.code, raised.value.status) == ("queue_full", 503)
        assert await house.dispatcher.receive(message("a1"), anna)  # what is in it can be joined
        assert len(await house.states()) == 4
        assert house.dispatcher.waiting() == 3


async def test_who_is_blocked_gets_no_answer_to_what_waits(tmp_path: Path) -> None:
    gated, telegram = Gated(), PushDoor()
    async with open_house(tmp_path, gated, doors={"http": PullDoor(), "telegram": telegram}) as house:
        anna, ben = house.person("anna"), house.person("ben")
        running = await house.dispatcher.receive(message("1"), ben)
        assert await gated.arrivals.get() == "1"
        waiting = [
            await house.dispatcher.receive(message("2"), ben),
            await house.dispatcher.receive(message("3", platform="telegram", private=False), ben),
        ]
        hers = await house.dispatcher.receive(message("4"), anna)
        await house.people.block("ben")
        assert [(await house.reply(id_)).error for id_ in (running, *waiting)] == ["cancelled"] * 3
        gated.let("4")
        assert (await house.reply(hers)).text == "answer 4"
        assert gated.started == ["1", "4"]
        assert gated.broken == ["1"]
        assert telegram.sent == []


async def test_who_sends_too_fast_is_told_to_wait(tmp_path: Path) -> None:
    """At the doors without a gate of their own. What comes again under its key is not counted, nor kept from its reply."""
    doors: dict[str, Door] = {"http": PullDoor(), "terminal": PullDoor(), "telegram": PushDoor()}
    async with open_house(tmp_path, doors=doors, person_minute_http=3) as house:
        anna, ben = house.person("anna"), house.person("ben")
        first = await house.dispatcher.receive(message("a0"), anna)
        await house.reply(first)
        assert [await house.dispatcher.receive(message("a0"), anna) for _ in range(9)] == [first] * 9
        await house.dispatcher.receive(message("a1"), anna)
        await house.dispatcher.receive(message("a2", platform="terminal"), anna)
        with pytest.raises(RejectedError, match="At most 3 messages a minute") as raised:
            await house.dispatcher.receive(message("a3"), anna)
        assert (raised.value.code, raised.value.status) == ("too_many", 429)
        assert await house.dispatcher.receive(message("a0"), anna) == first
        await house.dispatcher.receive(message("a4", platform="telegram"), anna)
        await house.dispatcher.receive(message("b0"), ben)
        assert list(await house.states()) == ["a0", "a1", "a2", "a4", "b0"]


async def test_many_at_once_do_not_pass_the_bound(tmp_path: Path) -> None:
    async with open_house(tmp_path, Gated(), queue=5, queue_person=5) as house:
        anna = house.person("anna")
        results = await asyncio.gather(
            *(house.dispatcher.receive(message(str(n)), anna) for n in range(50)), return_exceptions=True
        )
        assert sum(isinstance(result, int) for result in results) in {5, 6}
        assert len(await house.states()) == sum(isinstance(result, int) for result in results)


async def test_a_conversation_is_in_order_and_people_take_turns(tmp_path: Path) -> None:
    answerer = Gated()
    async with open_house(tmp_path, answerer) as house:
        for n in range(3):
            await house.dispatcher.receive(message(f"a{n}", thread=f"t{n}"), house.person("anna"))
        for n in range(2):
            await house.dispatcher.receive(message(f"b{n}"), house.person("ben"))
        last = await house.dispatcher.receive(message("c0"), house.person("carl"))
        assert house.dispatcher.position(last) == 3
        for _ in range(6):
            answerer.let(await answerer.arrivals.get())
        await house.reply(last)
        await house.dispatcher.idle()
        assert answerer.started == ["a0", "a1", "b0", "c0", "a2", "b1"]


async def test_a_lane_waits_for_its_first_while_others_go_on(tmp_path: Path) -> None:
    answerer = Gated()
    async with open_house(tmp_path, answerer, slots=3) as house:
        await house.dispatcher.receive(message("a0"), house.person("anna"))
        second = await house.dispatcher.receive(message("a1"), house.person("anna"))
        other = await house.dispatcher.receive(message("a2", thread="other"), house.person("anna"))
        answerer.let("a2")
        await house.reply(other)
        assert answerer.started == ["a0", "a2"]
        assert house.dispatcher.position(second) == 1
        assert house.dispatcher.answering() == 1
        answerer.let("a1")
        answerer.let("a0")
        await house.reply(second)
        assert answerer.started == ["a0", "a2", "a1"]


async def test_followers_see_their_place_change(tmp_path: Path) -> None:
    answerer = Gated()
    async with open_house(tmp_path, answerer) as house:
        ids = [await house.dispatcher.receive(message(str(n)), house.person("anna")) for n in range(3)]
        async with aclosing(house.dispatcher.follow(ids[2])) as events:
            assert await anext(events) == Waiting(2)
            answerer.let("0")
            assert await anext(events) == Waiting(1)
            answerer.let("1")
            assert await anext(events) == Words("so far")


async def test_late_and_slow_followers(tmp_path: Path) -> None:
    proceed, told = asyncio.Event(), asyncio.Event()

    async def answer(_received: Received) -> AsyncGenerator[Step | Words | Outcome]:
        yield Step("retrieve")
        yield Step("generate")
        for _ in range(1000):
            yield Words("a")
        told.set()
        await proceed.wait()
        for _ in range(1000):
            yield Words("b")
        yield Outcome(Reply("done"), None)

    async with open_house(tmp_path, Told(answer)) as house:
        id_ = await house.dispatcher.receive(message("1"), house.person("anna"))
        await told.wait()
        slow = house.dispatcher.follow(id_)
        assert [await anext(slow), await anext(slow)] == [Step("generate"), Words("a" * 1000)]
        proceed.set()
        assert (await house.events(id_))[-1] == Finished(Reply("done"))
        assert [event async for event in slow] == [Words("b" * 1000), Finished(Reply("done"))]


async def test_a_failed_attempt_is_tried_again_and_leaves_no_trace(tmp_path: Path) -> None:
    attempts: list[int] = []
    followed = asyncio.Event()

    async def answer(received: Received) -> AsyncGenerator[Step | Words | Outcome]:
        attempts.append(received.attempt)
        yield Words("half")
        await followed.wait()
        if received.attempt < 3:
            raise ValueError("a fault")
        yield Outcome(Reply("whole"), NewTurn("q", "whole"))

    async with open_house(tmp_path, Told(answer)) as house:
        id_ = await house.dispatcher.receive(message("1"), house.person("anna"))
        events = house.dispatcher.follow(id_)
        assert await anext(events) == Words("half")
        followed.set()
        seen = [event async for event in events]
        assert Restarted() in seen
        assert seen[-1] == Finished(Reply("whole"))
        assert attempts == [1, 2, 3]
        assert await house.states() == {"1": ("sent", "answered", 3)}
        assert await house.database.read(lambda connection: connection.execute(text("SELECT count(*) FROM turns")).scalar()) == 1


async def test_after_the_last_attempt_it_is_set_aside_and_said(tmp_path: Path) -> None:
    async def answer(received: Received) -> AsyncGenerator[Step | Words | Outcome]:
        if received.message.id == "1":
            raise ValueError("a fault")
        yield Outcome(Reply("fine"), None)

    async with open_house(tmp_path, Told(answer), attempts=2) as house:
        first, second = [await house.dispatcher.receive(message(id_), house.person("anna")) for id_ in ("1", "2")]
        assert (await house.reply(first)).error == "gave_up"
        assert (await house.reply(second)).text == "fine"
        assert await house.states() == {"1": ("sent", "dead", 2), "2": ("sent", "answered", 1)}


async def test_an_answerer_without_an_outcome_is_a_fault(tmp_path: Path) -> None:
    async def answer(_received: Received) -> AsyncGenerator[Step | Words | Outcome]:
        yield Words("nothing more")

    async with open_house(tmp_path, Told(answer), attempts=1) as house:
        assert (await house.ask(message("1"))).error == "gave_up"


async def test_a_waiting_message_is_cancelled(tmp_path: Path) -> None:
    answerer = Gated()
    async with open_house(tmp_path, answerer) as house:
        ids = [await house.dispatcher.receive(message(str(n)), house.person("anna")) for n in range(3)]
        assert await house.dispatcher.cancel(ids[1])
        assert (await house.reply(ids[1])).error == "cancelled"
        assert not await house.dispatcher.cancel(ids[1])
        for id_ in ("0", "2"):
            answerer.let(id_)
        assert (await house.reply(ids[2])).text == "answer 2"
        assert answerer.started == ["0", "2"]
        assert not await house.dispatcher.cancel(ids[0])
        assert not await house.dispatcher.cancel(12345)


async def test_who_stops_does_not_wait_for_the_platform(tmp_path: Path) -> None:
    """Of a platform that puts calls off for one chat, the others must hear meanwhile."""
    answerer, room = Gated(), asyncio.Event()

    async def wait_for_room() -> None:
        await room.wait()

    door = PushDoor(sending=wait_for_room)
    async with open_house(tmp_path, answerer, doors={"telegram": door}) as house:
        anna = house.person("anna")
        ids = [await house.dispatcher.receive(message(str(n), platform="telegram"), anna) for n in range(3)]
        await answerer.arrivals.get()
        async with asyncio.timeout(2):
            assert await house.dispatcher.stop(anna, "private") == 3
            assert {(await house.reply(id_)).error for id_ in ids} == {"cancelled"}
        assert answerer.broken == ["0"]
        assert door.sent == []
        room.set()
        await house.dispatcher.drain(5)
        assert {id_ for id_, _, _ in door.sent} == {"0", "1", "2"}
        assert set((await house.states()).values()) == {("sent", "cancelled", 1), ("sent", "cancelled", 0)}
        assert answerer.started == ["0"]


async def test_an_answer_in_progress_is_cancelled(tmp_path: Path) -> None:
    answerer = Gated()
    async with open_house(tmp_path, answerer) as house:
        first = await house.dispatcher.receive(message("0"), house.person("anna"))
        second = await house.dispatcher.receive(message("1"), house.person("anna"))
        assert await answerer.arrivals.get() == "0"
        assert await house.dispatcher.cancel(first)
        assert await house.dispatcher.cancel(first)
        assert (await house.reply(first)).error == "cancelled"
        assert answerer.broken == ["0"]
        answerer.let("1")
        assert (await house.reply(second)).text == "answer 1"
        assert await house.states() == {"0": ("sent", "cancelled", 1), "1": ("sent", "answered", 1)}


async def test_cancelled_while_the_attempt_begins(tmp_path: Path) -> None:
    answerer = Gated()
    async with open_house(tmp_path, answerer) as house:
        id_ = await house.dispatcher.receive(message("0"), house.person("anna"))
        assert house.dispatcher.answering() == 1
        assert answerer.started == []
        assert await house.dispatcher.cancel(id_)
        assert (await house.reply(id_)).error == "cancelled"
        assert answerer.started == []


async def test_a_late_follower_is_not_told_a_place_that_is_past(tmp_path: Path) -> None:
    answerer = Gated()
    async with open_house(tmp_path, answerer) as house:
        ids = [await house.dispatcher.receive(message(str(n)), house.person("anna")) for n in range(2)]
        async with aclosing(house.dispatcher.follow(ids[1])) as events:
            assert await anext(events) == Waiting(1)
            answerer.let("0")
            assert await anext(events) == Words("so far")
        async with aclosing(house.dispatcher.follow(ids[1])) as events:
            assert await anext(events) == Words("so far")


async def test_a_cancelled_receive_is_answered_all_the_same(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        receiving = asyncio.create_task(house.dispatcher.receive(message("1"), house.person("anna")))
        await asyncio.sleep(0)
        receiving.cancel()
        await asyncio.gather(receiving, return_exceptions=True)
        assert (await house.ask(message("1"))).text == "answer to question 1"


async def test_waiting_too_long_is_said(tmp_path: Path) -> None:
    answerer = Gated()
    async with open_house(tmp_path, answerer, expire_h=1e-9) as house:
        assert (await house.ask(message("1"))).error == "expired"
        assert await house.states() == {"1": ("sent", "expired", 0)}
        assert answerer.started == []


async def test_idle_is_when_nobody_waits(tmp_path: Path) -> None:
    answerer = Gated()
    async with open_house(tmp_path, answerer) as house:
        await asyncio.wait_for(house.dispatcher.idle(), 1)
        await house.dispatcher.receive(message("1"), house.person("anna"))
        quiet = asyncio.create_task(house.dispatcher.idle())
        await answerer.arrivals.get()
        assert not quiet.done()
        answerer.let("1")
        await asyncio.wait_for(quiet, 1)


async def test_parts_are_sent_in_order_and_acknowledged(tmp_path: Path) -> None:
    door = PushDoor()
    async with open_house(tmp_path, doors={"telegram": door}) as house:
        await house.ask(message("1", platform="telegram"))
        second = await house.dispatcher.receive(message("2", platform="telegram"), house.person("anna"))
        await house.reply(second)
        await house.dispatcher.drain(5)
        assert [(id_, word) for id_, word, _ in door.sent] == [(n, w) for n in "12" for w in ("answer", "to", "question", n)]
        assert len({key for _, _, key in door.sent}) == 8
        rows = await house.database.read(
            lambda connection: connection.execute(text("SELECT state, platform_id FROM outbox")).all()
        )
        assert rows == [("sent", f"p{n}") for n in range(1, 9)]
        assert set((await house.states()).values()) == {("sent", "answered", 1)}


async def test_each_kind_of_delivery_trouble(tmp_path: Path) -> None:
    door = PushDoor(troubles=[NotSentError("busy", retry_after=0.01), NotSentError("busy"), UnknownError("timeout")])
    async with open_house(tmp_path, doors={"telegram": door}) as house:
        await house.ask(message("1", platform="telegram"))
        await house.dispatcher.idle()
        door_free = await house.dispatcher.receive(message("2", platform="telegram"), house.person("anna"))
        await house.reply(door_free)
        await house.dispatcher.drain(5)
        notice = say("may_not_have_arrived", "en").split()
        assert [word for id_, word, _ in door.sent if id_ == "1"] == ["to", "question", "1", *notice]
        rows = await house.database.read(
            lambda connection: connection.execute(text("SELECT state, notice FROM outbox ORDER BY inbox_id, ordinal")).all()
        )
        assert rows == [("unknown", 0)] + [("sent", 0)] * 3 + [("sent", 1)] * len(notice) + [("sent", 0)] * 4


async def test_what_may_not_have_arrived_is_noticed_once_and_never_sent_again(tmp_path: Path) -> None:
    door = PushDoor(troubles=[UnknownError("timeout"), UnknownError("timeout"), UnknownError("timeout")])
    async with open_house(tmp_path, doors={"telegram": door}) as house:
        await house.ask(message("1", platform="telegram"))
        await house.dispatcher.drain(5)
        assert [word for _, word, _ in door.sent] == ["1", *say("may_not_have_arrived", "en").split()]
        assert await house.states() == {"1": ("sent", "answered", 1)}


@pytest.mark.parametrize(("lost", "arrived"), [(1, 0), (2, 1)])
async def test_a_notice_that_may_not_have_arrived_goes_once_more(tmp_path: Path, lost: int, arrived: int) -> None:
    door = PushDoor(troubles=[UnknownError("timeout")] * (4 + lost))
    async with open_house(tmp_path, doors={"telegram": door}) as house:
        await house.ask(message("1", platform="telegram"))
        await house.dispatcher.drain(5)
        assert [word for _, word, _ in door.sent] == say("may_not_have_arrived", "en").split()[arrived:]


async def test_a_notice_whose_process_died_in_its_sending_goes_once_more(tmp_path: Path) -> None:
    async with open_house(tmp_path, doors={"telegram": PushDoor(troubles=[UnknownError("timeout")])}) as house:
        await house.ask(message("1", platform="telegram"))
        await house.dispatcher.drain(5)
        await house.database.write(
            lambda connection: connection.execute(text("UPDATE outbox SET state = 'sending' WHERE ordinal = 4"))
        )
        await house.database.write(lambda connection: connection.execute(text("UPDATE inbox SET state = 'answered'")))
    again = PushDoor(troubles=[UnknownError("it may have arrived")])
    async with open_house(tmp_path, doors={"telegram": again}) as house:
        await house.reply(1)
        await house.dispatcher.drain(5)
        assert [word for _, word, _ in again.sent] == [say("may_not_have_arrived", "en").split()[0]]
        assert [tried_s is None for tried_s in again.tried] == [False, True]


async def test_a_part_whose_process_died_in_its_sending_says_since_when(tmp_path: Path) -> None:
    door = PushDoor(troubles=[NotSentError("busy")])
    async with open_house(tmp_path, doors={"telegram": door}) as house:
        await house.ask(message("1", platform="telegram"))
        await house.dispatcher.drain(5)
        assert door.tried == [None] * 5  # what surely did not arrive is new
        await house.database.write(
            lambda connection: connection.execute(
                text("UPDATE outbox SET state = 'sending', tried_at = tried_at - 60 WHERE ordinal = 3")
            )
        )
        await house.database.write(lambda connection: connection.execute(text("UPDATE inbox SET state = 'answered'")))
    again = PushDoor()
    async with open_house(tmp_path, doors={"telegram": again}) as house:
        await house.reply(1)
        await house.dispatcher.drain(5)
        assert [word for _, word, _ in again.sent] == ["1"]
        (tried_s,) = again.tried
        assert tried_s is not None
        assert 60 <= tried_s < 90


async def test_a_refused_part_ends_the_delivery(tmp_path: Path) -> None:
    door = PushDoor(troubles=[RefusedError("blocked")])
    async with open_house(tmp_path, doors={"telegram": door}) as house:
        await house.ask(message("1", platform="telegram"))
        await house.dispatcher.drain(5)
        assert door.sent == []
        rows = await house.database.read(lambda connection: connection.execute(text("SELECT state FROM outbox")).scalars().all())
        assert rows == ["refused"] * 4
        assert await house.states() == {"1": ("sent", "answered", 1)}


async def test_a_door_with_a_fault_does_not_stop_its_lane(tmp_path: Path) -> None:
    door = PushDoor(troubles=[ZeroDivisionError()])
    async with open_house(tmp_path, doors={"telegram": door}) as house:
        await house.ask(message("1", platform="telegram"))
        await house.ask(message("2", platform="telegram"))
        await house.dispatcher.drain(5)
        notice = say("may_not_have_arrived", "en").split()
        assert [id_ for id_, _, _ in door.sent] == ["1"] * (3 + len(notice)) + ["2"] * 4


class Dead(PushDoor):
    async def send(self, *_: object, **__: object) -> str | None:
        raise NotSentError("nobody there")


async def test_a_delivery_that_fails_does_not_stop_its_lane(tmp_path: Path) -> None:
    def uncounted(_platform: str, _state: str) -> None:
        raise ZeroDivisionError

    door = PushDoor()
    async with open_house(tmp_path, doors={"telegram": door}) as house:
        house.dispatcher._delivery = Delivery(house.inbox.outbox, sent=uncounted)
        await house.ask(message("1", platform="telegram"))
        async with asyncio.timeout(2):
            assert (await house.ask(message("2", platform="telegram"))).text == "answer to question 2"
        await house.dispatcher.drain(5)
        assert [id_ for id_, _, _ in door.sent] == ["1", "2"]


async def test_not_delivered_before_it_expires(tmp_path: Path) -> None:
    async with open_house(tmp_path, doors={"telegram": Dead()}, expire_h=0.1 / 3600) as house:
        house.dispatcher._delivery = Delivery(house.inbox.outbox, (0.01,), patience_s=0.1)
        await house.ask(message("1", platform="telegram"))
        await house.dispatcher.drain(5)
        assert await house.states() == {"1": ("sent", "answered", 1)}


async def test_what_expired_in_the_dark_is_said_once_the_platform_is_there(tmp_path: Path) -> None:
    async with open_house(tmp_path, doors={"telegram": Dead()}) as house:
        await house.ask(message("1", platform="telegram"))
        await house.dispatcher.receive(message("2", platform="telegram"), house.person("anna"))  # waits for its lane
        await house.database.write(lambda connection: connection.execute(text("UPDATE inbox SET expires_at = 1")))

    class Late(PushDoor):
        async def send(self, origin: Origin, part: Part, key: str, *, tried_s: float | None = None) -> str | None:
            if key not in tried:
                tried.append(key)
                raise NotSentError("not connected")
            return await super().send(origin, part, key, tried_s=tried_s)

    tried: list[str] = []
    door = Late()
    async with open_house(tmp_path, doors={"telegram": door}) as house:
        assert (await house.reply(2)).error == "expired"
        await house.dispatcher.drain(5)
        said = {id_: " ".join(word for of, word, _ in door.sent if of == id_) for id_ in "12"}
        assert said == {"1": "answer to question 1", "2": say("expired", "en")}


async def test_draining_lets_what_is_written_finish_and_gives_back_the_rest(tmp_path: Path) -> None:
    answerer = Gated()
    async with open_house(tmp_path, answerer, slots=2) as house:
        finishing = await house.dispatcher.receive(message("1", thread="1"), house.person("anna"))
        await house.dispatcher.receive(message("2", thread="2"), house.person("anna"))
        await house.dispatcher.receive(message("3", thread="3"), house.person("anna"))
        assert {await answerer.arrivals.get(), await answerer.arrivals.get()} == {"1", "2"}
        draining = asyncio.create_task(house.dispatcher.drain(0.2))
        await asyncio.sleep(0)
        answerer.let("1")
        assert (await house.reply(finishing)).text == "answer 1"
        await draining
        assert answerer.broken == ["2"]
        assert await house.states() == {"1": ("sent", "answered", 1), "2": ("received", None, 0), "3": ("received", None, 0)}
    again = Gated()
    async with open_house(tmp_path, again, slots=2) as house:
        for id_ in ("2", "3"):
            again.let(id_)
            assert (await house.ask(message(id_))).text == f"answer {id_}"


async def test_a_full_disk_is_told_to_followers_and_passes(tmp_path: Path) -> None:
    answerer = Gated()
    async with open_house(tmp_path, answerer) as house:
        id_ = await house.dispatcher.receive(message("1"), house.person("anna"))
        await answerer.arrivals.get()
        pages = await house.database.write(lambda connection: int(connection.exec_driver_sql("PRAGMA page_count").scalar_one()))
        fill = "x" * 50_000
        await house.database.write(lambda connection: connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}"))
        following = house.dispatcher.follow(id_)
        assert await anext(following) == Words("so far")
        answerer.gates["1"] = asyncio.Event()
        with pytest.raises(DatabaseError, match="disk is full"):
            await house.dispatcher.receive(message("2", "y" * 15_000), house.person("ben"))
        assert "2" not in await house.states()

        async def long_answer(_received: Received) -> AsyncGenerator[Step | Words | Outcome]:
            yield Outcome(Reply(fill), None)

        await house.dispatcher.cancel(id_)
        await following.aclose()
        house.dispatcher._attempts._answerer = Told(long_answer)
        await house.database.write(lambda connection: connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 5}"))
        third = await house.dispatcher.receive(message("3"), house.person("anna"))
        with pytest.raises(DatabaseError, match="disk is full"):
            await house.events(third)
        await house.database.write(lambda connection: connection.exec_driver_sql("PRAGMA max_page_count = 100000"))
        async with asyncio.timeout(5):
            while True:
                try:
                    assert (await house.reply(third)).text == fill
                    break
                except DatabaseError:
                    await asyncio.sleep(0.01)
        assert (await house.states())["3"] == ("sent", "answered", 1)


@pytest.mark.parametrize("room", range(8))
async def test_no_room_for_the_nth_page(tmp_path: Path, room: int) -> None:
    """Wherever in a message's life the disk fills up: what was taken is answered once there is room, the rest was never taken."""
    pragma = "PRAGMA max_page_count = {}".format
    async with open_house(tmp_path, slots=3) as house:
        pages = await house.database.write(lambda connection: int(connection.exec_driver_sql("PRAGMA page_count").scalar_one()))
        await house.database.write(lambda connection: connection.exec_driver_sql(pragma(pages + room)))
        sent = [message(str(n), "long " * 300, thread=f"t{n % 3}") for n in range(12)]
        taken = await asyncio.gather(
            *(house.dispatcher.receive(one, house.person("anna")) for one in sent), return_exceptions=True
        )
        assert {type(one) for one in taken} <= {int, DatabaseError}
        await house.database.write(lambda connection: connection.exec_driver_sql(pragma(100_000)))
        async with asyncio.timeout(10):
            await house.dispatcher.idle()
            for one, id_ in zip(sent, taken, strict=True):
                while isinstance(id_, int) and (await house.states())[one.id][0] != "sent":
                    await asyncio.sleep(0.005)
        assert (await house.states()).keys() == {one.id for one, id_ in zip(sent, taken, strict=True) if isinstance(id_, int)}
        replies = [await house.ask(one) for one in sent]
        assert {reply.text for reply in replies} == {"answer to " + "long " * 300}
        count = "SELECT count(*) FROM turns"
        assert await house.database.read(lambda connection: connection.execute(text(count)).scalar()) == len(sent)


async def test_an_erased_message_is_dropped(tmp_path: Path) -> None:
    answerer = Gated()
    async with open_house(tmp_path, answerer) as house:
        ids = [await house.dispatcher.receive(message(str(n)), house.person("anna")) for n in range(2)]
        await answerer.arrivals.get()
        await house.database.write(lambda connection: connection.exec_driver_sql("DELETE FROM inbox"))
        await house.dispatcher._attempts.beat()
        assert [(await house.reply(id_)).error for id_ in ids] == ["forgotten", "forgotten"]
        assert answerer.broken == ["0"]
        assert answerer.started == ["0"]
        assert await house.reply(0) == await house.reply(ids[0])


async def test_two_people_and_two_conversations_do_not_mix(tmp_path: Path) -> None:
    async def answer(received: Received) -> AsyncGenerator[Step | Words | Outcome]:
        await asyncio.sleep(0)
        yield Outcome(Reply(received.message.text), NewTurn(received.message.text, f"for {received.person.name}"))

    async with open_house(tmp_path, Told(answer), slots=4) as house:
        asked = [(name, thread, n) for n in range(25) for name in ("anna", "ben") for thread in (None, "kitchen")]
        asks = [
            house.ask(message(f"{name}{thread}{n}", f"{name} {thread} {n}", thread=thread), name) for name, thread, n in asked
        ]
        replies = await asyncio.gather(*asks)
        assert [reply.text for reply in replies] == [f"{name} {thread} {n}" for name, thread, n in asked]
        rows = await house.database.read(
            lambda connection: connection.execute(
                text(
                    "SELECT people.name, space, question, answer FROM turns "
                    "JOIN conversations ON conversations.id = conversation_id JOIN people ON people.id = person_id "
                    "ORDER BY turns.id"
                )
            ).all()
        )
        assert len(rows) == len(asked)
        for name, space, question, said in rows:
            assert question.startswith(f"{name} {'kitchen' if space == 'private:kitchen' else None} ")
            assert said == f"for {name}"
        for lane in {(name, space) for name, space, _, _ in rows}:
            assert [int(row.question.split()[-1]) for row in rows if row[:2] == lane] == list(range(25))
