"""An answer while it is written: a sign of life, its place in the line, its words, and never more than the channel takes."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from adapters.types import Button, Live, NotSentError, Part, Reply
from tests.adapters.discord.house import Home
from tests.rigs.discord import Discord

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from adapters.types import Origin

STOP = Button("stop", "🛑", "code-stop")


@pytest.fixture
async def rig() -> AsyncIterator[Discord]:
    """A stand-in with Discord's own limits, whose bot does nothing wrong."""
    async with Discord() as rig:
        yield rig
        assert rig.violations == []


async def test_typing_then_the_place_then_words_then_the_answer_in_one_message(rig: Discord) -> None:
    alice = rig.person("Alice")
    home = Home(rig)
    async with home.open():
        asked = alice.say(alice.dm, "q")
        await home.true(lambda: home.host.messages)
        assert await home.platform.show(home.origin(), Live) is None
        assert await home.platform.show(home.origin(), Live) is None
        assert len(rig.ledger.typing(alice.dm)) == 1
        id_ = await home.platform.show(home.origin(), lambda: Live(note="You are third.", stop=STOP))
        (post,) = rig.ledger.by_bot(alice.dm)
        assert (post.id, post.content, post.reference) == (id_, "You are third.", asked)
        assert [button["custom_id"] for button in post.buttons] == ["code-stop"]
        assert await home.platform.show(home.origin(live=id_), lambda: Live("The **answ", stop=STOP)) == id_
        assert post.content == "The **answ**"
        assert await home.platform.show(home.origin(live=id_), lambda: None) == id_
        await home.answer("The **answer**", live=id_)
    assert (post.content, post.buttons) == ("The **answer**", [])
    assert "edit" in home.points


async def test_of_a_long_answer_the_last_words_are_shown_and_nothing_in_it_is_a_link(rig: Discord) -> None:
    alice = rig.person("Alice")
    home = Home(rig)
    async with home.open():
        alice.say(alice.dm, "q")
        await home.true(lambda: home.host.messages)
        await home.platform.show(home.origin(), lambda: Live("https://evil.example @everyone " + "word " * 900 + "newest"))
    (post,) = rig.ledger.by_bot(alice.dm)
    assert post.content.endswith("newest")
    assert len(post.content) <= 2000
    assert not post.everyone


async def test_a_crash_between_showing_and_remembering_doubles_nothing(rig: Discord) -> None:
    alice = rig.person("Alice")
    home = Home(rig)
    async with home.open():
        alice.say(alice.dm, "q")
        await home.true(lambda: home.host.messages)
        shown = await home.platform.show(home.origin(), lambda: Live("first words"))
    home.new()
    async with home.open():
        again = await home.platform.show(home.origin(), lambda: Live("first words and more"))
        await home.answer("the whole", live=again)
    assert shown == again
    assert [post.content for post in rig.ledger.by_bot(alice.dm)] == ["the whole"]


async def test_long_after_a_crash_the_message_that_showed_it_is_found_again(rig: Discord) -> None:
    rig.script.nonce_s = 0.05
    alice = rig.person("Alice")
    home = Home(rig, deadlines={"nonce_s": 0.05})
    async with home.open():
        alice.say(alice.dm, "q")
        await home.true(lambda: home.host.messages)
        shown = await home.platform.show(home.origin(), lambda: Live("first words"))
    home.new()
    await asyncio.sleep(0.1)
    async with home.open():
        origin = home.origin()
        origin = type(origin)(origin.inbox_id, origin.message, origin.received_at - 1)
        assert await home.platform.show(origin, lambda: Live("first words and more")) == shown
    assert len(rig.ledger.by_bot(alice.dm)) == 1


async def test_a_command_shows_its_answer_where_it_was_thinking(rig: Discord) -> None:
    alice = rig.person("Alice")
    home = Home(rig)
    async with home.open():
        await home.true(lambda: rig.commands)
        it = alice.slash("ask", {"question": "q"}, where=alice.dm)
        await home.true(lambda: home.host.messages)
        await home.platform.show(home.origin(), Live)
        id_ = await home.platform.show(home.origin(), lambda: Live("first words", stop=STOP))
        assert it.original is not None
        assert (it.original.id, it.original.content) == (id_, "first words")
    assert rig.ledger.typing(alice.dm) == []


