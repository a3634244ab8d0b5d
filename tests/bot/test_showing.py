"""What is seen of an answer while it is written, and questions that are edited, withdrawn or stopped meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

from adapters.types import Live, Origin, RefusedError, Reply
from bot.live import NewTurn, Outcome, Received, Step, Words
from bot.speech.sentences import say
from tests.bot.house import Gated, House, PushDoor, Told, message, open_house


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not true():
            await asyncio.sleep(0.01)


async def live_of(house: House) -> list[str | None]:
    rows = await house.database.read(lambda connection: connection.exec_driver_sql("SELECT live FROM inbox").scalars().all())
    return list(rows)


async def test_a_sign_of_life_then_words_then_the_whole(tmp_path: Path) -> None:
    go_on = asyncio.Event()

    async def answer(_received: Received) -> AsyncGenerator[Step | Words | Outcome]:
        yield Step("generate")
        await go_on.wait()
        yield Words("half ")
        await until(lambda: door.shown[-1][1].text == "half ")
        yield Words("whole")
        await until(lambda: door.shown[-1][1].text == "half whole")
        yield Outcome(Reply("whole"), NewTurn("q", "whole"))

    door = PushDoor()
    async with open_house(tmp_path, Told(answer), doors={"telegram": door}) as house:
        id_ = await house.dispatcher.receive(message("1", platform="telegram"), house.person("anna"))
        await until(lambda: door.shown)
        assert set(door.shown) == {("1", Live())}
        async with asyncio.timeout(5):  # what is shown is written down after it
            while await live_of(house) != ["live 1"]:
                await asyncio.sleep(0.01)
        go_on.set()
        await house.reply(id_)
        await house.dispatcher.drain(5)
        assert list(dict.fromkeys(live.text for _, live in door.shown)) == ["", "half ", "half whole"]
        assert [word for _, word, _ in door.sent] == ["whole"]


async def test_a_quick_answer_needs_no_sign_of_life(tmp_path: Path) -> None:
    door = PushDoor()
    async with open_house(tmp_path, doors={"telegram": door}) as house:
        await house.ask(message("1", platform="telegram"))
        await house.dispatcher.drain(5)
        assert door.shown == []
        assert len(door.sent) == 4


async def test_who_waits_sees_the_place(tmp_path: Path) -> None:
    answerer, door = Gated(), PushDoor()
    async with open_house(tmp_path, answerer, doors={"telegram": door}) as house:
        for n in range(3):
            await house.dispatcher.receive(message(str(n), platform="telegram"), house.person("anna"))
        await until(lambda: ("2", Live(note="You are number 2 in the queue.")) in door.shown)
        answerer.let("0")
        await until(lambda: ("2", Live(note="You are number 1 in the queue.")) in door.shown)


async def test_a_door_that_cannot_show_still_delivers(tmp_path: Path) -> None:
    class Blind(PushDoor):
        async def show(self, _origin: Origin, _live: Callable[[], Live | None]) -> str | None:
            raise self.trouble

        trouble: Exception = RefusedError("blocked")

    for trouble in (RefusedError("blocked"), ZeroDivisionError()):
        door, answerer = Blind(), Gated()
        door.trouble, name = trouble, type(trouble).__name__
        async with open_house(tmp_path, answerer, doors={"telegram": door}) as house:
            id_ = await house.dispatcher.receive(message(name, platform="telegram"), house.person("anna"))
            await asyncio.sleep(0.15)
            answerer.let(name)
            await house.reply(id_)
            await house.dispatcher.drain(5)
            assert [word for _, word, _ in door.sent] == ["answer", name]


async def test_the_final_text_comes_after_the_last_call_that_shows(tmp_path: Path) -> None:
    calls: list[str] = []

    class Slow(PushDoor):
        async def show(self, _origin: Origin, _live: Callable[[], Live | None]) -> str | None:
            try:
                await asyncio.sleep(0.3)
            finally:
                calls.append("shown")
            return None

        async def sends(self) -> None:
            calls.append("sent")

    door, answerer = Slow(), Gated()
    door.sending = door.sends
    async with open_house(tmp_path, answerer, doors={"telegram": door}) as house:
        await house.dispatcher.receive(message("1", platform="telegram"), house.person("anna"))
        await asyncio.sleep(0.2)
        answerer.let("1")
        await house.dispatcher.drain(5)
        assert calls == ["shown", "sent", "sent"]


async def test_an_edited_question_that_waits_is_replaced(tmp_path: Path) -> None:
    answerer, door = Gated(), PushDoor()
    async with open_house(tmp_path, answerer, doors={"telegram": door}) as house:
        asked: list[str] = []
        answer = answerer.answer

        async def noted(received: Received) -> AsyncGenerator[Step | Words | Outcome]:
            asked.append(received.message.text)
            async for event in answer(received):
                yield event

        answerer.answer = noted  # type: ignore[method-assign]
        ids = [await house.dispatcher.receive(message(str(n), platform="telegram"), house.person("anna")) for n in range(2)]
        await house.dispatcher.edit(message("1", "better", platform="telegram"))
        await house.dispatcher.edit(message("9", "unknown", platform="telegram"))
        answerer.let("0")
        answerer.let("1")
        await house.reply(ids[1])
        await house.dispatcher.drain(5)
        assert asked == ["question 0", "better"]
        await house.dispatcher.edit(message("1", "too late", platform="telegram"))


async def test_an_edited_question_that_is_being_answered_is_offered_again(tmp_path: Path) -> None:
    async def answer(received: Received) -> AsyncGenerator[Step | Words | Outcome]:
        yield Words(received.message.text)
        if received.message.text != "better":
            await asyncio.sleep(60)
        yield Outcome(Reply(received.message.text), None)

    async with open_house(tmp_path, Told(answer), doors={"telegram": PushDoor()}) as house:
        id_ = await house.dispatcher.receive(message("1", platform="telegram"), house.person("anna"))
        await asyncio.sleep(0.05)
        await house.dispatcher.edit(message("1", "worse", platform="telegram"))
        await house.dispatcher.edit(message("1", "better", platform="telegram"))
        assert (await house.reply(id_)).text == "better"
        assert await house.states() == {"1": ("answered", "answered", 1)}


async def test_an_edit_that_changes_nothing_begins_nothing_anew(tmp_path: Path) -> None:
    """A platform tells of an edit when it has found the preview of a link."""
    begun: list[str] = []
    go = asyncio.Event()

    async def answer(received: Received) -> AsyncGenerator[Step | Words | Outcome]:
        begun.append(received.message.text)
        yield Words("so far ")
        await go.wait()
        yield Outcome(Reply("done"), None)

    async with open_house(tmp_path, Told(answer), doors={"telegram": PushDoor()}) as house:
        id_ = await house.dispatcher.receive(message("1", "same", platform="telegram"), house.person("anna"))
        async with asyncio.timeout(10):
            while not begun:
                await asyncio.sleep(0.01)
        await house.dispatcher.edit(message("1", "same", platform="telegram"))
        await asyncio.sleep(0.05)
        go.set()
        assert (await house.reply(id_)).text == "done"
    assert begun == ["same"]


async def test_to_a_question_that_was_withdrawn_nothing_is_said(tmp_path: Path) -> None:
    answerer, door = Gated(), PushDoor()
    async with open_house(tmp_path, answerer, doors={"telegram": door}) as house:
        for n in range(2):
            await house.dispatcher.receive(message(str(n), platform="telegram"), house.person("anna"))
        await answerer.arrivals.get()
        for n in (1, 0, 7):
            await house.dispatcher.withdraw("telegram", "account", str(n))
        await house.dispatcher.idle()
        await house.dispatcher.drain(5)
        assert door.sent == []
        assert {state[:2] for state in (await house.states()).values()} == {("sent", "withdrawn")}


async def test_a_question_that_is_withdrawn_while_it_is_first_shown_leaves_no_half_answer(tmp_path: Path) -> None:
    """Who shows it is cancelled before being told which message does; the door knows."""

    class Slow(PushDoor):
        async def show(self, origin: Origin, live: Callable[[], Live | None]) -> str | None:
            if live() is None:
                return await super().show(origin, live)
            posting = asyncio.ensure_future(self._post(origin, live))
            try:
                return await asyncio.shield(posting)
            except asyncio.CancelledError:
                arrives.set()
                await posting
                raise

        async def _post(self, origin: Origin, live: Callable[[], Live | None]) -> str | None:
            now = live()
            begun.set()
            await arrives.wait()
            return await super().show(origin, lambda: now)

    answerer, door, begun, arrives = Gated(), Slow(), asyncio.Event(), asyncio.Event()
    async with open_house(tmp_path, answerer, doors={"telegram": door}) as house:
        id_ = await house.dispatcher.receive(message("1", platform="telegram"), house.person("anna"))
        await begun.wait()
        await house.dispatcher.withdraw("telegram", "account", "1")
        await house.reply(id_)
        await house.dispatcher.drain(5)
        assert door.shown
        assert " ".join(word for _, word, _ in door.sent) == say("cancelled", "en"), "in the place of what was shown"
        assert await live_of(house) == ["live 1"]


async def test_stop_ends_all_of_a_conversation_and_no_other(tmp_path: Path) -> None:
    answerer, door = Gated(), PushDoor()
    async with open_house(tmp_path, answerer, doors={"telegram": door}, slots=3) as house:
        anna = house.person("anna")
        for n in range(2):
            await house.dispatcher.receive(message(str(n), platform="telegram"), anna)
        await house.dispatcher.receive(message("2", platform="telegram", thread="other"), anna)
        await house.dispatcher.receive(message("3", platform="telegram"), house.person("ben"))
        assert await house.dispatcher.stop(anna, "private") == 2
        assert await house.dispatcher.stop(house.person("carl"), "private") == 0
        for n in range(4):
            answerer.let(str(n))
        await house.dispatcher.drain(5)
        ends = {id_: outcome for id_, (_, outcome, _) in (await house.states()).items()}
        assert ends == {"0": "cancelled", "1": "cancelled", "2": "answered", "3": "answered"}
