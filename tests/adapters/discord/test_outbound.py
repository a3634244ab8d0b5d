"""What goes out: whole, once, to the right place, whatever the network does."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from adapters.types import Button, File, NotSentError, Part, RefusedError, Reply, Source
from tests.adapters.discord.house import Home
from tests.rigs.discord import Discord

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.rigs.discord import Channel

SOURCE = Source(1, "house", "doc", "Manual of the *boiler*", "p. 4", "https://example.org/manual", 0.9, "…")


@pytest.fixture
async def rig() -> AsyncIterator[Discord]:
    """A stand-in whose bot has no limits."""
    async with Discord(lifted=True) as rig:
        yield rig
        assert rig.violations == []


async def asked(rig: Discord, home: Home, text: str = "a question") -> Channel:
    """Somebody asks in a channel."""
    alice = rig.person("Alice")
    channel = alice.dm
    alice.say(channel, text)
    await home.true(lambda: text in home.host.texts)
    return channel


async def test_a_reply_is_a_quiet_reply_with_its_sources_and_buttons_on_the_last_part(rig: Discord) -> None:
    home = Home(rig)
    buttons = tuple(Button("source", f"[{n}] Manual", f"s{n}") for n in range(1, 8))
    buttons += (Button("like", "👍", "l"), Button("dislike", "👎", "d"), Button("retry", "🔄", "r"))
    reply = Reply("It is **warm** [1]. " + "word " * 700, citations=(SOURCE,), buttons=buttons, untrusted=True)
    async with home.open():
        channel = await asked(rig, home)
        await home.answer(reply)
    first, last = rig.ledger.by_bot(channel)
    assert first.reference is channel.posts[0]
    assert last.reference is None
    assert first.components == []
    assert [len(row["components"]) for row in last.components] == [5, 2, 3]
    assert "[1] Manual of the" in last.content.replace("\\", "")
    assert "› p. 4" in last.content
    bodies = [call.body for call in rig.calls if call.name == "message.create"]
    assert all(body["allowed_mentions"] == {"parse": [], "replied_user": False} for body in bodies)
    assert all(body["flags"] & 4 and body["enforce_nonce"] and len(body["nonce"]) <= 25 for body in bodies)
    assert [body["nonce"] for body in bodies] == ["1.0", "1.1"]


async def test_only_links_of_sources_are_links_and_nobody_is_mentioned(rig: Discord) -> None:
    home = Home(rig)
    text = "See [this](https://example.org/manual) and [that](https://evil.example/x) https://evil.example @everyone <@&1>"
    async with home.open():
        channel = await asked(rig, home)
        await home.answer(Reply(text, citations=(SOURCE,), untrusted=True))
    (post,) = rig.ledger.by_bot(channel)
    assert "https://example.org/manual" in post.content
    assert "https://evil.example" not in post.content.replace("\\", "​")
    assert (post.everyone, post.pings) == (False, [])


async def test_a_long_answer_is_a_file_with_a_summary_and_a_file_of_the_house_is_attached(rig: Discord) -> None:
    home = Home(rig, file_from_chars=3000)
    async with home.open():
        channel = await asked(rig, home)
        await home.answer(Reply("# Title\n" + "sentence. " * 900, citations=(SOURCE,), file=File("../my data.json", "{}")))
    (post,) = rig.ledger.by_bot(channel)
    assert "answer_in_file" in post.content.replace("\\", "")
    answer, data = post.files
    assert answer.name == "answer.md"
    assert answer.data.decode().count("sentence.") == 900
    assert data.data == b"{}"
    assert "/" not in data.name


@pytest.mark.parametrize(
    ("kind", "after"), [("drop", False), ("drop", True), ("5xx", False), ("5xx", True), ("hang", True), ("garbage", True)]
)
async def test_what_may_have_arrived_is_sent_again_with_its_nonce_and_arrives_once(rig: Discord, kind: str, after: bool) -> None:
    home = Home(rig, deadlines={"request_s": 0.5})
    async with home.open():
        channel = await asked(rig, home)
        rig.fault(kind, "message.create", after=after)
        (sent,) = await home.answer("only once")
    (post,) = rig.ledger.by_bot(channel)
    assert (post.content, post.id) == ("only once", sent)


@pytest.mark.parametrize("arrived", [True, False])
async def test_when_the_nonce_is_stale_the_history_tells(rig: Discord, arrived: bool) -> None:
    rig.script.nonce_s = 0.05
    home = Home(rig, deadlines={"nonce_s": 0.05})
    async with home.open():
        channel = await asked(rig, home)
        part = Part({"content": "**once**"})
        if arrived:
            await home.platform.send(home.origin(), part, "1.1")
        await asyncio.sleep(0.2)
        sent = await home.platform.send(home.origin(), part, "1.1", tried_s=3600)
    (post,) = rig.ledger.by_bot(channel)
    assert post.id == sent
    assert any(call.name == "history" for call in rig.calls)


async def test_a_try_in_the_call_itself_that_lasts_too_long_is_looked_for(rig: Discord) -> None:
    rig.script.nonce_s = 0.1
    home = Home(rig, deadlines={"nonce_s": 0.1})
    async with home.open():
        channel = await asked(rig, home)
        rig.fault("drop", "message.create", after=True)
        await home.answer("only once")
    assert [post.content for post in rig.ledger.by_bot(channel)] == ["only once"]


async def test_the_first_part_takes_the_place_of_what_was_shown_and_of_a_deleted_one_a_new_one_comes(rig: Discord) -> None:
    home = Home(rig)
    async with home.open():
        channel = await asked(rig, home)
        shown = await home.platform.send(home.origin(), Part({"content": "…"}), "1.0")
        await home.answer("the whole answer", live=shown)
        assert [post.content for post in rig.ledger.by_bot(channel)] == ["the whole answer"]
        rig.house.world.posts[str(shown)].deleted_at = time.monotonic()
        await home.answer("the whole answer", live=shown)
    assert [post.content for post in rig.ledger.by_bot(channel)] == ["the whole answer"]
    assert "edit" in home.points


async def test_a_live_message_that_a_crash_left_behind_is_not_doubled(rig: Discord) -> None:
    home = Home(rig)
    async with home.open():
        channel = await asked(rig, home)
        await home.platform.send(home.origin(), Part({"content": "half an ans"}), "1.0")
        await home.answer("half an answer, whole")
    assert [post.content for post in rig.ledger.by_bot(channel)] == ["half an answer, whole"]


async def test_a_429_pauses_its_channel_alone(rig: Discord) -> None:
    home = Home(rig)
    async with home.open():
        one, two = await asked(rig, home, "one"), await asked(rig, home, "two")
        rig.fault("429", "message.create", channel=one, retry_after=1.0)
        with pytest.raises(NotSentError) as told:
            await home.platform.send(home.origin(0), Part({"content": "x"}), "1.0")
        assert told.value.retry_after == pytest.approx(1.0, abs=0.2)
        began = time.monotonic()
        await home.answer("quick", n=1)
        assert time.monotonic() - began < 0.8
        await home.answer("late", n=0)
        assert home.platform.status.limited == 1
    assert [post.content for post in rig.ledger.by_bot(one)] == ["late"]
    assert [post.content for post in rig.ledger.by_bot(two)] == ["quick"]


@pytest.mark.parametrize(("status", "code"), [(403, 50013), (403, 50001), (403, 50007), (404, 10003)])
async def test_who_may_not_write_is_told_so(rig: Discord, status: int, code: int) -> None:
    home = Home(rig)
    async with home.open():
        await asked(rig, home)
        rig.fault("refuse", "message.create", status=status, code=code)
        with pytest.raises(RefusedError):
            await home.platform.send(home.origin(), Part({"content": "x"}), "1.0")


async def test_where_the_bot_may_not_read_it_answers_without_a_reference(rig: Discord) -> None:
    alice = rig.person("Alice")
    hall = rig.guild("Hearth", alice).channel("hall")
    hall.allow(history=False)
    home = Home(rig)
    async with home.open():
        alice.say(hall, "Who is there?", mention=True)
        await home.true(lambda: home.host.messages)
        await home.answer("Grillon.")
    (post,) = rig.ledger.by_bot(hall)
    assert (post.content, post.reference) == ("Grillon.", None)


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_a_page_of_a_proxy_refuses_nothing(rig: Discord, status: int) -> None:
    home = Home(rig)
    async with home.open():
        channel = await asked(rig, home)
        rig.fault("garbage", "message.create", status=status)
        with pytest.raises(NotSentError):
            await home.platform.send(home.origin(), Part({"content": "x"}), "1.0")
        await home.platform.send(home.origin(), Part({"content": "x"}), "1.0")
    assert [post.content for post in rig.ledger.by_bot(channel)] == ["x"]


async def test_who_is_shut_out_calls_nobody(rig: Discord) -> None:
    """A 429 without a word is not Discord's own: it holds for the whole house."""
    home = Home(rig)
    async with home.open():
        one, two = await asked(rig, home, "one"), await asked(rig, home, "two")
        rig.fault("429", "message.create", channel=one, scope="cloudflare")
        with pytest.raises(NotSentError) as told:
            await home.platform.send(home.origin(0), Part({"content": "x"}), "1.0")
        assert told.value.retry_after == 3600.0
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(home.platform.send(home.origin(1), Part({"content": "y"}), "2.0"), 0.3)
    assert rig.ledger.by_bot(two) == []