async def test_what_cannot_be_shown_costs_nothing(rig: Discord) -> None:
    alice = rig.person("Alice")
    home = Home(rig)
    assert await home.platform.show(await _somebody(rig, home), lambda: Live("x")) is None
    async with home.open():
        alice.say(alice.dm, "q")
        await home.true(lambda: len(home.host.messages) == 1)
        rig.fault("5xx", "*", times=2)
        assert await home.platform.show(home.origin(), Live) is None
        assert await home.platform.show(home.origin(), lambda: Live("x")) is None
        assert await home.platform.show(home.origin(), lambda: Live("x")) is not None


async def test_cancelled_while_it_is_shown_no_call_comes_after_the_final_text(rig: Discord) -> None:
    alice = rig.person("Alice")
    home = Home(rig)
    async with home.open():
        alice.say(alice.dm, "q")
        await home.true(lambda: home.host.messages)
        id_ = await home.platform.show(home.origin(), lambda: Live("a"))
        for n in range(3):
            showing = asyncio.create_task(home.platform.show(home.origin(live=id_), lambda n=n: Live(f"words {n}")))  # type: ignore[misc]
            await asyncio.sleep(0.001 * n)
            showing.cancel()
            await asyncio.wait({showing})
        await home.answer("final", live=id_)
        await asyncio.sleep(0.2)
    (post,) = rig.ledger.by_bot(alice.dm)
    assert post.content == "final"


async def test_each_question_is_told_by_typing_that_it_is_heard(rig: Discord) -> None:
    """Discord takes the line away when the answer comes: the next question needs another, however soon it is asked."""
    alice = rig.person("Alice")
    home = Home(rig)
    async with home.open():
        for n in (1, 2):
            alice.say(alice.dm, f"q{n}")
            await home.true(lambda n=n: len(home.host.messages) == n)
            await home.platform.show(home.origin(), Live)
            await home.platform.show(home.origin(), Live)
            await home.answer(f"a{n}")
            assert len(rig.ledger.typing(alice.dm)) == n


async def test_a_live_message_that_said_it_all_already_gets_the_buttons_of_the_answer(rig: Discord) -> None:
    """Who showed it was stopped before it knew which message that was: the nonce brings it back, word for word."""
    alice = rig.person("Alice")
    home = Home(rig)
    async with home.open():
        alice.say(alice.dm, "q")
        await home.true(lambda: home.host.messages)
        await home.platform.show(home.origin(), lambda: Live("The answer", stop=STOP))
        await home.answer(Reply("The answer", buttons=(Button("like", "👍", "code-like"),)))
    (post,) = rig.ledger.by_bot(alice.dm)
    assert [button["custom_id"] for button in post.buttons] == ["code-like"]


async def test_streaming_keeps_within_the_channels_budget_and_shows_what_is_newest(rig: Discord) -> None:
    alice = rig.person("Alice")
    home = Home(rig, budgets={"channel_per_5_s": 8, "edit_every_s": 0.3, "global_per_s": 45})
    words = [0]
    async with home.open():
        alice.say(alice.dm, "q")
        await home.true(lambda: home.host.messages)
        began, id_ = time.monotonic(), None
        while time.monotonic() - began < 1.5:
            words[0] += 1
            id_ = await home.platform.show(home.origin(live=id_), lambda: Live("w" * words[0]))
            await asyncio.sleep(0.01)
        await home.answer("final", live=id_)
    (post,) = rig.ledger.by_bot(alice.dm)
    assert post.content == "final"
    assert 4 <= len(post.history) <= 7
    assert all(call.status != 429 for call in rig.calls)


async def test_many_429s_are_waited_out_and_nothing_is_cut(rig: Discord) -> None:
    rig.fault("429", "message.*", times=None, probability=0.2, retry_after=0.15)
    home = Home(rig, budgets={"channel_per_5_s": 5, "edit_every_s": 1, "global_per_s": 45})
    people = [rig.person(f"P{n}") for n in range(8)]
    async with home.open():
        for person in people:
            person.say(person.dm, "q")
        await home.true(lambda: len(home.host.messages) == len(people))
        await asyncio.gather(*(home.answer("word " * 700, n=n) for n in range(len(people))))
    for person in people:
        assert " ".join(post.content for post in rig.ledger.by_bot(person.dm)).count("word") == 700


async def _somebody(rig: Discord, home: Home) -> Origin:
    other = Home(rig)
    carol = rig.person("Carol")
    async with other.open():
        carol.say(carol.dm, "x")
        await other.true(lambda: other.host.messages)
        origin = other.origin()
    with pytest.raises(NotSentError):
        await home.platform.send(origin, Part({"content": "x"}), "9.0")
    return origin
