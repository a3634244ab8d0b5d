"""The offset moves behind what is committed; what fails comes again; what is poison is set aside."""

from __future__ import annotations

import asyncio
import logging

import pytest

from adapters.types import StoppedError
from tests.adapters.telegram.house import House, Memory, until
from tests.rigs.telegram import Telegram


async def test_an_update_is_confirmed_after_it_is_committed_alone(rig: Telegram, house: House) -> None:
    nora = rig.person("Nora")
    house.host.wait_s = 0.2
    said = nora.say("hello")
    await house.host.until(lambda: house.host.tries)
    await asyncio.sleep(0.1)
    assert said.update is not None
    assert rig.updates.fetchable(said.update)
    await house.host.has(1)
    await until(lambda: said.update is not None and not rig.updates.fetchable(said.update))
    assert house.points[-2:] == ["fetch", "confirm"]


async def test_what_was_not_committed_is_fetched_by_the_next_run(rig: Telegram, house: House) -> None:
    nora = rig.person("Nora")
    house.host.wait_s = 60
    nora.say("hello")
    await house.host.until(lambda: house.host.tries)
    await house.stop()
    house.host.wait_s = 0
    await house.start()
    await house.host.has(1)
    assert house.host.texts() == ["hello"]


async def test_a_held_piece_survives_the_end_of_a_run(rig: Telegram) -> None:
    nora = rig.person("Nora")
    house = House(rig, gather_s=2)
    async with house:
        nora.say("x" * 4096)
        await asyncio.sleep(0.2)
    async with house:
        nora.say("tail")
        await house.host.has(1)
    assert house.host.texts() == ["x" * 4096 + "tail"]


async def test_a_failing_receive_comes_again_and_its_chat_keeps_its_order(rig: Telegram, house: House) -> None:
    nora, karim = rig.person("Nora"), rig.person("Karim")
    failing = True
    house.host.fails = lambda message: failing and message.text == "one"
    nora.say("one")
    nora.say("two")
    karim.say("other")
    await house.host.until(lambda: len(house.host.tries) >= 4)
    assert house.host.texts() == ["other"]
    failing = False
    await house.host.has(3)
    assert house.host.texts() == ["other", "one", "two"]
    assert not await house.ledger.all("tries.")


async def test_poison_is_set_aside_after_five_tries_and_its_chat_goes_on(rig: Telegram, house: House) -> None:
    nora = rig.person("Nora")
    house.host.fails = lambda message: message.text == "poison"
    said = nora.say("poison")
    nora.say("after")
    await house.host.has(1)
    assert house.host.texts() == ["after"]
    assert house.host.tries.count(f"{nora.id}:{said.id}") == 5
    assert not await house.ledger.all("tries.")


async def test_tries_are_counted_across_runs(rig: Telegram, house: House) -> None:
    nora = rig.person("Nora")
    house.host.fails = lambda message: message.text == "poison"
    nora.say("poison")
    await house.host.until(lambda: len(house.host.tries) >= 2)
    await house.stop()
    before = len(house.host.tries)
    assert len(await house.ledger.all("tries.")) == 1
    await house.start()
    nora.say("after")
    await house.host.has(1)
    assert 5 <= len(house.host.tries) - house.host.tries.count(house.host.messages[0].id) <= 6
    assert before >= 2


async def test_nothing_is_set_aside_while_nothing_can_be_stored(rig: Telegram, house: House) -> None:
    nora = rig.person("Nora")
    house.ledger.broken = True
    house.host.fails = lambda _: house.ledger.broken
    nora.say("kept")
    await house.host.until(lambda: len(house.host.tries) >= 6)
    house.ledger.broken = False
    await house.host.has(1)
    assert house.host.texts() == ["kept"]


async def test_a_malformed_update_loses_itself_alone(rig: Telegram, house: House, caplog: pytest.LogCaptureFixture) -> None:
    nora = rig.person("Nora")
    with caplog.at_level(logging.WARNING):
        rig.updates.add("message", {"message_id": "?", "chat": 7, "from": "?"})
        number = rig.updates.add(
            "message", {"message_id": 7, "date": 0, "text": "secret words", "chat": {"id": 7}, "from": {"id": 7}}
        )
        nora.say("whole")
        await house.host.has(1)
    assert house.host.texts() == ["whole"]
    assert f"update={number}" in caplog.text
    assert "secret words" not in caplog.text
    await until(lambda: not rig.updates.pending())


