"""What comes in: who is meant, in which place, once, in order, and nothing of what others say."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING

from adapters.types import Said
from tests.adapters.discord.house import Home
from tests.rigs.discord import Discord, Upload

if TYPE_CHECKING:
    import pytest


async def test_private_messages_mentions_and_replies_that_ping_are_heard_and_nothing_else() -> None:
    async with Discord(lifted=True) as rig:
        alice, bob = rig.person("Alice"), rig.person("Bob")
        guild = rig.guild("Hearth", alice, bob)
        hall = guild.channel("hall")
        robot = rig.person("Robot", bot=True)
        guild.join(robot)
        home = Home(rig)
        async with home.open():
            alice.say(alice.dm, "in private")
            bob.say(hall, "secret of others")
            robot.say(hall, f"<@{rig.bot.id}> from a robot")
            bob.say(hall, f"<@{rig.bot.id}> and <@{alice.id}>?")
            await home.true(lambda: len(home.host.messages) == 2)
            await home.answer("An answer")
            answer = rig.ledger.by_bot(hall)[-1]
            alice.say(hall, "a reply", reply_to=answer)
            alice.say(hall, "a silent reply", reply_to=answer, ping=False)
            alice.say(hall, f"<@{rig.bot.id}>")
            await home.true(lambda: len(home.host.messages) == 3)
            await asyncio.sleep(0.1)
        assert set(home.host.texts) == {"in private", "and @Alice?", "a reply"}
        private, mention, reply = sorted(home.host.messages, key=lambda message: int(message.id))
        assert (private.private, private.guild, private.thread, private.chat) == (True, None, None, alice.dm.id)
        assert (mention.private, mention.guild, mention.chat, mention.sender) == (False, guild.id, hall.id, bob.id)
        assert reply.reply_to == answer.id
        assert {message.account for message in home.host.messages} == {rig.bot.id}
        assert "secret of others" not in json.dumps(home.ledger.values)


async def test_a_thread_is_a_place_in_its_channel_and_roles_come_with_each_message() -> None:
    async with Discord(lifted=True) as rig:
        alice = rig.person("Alice")
        guild = rig.guild("Hearth")
        reader = guild.role("reader")
        guild.join(alice, reader)
        hall = guild.channel("hall")
        thread = hall.thread("details")
        home = Home(rig)
        async with home.open():
            alice.say(thread, f"<@{rig.bot.id}> one")
            await home.until(["one"])
            guild.take(alice, reader)
            late = hall.thread("later")
            alice.say(late, f"<@{rig.bot.id}> two")
            await home.until(["one", "two"])
            await home.answer("here")
        one, two = home.host.messages
        assert (one.chat, one.thread, one.guild, one.roles) == (hall.id, thread.id, guild.id, (reader.id,))
        assert (two.chat, two.thread, two.roles) == (hall.id, late.id, ())
        assert [post.content for post in rig.ledger.by_bot(late)] == ["here"]


async def test_in_private_the_roles_that_count_are_looked_up_for_each_message() -> None:
    async with Discord(lifted=True) as rig:
        alice = rig.person("Alice")
        guild, other = rig.guild("Hearth"), rig.guild("Elsewhere", alice)
        reader, idle = guild.role("reader"), guild.role("idle")
        other.give(alice, other.role("foreign"))
        guild.join(alice, reader, idle)
        home = Home(rig)
        home.role_ids = frozenset({reader.id})
        home.new()
        async with home.open():
            alice.say(alice.dm, "with the role")
            await home.until(["with the role"])
            guild.take(alice, reader)
            alice.say(alice.dm, "without")
            await home.until(["with the role", "without"])
        assert [message.roles for message in home.host.messages] == [(reader.id,), ()]
        assert not [call for call in rig.calls if call.name == "member" and other.id in call.path]


async def test_when_roles_cannot_be_looked_up_the_message_waits() -> None:
    async with Discord(lifted=True) as rig:
        alice = rig.person("Alice")
        guild = rig.guild("Hearth")
        reader = guild.role("reader")
        guild.join(alice, reader)
        home = Home(rig)
        home.role_ids = frozenset({reader.id})
        home.new()
        rig.fault("5xx", "member", times=2)
        async with home.open():
            alice.say(alice.dm, "who am I")
            await home.until(["who am I"])
        assert home.host.messages[0].roles == (reader.id,)


async def test_a_free_channel_is_heard_without_a_mention_its_threads_too() -> None:
    async with Discord(lifted=True, privileged=frozenset({"message_content"})) as rig:
        alice = rig.person("Alice")
        guild = rig.guild("Hearth", alice)
        free, other = guild.channel("free"), guild.channel("other")
        home = Home(rig, free_chats=[free.id], message_content=True)
        async with home.open():
            alice.say(free, "heard")
            alice.say(other, "not heard")
            alice.say(free.thread("deeper"), "heard in the thread")
            await home.true(lambda: len(home.host.messages) == 2)
        assert set(home.host.texts) == {"heard", "heard in the thread"}


async def test_a_paste_that_the_client_cut_is_one_question() -> None:
    async with Discord(lifted=True, privileged=frozenset({"message_content"})) as rig:
        alice, bob = rig.person("Alice"), rig.person("Bob")
        hall = rig.guild("Hearth", alice, bob).channel("hall")
        home = Home(rig, message_content=True)
        async with home.open():
            alice.say(hall, f"<@{rig.bot.id}> " + "a" * 1950)
            bob.say(hall, "talk between")
            alice.say(hall, "the end of it")
            await home.true(lambda: home.host.messages)
            alice.say(hall, "other talk")
            await asyncio.sleep(0.4)
            alice.say(alice.dm, "short")
            alice.say(alice.dm, "and another")
            await home.true(lambda: len(home.host.messages) == 3)
        assert home.host.texts == ["a" * 1950 + "\nthe end of it", "short", "and another"]


async def test_edits_and_deletions_are_told_previews_are_not() -> None:
    async with Discord(lifted=True) as rig:
        alice = rig.person("Alice")
        hall = rig.guild("Hearth", alice).channel("hall")
        home = Home(rig)
        async with home.open():
            first = alice.say(alice.dm, "before")
            posts = [alice.say(hall, f"<@{rig.bot.id}> {n}") for n in range(3)]
            await home.true(lambda: len(home.host.messages) == 4)
            rig.unfurl(first)
            alice.edit(first, "after")
            await home.true(lambda: home.host.edits)
            alice.delete(first)
            await home.true(lambda: home.host.gone)
            alice.purge(hall, posts)
            await home.true(lambda: len(home.host.gone) == 4)
        assert [edit.text for edit in home.host.edits] == ["after"]
        assert home.host.gone == [first.id, *(post.id for post in posts)]


async def test_a_sentence_that_is_said_at_once_is_a_reply_and_is_not_stored() -> None:
    async with Discord(lifted=True) as rig:
        alice = rig.person("Alice")
        home = Home(rig)
        home.host.said["who are you"] = Said("Ask the **owner** @everyone")
        async with home.open():
            asked = alice.say(alice.dm, "who are you")
            (said,) = await rig.answered(asked, "owner")
        assert home.host.messages == []
        assert said.reference is asked
        assert rig.violations == []


async def test_attachments_come_with_their_address_and_are_read_within_bounds() -> None:
    async with Discord(lifted=True) as rig:
        alice = rig.person("Alice")
        home = Home(rig)
        async with home.open():
            alice.say(alice.dm, "read this", files=[Upload("notes.txt", b"x" * 5000, "text/plain")])
            await home.until(["read this"])
            (attachment,) = home.host.messages[0].attachments
            assert (attachment.name, attachment.size, attachment.media_type) == ("notes.txt", 5000, "text/plain")
            assert await home.platform.fetch(attachment, 5000) == b"x" * 5000


async def test_own_messages_of_another_daemon_bring_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    async with Discord(lifted=True) as rig:
        alice = rig.person("Alice")
        home = Home(rig)
        home.platform._own._since -= 60
        async with home.open():
            alice.say(alice.dm, "hello")
            await home.until(["hello"])
            await home.answer("ours")
            await asyncio.sleep(0.1)
            assert "Another daemon" not in home.platform.status.detail
            with caplog.at_level(logging.WARNING):
                rig.elsewhere(alice.dm, "not ours")
                rig.elsewhere(alice.dm, "not ours either")
                await home.true(lambda: "Another daemon" in home.platform.status.detail)
                await asyncio.sleep(0.1)
        assert len([record for record in caplog.records if "another daemon" in record.getMessage()]) == 1
        assert rig.token not in caplog.text
