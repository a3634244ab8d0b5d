"""Everything at once: nothing is lost or doubled, order is kept; and updates of any shape."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.telegram.addressed import Ear, Me
from adapters.telegram.updates import MalformedError, chat_of, read, update_id
from adapters.types import Button, DeliveryError, File, NotSentError, Origin, Reply, Source, UnknownError
from tests.adapters.telegram.house import House

if TYPE_CHECKING:
    from tests.rigs.telegram import Telegram

EAR = Ear(Me(7, "grillon_bot"), frozenset({"-5"}), frozenset({"ask"}))
KEYS = [
    "update_id", "message", "edited_message", "callback_query", "chat", "from", "id", "type", "text", "caption", "entities",
    "date", "message_id", "is_bot", "photo", "document", "file_id", "file_size", "reply_to_message", "message_thread_id",
    "data", "user",
    "is_topic_message", "media_group_id", "offset", "length", "migrate_to_chat_id", "first_name", "width",
]  # fmt: skip
LEAVES = st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.sampled_from(
    ["private", "group", "mention", "text_mention", "@grillon_bot", "/ask", "\ud800", "\x00", "", "😀"]
) | st.text(max_size=8) | st.floats()  # fmt: skip
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=8), max_leaves=40
)
WHOLE: dict[str, Any] = {
    "message_id": 5, "date": 1, "text": "@grillon_bot hi", "entities": [{"type": "mention", "offset": 0, "length": 12}],
    "chat": {"id": -9, "type": "supergroup"}, "from": {"id": 3, "is_bot": False, "first_name": "Nora"},
    "reply_to_message": {"message_id": 4, "from": {"id": 7}}, "photo": [{"file_id": "a", "width": 1, "height": 1}],
}  # fmt: skip


def taken(update: Any) -> None:
    """Read as the intake does: nothing but `MalformedError` may come out."""
    try:
        update_id(update)
        chat_of(update)
        read(update, EAR)
    except MalformedError:
        return


@settings(max_examples=150, deadline=None)
@given(JSON)
def test_an_update_of_any_shape_is_read_or_malformed(update: Any) -> None:
    taken(update)
    taken({"update_id": 1, "message": update})


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(WHOLE)), JSON)
def test_one_strange_field_harms_nothing_else(field: str, value: Any) -> None:
    for kind in ("message", "edited_message"):
        taken({"update_id": 1, kind: {**WHOLE, field: value}})
    taken({"update_id": 1, "callback_query": {"id": "1", "data": "x", "from": WHOLE["from"], "message": {**WHOLE, field: value}}})


def test_text_is_stored_without_what_no_database_takes() -> None:
    message = {**WHOLE, "text": "@grillon_bot a\x00b\ud800c", "chat": {"id": 9, "type": "private"}}
    piece = read({"update_id": 1, "message": message}, EAR)
    assert piece.message.text == "ab\ufffdc"  # type: ignore[union-attr]


@pytest.mark.parametrize("seed", [1, 2])
async def test_nothing_is_lost_or_doubled_in_a_bad_hour(rig: Telegram, seed: int) -> None:
    chance = random.Random(seed)
    house = House(rig)
    house.host.fails = lambda _: chance.random() < 0.2
    for kind in ("500", "drop", "drop_after", "502", "garbage", "429", "500_after"):
        rig.faults.add(kind, "getUpdates", times=None, probability=0.05, retry_after=0.1)
    people = [rig.person(f"P{n}") for n in range(12)]
    await house.start()
    for turn in range(10):
        for n, person in enumerate(people):
            person.say(f"{n}:{turn}")
        await asyncio.sleep(chance.random() / 10)
        if turn in (3, 6):
            await house.stop()
            await house.start()
    rig.faults.clear()
    messages = await house.host.has(120)
    await house.stop()
    for n, person in enumerate(people):
        assert [one.text for one in messages if one.sender == str(person.id)] == [f"{n}:{turn}" for turn in range(10)]


@pytest.mark.parametrize("seed", [1, 2])
async def test_answers_are_never_doubled_and_each_loss_is_told(rig: Telegram, seed: int) -> None:
    chance = random.Random(seed)
    async with House(rig, call_timeout_s=0.3) as house:
        people = [rig.person(f"P{n}") for n in range(30)]
        for person in people:
            person.say("how?")
        await house.host.has(30)
        for kind in ("429", "500", "500_after", "drop", "drop_after", "hang_after", "502", "entities"):
            rig.faults.add(kind, "sendMessage", times=None, probability=0.08, retry_after=0.1)

        async def answer(number: int) -> set[str]:
            """The marks of the parts that may not have arrived."""
            origin = Origin(number, house.host.messages[number - 1], 0.0)
            marks = [f"part-{number}-{n}" for n in range(3)]
            reply = Reply("\n\n".join(f"**{mark}** " + "word " * 700 for mark in marks))
            unknown = set()
            for n, part in enumerate(house.platform.parts(origin, reply)):
                while True:
                    try:
                        await house.platform.send(origin, part, f"{number}.{n}")
                    except NotSentError as error:
                        await asyncio.sleep(error.retry_after or 0.05)
                    except UnknownError:
                        unknown |= {mark for mark in marks if mark in part.payload["text"]}
                        break
                    else:
                        break
                await asyncio.sleep(chance.random() / 100)
            return unknown

        unknown = set().union(*await asyncio.gather(*(answer(n) for n in range(1, 31))))
        shown = " ".join(one.text for one in rig.ledger.by_bot())
        for mark in (f"part-{number}-{n}" for number in range(1, 31) for n in range(3)):
            assert shown.split().count(mark) == 1 or (mark in unknown and shown.split().count(mark) == 0)
        assert not rig.ledger.violations("impatient")


async def test_names_have_no_authority(rig: Telegram, house: House) -> None:
    rig.person("Nora").say("how?")
    origin = await house.origin()
    title = "**x** [a](https://evil.example) @nora /ask notes.md <b>\u202egpj\n\nhttps://evil.example/y `z"
    source = Source(1, "home", "d", title, title, "javascript:alert(1)", 0.5, "")
    reply = Reply(
        "Yes [1].",
        (source,),
        untrusted=True,
        buttons=(Button("source", "[1]\n" + title, "c"),),
        file=File("../../a\n\x00b.md", ""),
    )
    for n, part in enumerate(house.platform.parts(origin, reply)):
        await house.platform.send(origin, part, f"1.{n}")
    text, document = rig.ledger.by_bot()
    assert rig.ledger.links(text) == []
    assert document.media is not None
    assert document.media.name == "ab.md"
    assert not rig.ledger.violations()


async def test_a_chat_that_refuses_all_is_refused(rig: Telegram, house: House) -> None:
    nora = rig.person("Nora")
    nora.say("how?")
    origin = await house.origin()
    nora.block()
    with pytest.raises(DeliveryError):
        await house.platform.send(origin, house.platform.parts(origin, Reply("x"))[0], "1.0")