@pytest.mark.parametrize("kind", ["drop", "500", "502", "garbage", "429"])
async def test_a_poll_that_fails_is_asked_again(rig: Telegram, house: House, kind: str) -> None:
    nora = rig.person("Nora")
    fault = rig.faults.add(kind, "getUpdates", times=2, retry_after=0.1)
    nora.say("hello")
    await house.host.has(1)
    nora.say("again")
    await house.host.has(2)
    await until(lambda: fault.struck == 2)
    nora.say("and again")
    await house.host.has(3)
    assert house.host.texts() == ["hello", "again", "and again"]


async def test_the_network_goes_and_comes_back(rig: Telegram, house: House) -> None:
    nora, states = rig.person("Nora"), []
    async with rig.offline():
        await asyncio.sleep(0.3)
        states.append(house.platform.status.state)
        nora.say("said meanwhile")
    await house.host.has(1)
    states.append(house.platform.status.state)
    assert states == ["waiting", "serving"]
    assert house.platform.status.good_at is not None


async def test_a_bad_token_stops_it_with_a_sentence_without_the_token(rig: Telegram) -> None:
    house = House(rig, token="110201543:wrong-token-here")
    with pytest.raises(StoppedError, match="BotFather") as caught:
        await house.platform.run(house.host)
    assert house.platform.status.state == "stopped"
    error: BaseException | None = caught.value
    while error is not None:
        assert "wrong-token-here" not in repr(error)
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize("token", [None, "", "abc", "1:a b", "1:a/../getMe?"])
async def test_what_is_no_token_stops_it_before_any_call(rig: Telegram, token: str | None) -> None:
    house = House(rig, token=token)
    with pytest.raises(StoppedError):
        await house.platform.run(house.host)
    assert not rig.ledger.calls


async def test_three_conflicts_in_a_row_stop_it(rig: Telegram, house: House) -> None:
    assert house.task is not None
    fault = rig.faults.add("409", "getUpdates", times=None)
    rig.person("Nora").say("wake up")
    with pytest.raises(StoppedError, match="two must not use one token"):
        await asyncio.wait_for(asyncio.shield(house.task), 10)
    assert fault.struck == 3
    rig.faults.clear()
    await house.start()
    await house.host.has(1)


async def test_of_two_on_one_token_one_stops(rig: Telegram) -> None:
    first, second = House(rig), House(rig)
    await first.start()
    await second.start()
    assert first.task is not None
    assert second.task is not None
    done, _ = await asyncio.wait({first.task, second.task}, return_when=asyncio.FIRST_COMPLETED, timeout=20)
    assert [type(task.exception()) for task in done] == [StoppedError]
    left = second if first.task in done else first
    rig.person("Nora").say("hello")
    await left.host.has(1)
    await left.stop()


async def test_no_log_holds_the_token(rig: Telegram, house: House, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    rig.faults.add("500", "getUpdates", times=2)
    async with rig.offline():
        await asyncio.sleep(0.2)
    rig.person("Nora").say("my secret question")
    await house.host.has(1)
    assert rig.token.split(":")[1] not in caplog.text
    assert "my secret question" not in caplog.text


async def test_it_asks_for_what_it_reads_and_announces_its_commands(rig: Telegram, house: House) -> None:
    rig.person("Nora").say("hello")
    await house.host.has(1)
    asked = rig.ledger.calls_of("getUpdates")
    assert asked[0].parameters["allowed_updates"] == '["message", "edited_message", "callback_query", "my_chat_member"]'
    await rig.ledger.until(lambda: len(rig.world.commands) == 2)
    assert rig.world.commands["default", "fr"] == [{"command": "ask", "description": "Poser une question"}]
    assert rig.world.commands["default", ""] == [{"command": "ask", "description": "Ask something"}]
    await house.stop()
    await house.start()
    assert len(rig.ledger.calls_of("setMyCommands")) == 2


async def test_another_bot_gets_its_menu_too() -> None:
    ledger = Memory()
    for token in ("7000:one", "8000:other"):
        async with Telegram(token=token) as rig, House(rig, ledger):
            await until(lambda: len(rig.world.commands) == 2)


async def test_a_page_of_a_proxy_is_no_bad_token(rig: Telegram, house: House) -> None:
    rig.faults.add("lost", "getUpdates", times=2)
    rig.person("Nora").say("hello")
    await house.host.has(1)
