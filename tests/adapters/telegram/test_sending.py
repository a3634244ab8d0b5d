"""Parts on their way out, and what each failure means for them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from adapters.types import Button, File, Live, NotSentError, Origin, Part, RefusedError, Reply, Source, UnknownError
from tests.adapters.telegram.house import House, until
from tests.rigs.telegram import Limits

if TYPE_CHECKING:
    from adapters.types import DeliveryError
    from tests.rigs.telegram import Telegram
    from tests.rigs.telegram.records import Shown

SOURCES = (
    Source(1, "home", "boiler.pdf", "Boiler manual", "p. 3", None, 0.9, "Turn the blue valve."),
    Source(2, "home", "notes.md", "notes.md", None, "https://example.org/notes", 0.8, "Blue."),
)
BUTTONS = (
    Button("source", "[1]", "s1"),
    Button("source", "[2]", "s2"),
    Button("like", "👍", "up"),
    Button("retry", "🔄", "again"),
)


async def deliver(house: House, reply: Reply, count: int = 1, live: str | None = None) -> list[str | None]:
    origin = await house.origin(count, live)
    parts = house.platform.parts(origin, reply)
    return [await house.platform.send(origin, part, f"{count}.{n}") for n, part in enumerate(parts)]


async def send(house: House, text: str = "Hello **you**", key: str = "1.0", tried_s: float | None = None) -> str | None:
    origin = await house.origin()
    (part,) = house.platform.parts(origin, Reply(text))
    return await house.platform.send(origin, part, key, tried_s=tried_s)


def said(rig: Telegram, chat: int | None = None) -> list[Shown]:
    return rig.ledger.by_bot(chat)


async def test_an_answer_arrives_with_its_sources_and_buttons(rig: Telegram, house: House) -> None:
    nora = rig.person("Nora")
    nora.say("how?")
    await deliver(house, Reply("Turn the **blue** valve [1].", citations=SOURCES, buttons=BUTTONS, untrusted=True))
    (shown,) = said(rig)
    assert shown.text == "Turn the blue valve [1].\n\n[1] Boiler manual › p. 3\n[2] notes.md"
    assert shown.labels() == ["[1]", "[2]", "👍", "🔄"]
    assert [len(row) for row in shown.buttons] == [2, 2]
    assert rig.ledger.links(shown) == [("text_link", "https://example.org/notes")]
    assert (shown.preview, shown.reply_to) == (False, None)
    assert not rig.ledger.violations()
    assert not rig.ledger.parse_modes


async def test_the_notice_of_a_lost_answer_says_which_question_it_is_about(rig: Telegram, house: House) -> None:
    nora = rig.person("Nora")
    asked = [nora.say("how?"), nora.say("and when?")]
    await house.host.has(2)
    origin = await house.origin(1)
    notice = Reply("My last message may not have arrived.", error="may_not_have_arrived")
    (part,) = house.platform.parts(origin, notice)
    await house.platform.send(origin, part, "1.1")
    assert [shown.reply_to for shown in said(rig)] == [asked[0].id]


async def test_links_that_no_source_contains_are_text(rig: Telegram, house: House) -> None:
    rig.person("Nora").say("how?")
    text = "See [here](https://evil.example) or https://evil.example/x or https://example.org/notes"
    await deliver(house, Reply(text, citations=SOURCES, untrusted=True))
    links = {target for _, target in rig.ledger.links(said(rig)[0])}
    assert links == {"https://example.org/notes"}


async def test_a_long_answer_arrives_whole_in_order_with_buttons_at_its_end(rig: Telegram, house: House) -> None:
    rig.person("Nora").say("how?")
    words = [f"word{n}" for n in range(2000)]
    await deliver(house, Reply(" ".join(words), citations=SOURCES, buttons=BUTTONS))
    shown = said(rig)
    assert len(shown) > 3
    assert " ".join(one.text for one in shown).split()[:2000] == words
    assert [bool(one.buttons) for one in shown] == [False] * (len(shown) - 1) + [True]
    assert not rig.ledger.violations()


async def test_past_a_setting_it_is_a_file_with_a_summary(rig: Telegram) -> None:
    async with House(rig, file_from_chars=2000) as house:
        rig.person("Nora").say("how?")
        text = "The short of it.\n\n" + "\n\n".join(f"Paragraph {n} " + "x" * 80 for n in range(100))
        await deliver(house, Reply(text, citations=SOURCES, buttons=BUTTONS))
        summary, document = said(rig)
        assert summary.text.startswith("The short of it.")
        assert "The whole answer is in the file." in summary.text
        assert document.media is not None
        assert document.media.name == "answer.md"
        assert document.media.data.decode().startswith(text)
        assert document.labels() == ["[1]", "[2]", "👍", "🔄"]


async def test_a_file_goes_with_the_reply(rig: Telegram, house: House) -> None:
    rig.person("Nora").say("/mydata")
    await deliver(house, Reply("Here it is.", file=File("data.json", '{"a": 1}')))
    text, document = said(rig)
    assert document.media is not None
    assert (text.text, document.media.name, document.media.data) == ("Here it is.", "data.json", b'{"a": 1}')


async def test_in_a_group_it_replies_in_the_topic(rig: Telegram, house: House) -> None:
    nora = rig.person("Nora")
    group = rig.supergroup("Home", nora, topics=("Garden",))
    topic = group.topics["Garden"]
    asked = nora.say("@grillon_bot roses?", group, thread=topic)
    await deliver(house, Reply("In May."))
    (shown,) = said(rig, group.id)
    assert (shown.reply_to, shown.thread) == (asked.id, topic)


async def test_in_a_group_each_part_says_what_it_answers(rig: Telegram, house: House) -> None:
    nora = rig.person("Nora")
    group = rig.supergroup("Home", nora)
    asked = nora.say("@grillon_bot how?", group)
    await deliver(house, Reply("word " * 2000))
    assert [one.reply_to for one in said(rig, group.id)] == [asked.id] * 3


async def test_in_private_it_replies_to_what_is_not_the_newest(rig: Telegram, house: House) -> None:
    nora = rig.person("Nora")
    first = nora.say("one")
    nora.say("two")
    await house.host.has(2)
    await deliver(house, Reply("1"), 1)
    await deliver(house, Reply("2"), 2)
    assert [one.reply_to for one in said(rig, nora.id)] == [first.id, None]


FAILURES = [
    ("429", NotSentError), ("500", UnknownError), ("502", UnknownError), ("500_after", UnknownError), ("drop", UnknownError),
    ("drop_after", UnknownError), ("hang", UnknownError), ("hang_after", UnknownError), ("garbage_after", UnknownError),
    ("blocked", RefusedError), ("kicked", RefusedError), ("no_right", RefusedError), ("401", NotSentError),
    ("forbidden", NotSentError), ("lost", NotSentError),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "means"), FAILURES)
async def test_what_a_failure_means(rig: Telegram, kind: str, means: type[DeliveryError]) -> None:
    async with House(rig, call_timeout_s=0.3) as house:
        rig.person("Nora").say("hello")
        await house.origin()
        rig.faults.add(kind, "sendMessage", retry_after=0.5)
        with pytest.raises(means):
            await send(house)
        assert len(rig.ledger.calls_of("sendMessage")) == 1


async def test_without_a_network_it_surely_was_not_sent(rig: Telegram, house: House) -> None:
    rig.person("Nora").say("hello")
    await house.origin()
    async with rig.offline():
        with pytest.raises(NotSentError):
            await send(house)
    await send(house)
    assert len(said(rig)) == 1


async def test_a_chat_that_must_wait_waits_alone(rig: Telegram, house: House) -> None:
    nora, karim = rig.person("Nora"), rig.person("Karim")
    nora.say("hello")
    karim.say("hi")
    await house.host.has(2)
    by_chat = {message.chat: n for n, message in enumerate(house.host.messages, 1)}
    rig.faults.add("429", "sendMessage", chat=nora.id, retry_after=1)
    with pytest.raises(NotSentError) as caught:
        await deliver(house, Reply("for Nora"), by_chat[str(nora.id)])
    assert caught.value.retry_after == 1
    waiting = asyncio.create_task(deliver(house, Reply("for Nora"), by_chat[str(nora.id)]))
    await deliver(house, Reply("for Karim"), by_chat[str(karim.id)])
    assert not waiting.done()
    await waiting
    assert not rig.ledger.violations("impatient")
    assert house.platform.status.limited == 1
    assert [one.text for one in said(rig)] == ["for Nora", "for Karim"]


async def test_what_may_have_arrived_is_never_sent_again(rig: Telegram, house: House) -> None:
    rig.person("Nora").say("hello")
    with pytest.raises(UnknownError):
        await send(house, tried_s=3)
    assert not rig.ledger.calls_of("sendMessage")


async def test_refused_entities_go_once_as_plain_text(rig: Telegram, house: House) -> None:
    rig.person("Nora").say("hello")
    await house.origin()
    rig.faults.add("entities", "sendMessage")
    await send(house)
    (shown,) = said(rig)
    assert (shown.text, shown.entities) == ("Hello you", ())


async def test_refused_for_good_it_is_not_tried_for_ever(rig: Telegram, house: House) -> None:
    rig.person("Nora").say("hello")
    await house.origin()
    rig.faults.add("entities", "sendMessage", times=None)
    with pytest.raises(RefusedError):
        await send(house)
    assert len(rig.ledger.calls_of("sendMessage")) == 2


async def test_a_deleted_topic_is_left_out(rig: Telegram, house: House) -> None:
    nora = rig.person("Nora")
    group = rig.supergroup("Home", nora, topics=("Garden",))
    nora.say("@grillon_bot roses?", group, thread=group.topics["Garden"])
    await house.origin()
    group.chat.topics.clear()
    await send(house)
    assert [one.text for one in said(rig, group.id)] == ["Hello you"]
    assert ["message_thread_id" in call.parameters for call in rig.ledger.calls_of("sendMessage")] == [True, False]


async def test_a_group_that_moved_gets_its_answer(rig: Telegram, house: House) -> None:
    nora = rig.person("Nora")
    group = rig.group("Home", nora)
    nora.say("@grillon_bot hello", group)
    await house.origin()
    new = group.migrate()
    rig.updates.drop()
    sent = await send(house)
    (shown,) = said(rig, new.id)
    assert sent == f"{new.id}:{shown.id}"
    assert house.host.moves == [(str(group.id), str(new.id))]


async def test_the_first_part_takes_the_place_of_the_live_message(rig: Telegram, house: House) -> None:
    nora = rig.person("Nora")
    group = rig.supergroup("Home", nora)
    nora.say("@grillon_bot hello", group)
    (live,) = await deliver(house, Reply("Hel"))
    assert await deliver(house, Reply("Hello you", buttons=BUTTONS), live=live) == [live]
    (shown,) = said(rig, group.id)
    assert (shown.text, len(shown.history)) == ("Hello you", 2)
    assert await deliver(house, Reply("Hello you", buttons=BUTTONS), live=live) == [live]


@pytest.mark.parametrize("kind", ["500", "500_after", "drop_after"])
async def test_an_edit_is_tried_again_whatever_became_of_it(rig: Telegram, house: House, kind: str) -> None:
    nora = rig.person("Nora")
    group = rig.supergroup("Home", nora)
    nora.say("@grillon_bot hello", group)
    (live,) = await deliver(house, Reply("Hel"))
    rig.faults.add(kind, "editMessageText")
    with pytest.raises(NotSentError):
        await deliver(house, Reply("Hello"), live=live)
    origin = await house.origin(live=live)
    (part,) = house.platform.parts(origin, Reply("Hello"))
    assert await house.platform.send(origin, part, "1.0", tried_s=2) == live
    assert [one.text for one in said(rig, group.id)] == ["Hello"]


async def test_a_live_message_that_is_gone_is_not_missed(rig: Telegram, house: House) -> None:
    nora = rig.person("Nora")
    group = rig.supergroup("Home", nora)
    nora.say("@grillon_bot hello", group)
    origin = await house.origin(live=f"{group.id}:9999")
    (part,) = house.platform.parts(origin, Reply("Hello"))
    with pytest.raises(UnknownError):
        await house.platform.send(origin, part, "1.0", tried_s=2)
    await house.platform.send(origin, part, "1.0")
    assert [one.text for one in said(rig, group.id)] == ["Hello"]


async def test_a_part_that_is_refused_leaves_nothing_behind(rig: Telegram, house: House) -> None:
    nora = rig.person("Nora")
    group = rig.supergroup("Home", nora)
    nora.say("@grillon_bot hello", group)
    origin = await house.origin()
    live = await house.platform.show(origin, lambda: Live("Hel"))
    group.mute_bot()
    with pytest.raises(RefusedError):
        await deliver(house, Reply("Hello"), live=live)
    assert not await house.ledger.all("live.")
    assert not house.platform._showings._all


async def test_before_it_runs_nothing_was_sent(rig: Telegram, house: House) -> None:
    rig.person("Nora").say("hello")
    await house.origin()
    await house.stop()
    with pytest.raises(NotSentError):
        await send(house)
    await house.start()


async def test_budgets_hold_over_all_calls(rig: Telegram) -> None:
    rig.limits = Limits(private=(3, 3.0), group=(20, 60.0), overall=(30, 1.0))
    async with House(rig, chat_per_second=1, group_per_minute=20, global_per_second=30) as house:
        rig.person("Nora").say("hello")
        origin = await house.origin()
        await asyncio.gather(*(house.platform.send(origin, Part(_text(n)), f"1.{n}") for n in range(5)))
        assert len(said(rig)) == 5
        assert not rig.ledger.violations()


async def test_a_send_that_is_cancelled_leaves_nothing_in_flight(rig: Telegram, house: House) -> None:
    rig.person("Nora").say("hello")
    await house.origin()
    rig.faults.add("slow", "sendMessage", delay_s=0.3)
    task = asyncio.create_task(send(house))
    await until(lambda: said(rig))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert rig.ledger.calls_of("sendMessage")[0].status == 200


def _text(n: int) -> dict[str, object]:
    return {"kind": "text", "text": str(n), "entities": [], "plain": str(n)}


def test_an_empty_reply_is_one_message_all_the_same(rig: Telegram) -> None:
    house = House(rig)
    origin = Origin(1, None, 0.0)  # type: ignore[arg-type]
    assert len(house.platform.parts(origin, Reply(""))) == 1
