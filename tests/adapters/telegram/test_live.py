"""An answer while it is written: drafts in private, one edited message in groups."""

from __future__ import annotations

import asyncio
import time
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from adapters.types import Button, Live, Reply
from tests.adapters.telegram.house import House, until
from tests.rigs.telegram import Limits

if TYPE_CHECKING:
    from adapters.types import Origin
    from tests.rigs.telegram import Telegram

STOP = Button("stop", "🛑", "stop-it")


async def show(house: House, origin: Origin, text: str = "", note: str | None = None) -> str | None:
    return await house.platform.show(origin, lambda: Live(text, note, STOP))


async def test_in_private_typing_then_drafts_then_one_message(rig: Telegram, house: House) -> None:
    nora = rig.person("Nora")
    asked = nora.say("how?")
    origin = await house.origin()
    assert await show(house, origin) is None
    sign = rig.ledger.first_sign_of_life(asked)
    assert sign is not None
    assert sign.kind == "action"
    await show(house, origin, note="You are third in line.")
    await show(house, origin, "Turn the **bl")
    await show(house, origin, "Turn the **blue** valve")
    assert [draft.text for draft in rig.ledger.drafts(nora.id)] == [
        "You are third in line.",
        "Turn the bl",
        "Turn the blue valve",
    ]
    assert {draft.id for draft in rig.ledger.drafts(nora.id)} == {1}
    (part,) = house.platform.parts(origin, Reply("Turn the blue valve."))
    await house.platform.send(origin, part, "1.0")
    assert [one.text for one in rig.ledger.by_bot(nora.id)] == ["Turn the blue valve."]
    assert not rig.ledger.violations()


async def test_a_draft_goes_to_its_topic_and_says_each_thing_once(rig: Telegram, house: House) -> None:
    rig.world.private_topics = True
    nora = rig.person("Nora")
    topic = nora.topic("Cooking")
    nora.say("soup?", thread=topic)
    origin = await house.origin()
    for _ in range(3):
        await show(house, origin, "Leeks")
    assert [(draft.text, draft.thread) for draft in rig.ledger.drafts(nora.id)] == [("Leeks", topic)]


async def test_in_a_group_eyes_then_one_message_with_a_stop_button(rig: Telegram, house: House) -> None:
    nora = rig.person("Nora")
    group = rig.supergroup("Home", nora)
    asked = nora.say("@grillon_bot how?", group)
    origin = await house.origin()
    assert await show(house, origin, note="in line") is None
    assert [one.emoji for one in asked.reactions] == [("👀",)]
    live = await show(house, origin, "Turn")
    assert await show(house, origin, "Turn the") == live
    (shown,) = rig.ledger.by_bot(group.id)
    assert live == f"{group.id}:{shown.id}"
    assert (shown.text, shown.labels(), shown.reply_to, len(shown.history)) == ("Turn the", ["🛑"], asked.id, 2)
    (part,) = house.platform.parts(origin, Reply("Turn the valve."))
    assert await house.platform.send(origin, part, "1.0") == live
    assert (shown.text, shown.labels()) == ("Turn the valve.", [])
    assert not await house.ledger.all("live.")
    assert "edit" in house.points


async def test_the_live_message_is_found_again_after_a_crash(rig: Telegram, house: House) -> None:
    nora = rig.person("Nora")
    group = rig.supergroup("Home", nora)
    nora.say("@grillon_bot how?", group)
    origin = await house.origin()
    live = await show(house, origin, "Turn")
    async with House(rig, ledger=house.ledger, host=house.host) as after:
        await house.stop()
        (part,) = after.platform.parts(origin, Reply("Turn the valve."))
        assert await after.platform.send(origin, part, "1.0") == live
    assert [one.text for one in rig.ledger.by_bot(group.id)] == ["Turn the valve."]
    await house.start()


async def test_a_live_message_that_may_be_there_is_not_doubled(rig: Telegram, house: House) -> None:
    nora = rig.person("Nora")
    group = rig.supergroup("Home", nora)
    nora.say("@grillon_bot how?", group)
    origin = await house.origin()
    rig.faults.add("500_after", "sendMessage")
    for text in ("Turn", "Turn the", "Turn the valve"):
        assert await show(house, origin, text) is None
    assert len(rig.ledger.calls_of("sendMessage")) == 1


async def test_where_there_are_no_drafts_it_edits(rig: Telegram, house: House) -> None:
    nora = rig.person("Nora")
    nora.say("how?")
    origin = await house.origin()
    rig.faults.add("400", "sendMessageDraft", text="Bad Request: TEXTDRAFT_PEER_INVALID", times=None)
    assert await show(house, origin, "Turn") is None
    live = await show(house, origin, "Turn the")
    (part,) = house.platform.parts(origin, Reply("Turn the valve."))
    assert await house.platform.send(origin, part, "1.0") == live
    assert [one.text for one in rig.ledger.by_bot(nora.id)] == ["Turn the valve."]