async def test_a_part_refused_for_its_form_goes_once_as_plain_text(rig: Discord) -> None:
    home = Home(rig)
    part = Part({"content": "**x**", "plain": "x"})
    async with home.open():
        channel = await asked(rig, home)
        rig.fault("refuse", "message.create", status=400, code=50035)
        await home.platform.send(home.origin(), part, "1.0")
        assert [post.content for post in rig.ledger.by_bot(channel)] == ["x"]
        rig.fault("refuse", "message.create", status=400, code=50035, times=2)
        with pytest.raises(RefusedError):
            await home.platform.send(home.origin(), part, "1.1")
        assert len(rig.ledger.by_bot(channel)) == 1


async def test_without_a_connection_nothing_was_sent(rig: Discord) -> None:
    home = Home(rig)
    async with home.open():
        await asked(rig, home)
    with pytest.raises(NotSentError):
        await home.platform.send(home.origin(), Part({"content": "x"}), "1.0")


async def test_a_part_on_its_way_outlives_an_outage(rig: Discord) -> None:
    home = Home(rig)
    async with home.open():
        channel = await asked(rig, home)
        async with rig.outage():
            sending = asyncio.create_task(home.answer("after all"))
            await asyncio.sleep(0.5)
            assert not sending.done()
        await sending
    assert [post.content for post in rig.ledger.by_bot(channel)] == ["after all"]


async def test_no_token_is_ever_logged(rig: Discord, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    home = Home(rig)
    alice = rig.person("Alice")
    hall = rig.guild("Hearth", alice).channel("hall")
    async with home.open():
        await home.true(lambda: rig.commands)
        for fault in ("drop", "5xx", "refuse"):
            rig.fault(fault, "original.edit")
        interaction = alice.slash("ask", {"question": "why"}, where=hall)
        await home.true(lambda: home.host.messages)
        with pytest.raises(RefusedError):
            await home.answer("because")
    assert interaction.token not in caplog.text
    assert rig.token not in "\n".join(record.getMessage() for record in caplog.records if not record.name.startswith("aiohttp"))