async def test_nothing_is_shown_when_it_is_over(rig: Telegram, house: House) -> None:
    rig.person("Nora").say("how?")
    origin = await house.origin()
    assert await house.platform.show(origin, lambda: None) is None
    assert not rig.ledger.actions
    assert not rig.ledger.all_drafts


@pytest.mark.parametrize("kind", ["429", "500", "drop", "blocked"])
async def test_it_is_best_effort(rig: Telegram, house: House, kind: str) -> None:
    nora = rig.person("Nora")
    nora.say("how?")
    origin = await house.origin()
    rig.faults.add(kind, "sendChatAction", retry_after=0.2)
    rig.faults.add(kind, "sendMessageDraft", retry_after=0.2)
    for _ in range(3):
        await show(house, origin, "Turn")
    assert [draft.text for draft in rig.ledger.drafts(nora.id)] == ["Turn"]
    assert not rig.ledger.violations()


async def test_cancelling_it_leaves_nothing_in_flight_and_knows_what_it_sent(rig: Telegram, house: House) -> None:
    nora = rig.person("Nora")
    group = rig.supergroup("Home", nora)
    nora.say("@grillon_bot how?", group)
    origin = await house.origin()
    rig.faults.add("slow", "sendMessage", delay_s=0.3)
    task = asyncio.create_task(show(house, origin, "Turn"))
    await until(lambda: rig.ledger.by_bot(group.id))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    (part,) = house.platform.parts(origin, Reply("Turn the valve."))
    await house.platform.send(origin, part, "1.0")
    assert [one.text for one in rig.ledger.by_bot(group.id)] == ["Turn the valve."]


async def test_a_long_text_shows_its_last_words(rig: Telegram, house: House) -> None:
    nora = rig.person("Nora")
    nora.say("how?")
    origin = await house.origin()
    await show(house, origin, " ".join(f"word{n}" for n in range(3000)))
    (draft,) = rig.ledger.drafts(nora.id)
    assert draft.text.endswith("word2999")
    assert not rig.ledger.violations()


async def test_drafts_keep_to_the_budget_and_say_the_newest(rig: Telegram) -> None:
    rig.limits = Limits(private=(3, 3.0), group=(20, 60.0), overall=(30, 1.0))
    async with House(rig, chat_per_second=1, group_per_minute=20, global_per_second=30) as house:
        nora = rig.person("Nora")
        nora.say("how?")
        origin = await house.origin()
        began = time.monotonic()

        def live() -> Live:
            return Live(f"after {time.monotonic() - began:.1f}", stop=STOP)

        while time.monotonic() - began < 2.5:
            await house.platform.show(origin, live)
        (part,) = house.platform.parts(origin, Reply("done"))
        await house.platform.send(origin, part, "1.0")
        drafts = rig.ledger.drafts(nora.id)
        assert len(drafts) >= 3
        assert all(abs(float(draft.text.split()[1]) - (draft.at - began)) < 0.5 for draft in drafts)
        assert [one.text for one in rig.ledger.by_bot(nora.id)] == ["done"]
        assert not rig.ledger.violations()


async def test_a_group_keeps_a_call_for_each_part(rig: Telegram) -> None:
    async with House(rig, group_per_minute=3) as house:
        house.platform._showings._group_s = 0
        nora = rig.person("Nora")
        group = rig.supergroup("Home", nora)
        nora.say("@grillon_bot how?", group)
        origin = await house.origin()
        await show(house, origin, "x " * 3000)
        task = asyncio.create_task(show(house, origin, "x " * 3500))
        await asyncio.sleep(0.3)
        assert not task.done()
        task.cancel()
        parts = house.platform.parts(origin, Reply("x " * 3500))
        for n, part in enumerate(parts):
            await asyncio.wait_for(house.platform.send(origin, part, f"1.{n}"), 1)
        assert len(parts) == 2
        await asyncio.gather(task, return_exceptions=True)


async def test_in_a_group_it_edits_at_a_pace(rig: Telegram) -> None:
    async with House(rig, group_per_minute=20) as house:
        house.platform._showings._group_s = 0.5
        nora = rig.person("Nora")
        group = rig.supergroup("Home", nora)
        nora.say("@grillon_bot how?", group)
        origin = await house.origin()
        for n in range(4):
            await show(house, origin, f"word {n}")
        (shown,) = rig.ledger.by_bot(group.id)
        times = [version.at for version in shown.history]
        assert len(times) == 4
        assert all(after - before > 0.4 for before, after in pairwise(times))


async def test_a_note_in_a_group_is_a_message_when_the_wait_is_worth_it(rig: Telegram, house: House) -> None:
    nora = rig.person("Nora")
    group = rig.supergroup("Home", nora)
    nora.say("@grillon_bot how?", group)
    origin = await house.origin()
    assert await show(house, origin, note="in line") is None
    house.platform._showings._all[1].began -= 3
    live = await show(house, origin, note="in line")
    assert live is not None
    assert await show(house, origin, "Turn") == live
