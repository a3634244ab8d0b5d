"""discord.py's own client plays against the stand-in: what it sends is understood, what it gets it understands."""

from __future__ import annotations

import asyncio
import io

import aiohttp
import discord
import pytest

from tests.rigs.discord import Discord, Upload
from tests.rigs.discord_bot import Bot, running


async def test_a_mention_in_a_channel_is_read_and_answered() -> None:
    async with Discord() as rig:
        alice = rig.person("Alice")
        hall = rig.guild("Home", alice).channel("hall")
        async with running(rig) as bot:
            asked = alice.say(hall, "echo bonjour", mention=True)
            [answer] = await rig.answered(asked, "bonjour")
            assert bot.seen[0].author.display_name == "Alice"
            assert isinstance(bot.seen[0].author, discord.Member)
        assert (answer.author, answer.nonce, answer.reference) == (rig.bot, asked.id, asked)
        assert rig.violations == []
        assert 0 < (rig.ledger.first_sign_of_life(asked) or 0) < 5


async def test_words_are_withheld_without_the_intent_unless_they_are_meant_for_the_bot() -> None:
    async with Discord() as rig:
        alice = rig.person("Alice")
        hall = rig.guild("Home", alice).channel("hall")
        thread = hall.thread("plans")
        async with running(rig) as bot:
            alice.say(hall, "not for you", files=[Upload("a.txt", b"a")])
            alice.say(thread, "for you", mention=True)
            alice.say(alice.dm, "in private", files=[Upload("b.txt", b"b", "text/plain")])
            mine = rig.elsewhere(hall, "said by another client")
            alice.say(hall, "a reply that pings", reply_to=mine)
            alice.say(hall, "a reply that does not", reply_to=mine, ping=False)
            await rig.until(lambda: len(bot.seen) == 5)
            texts = [message.clean_content for message in bot.seen]
            assert texts == ["", "@Grillon for you", "in private", "a reply that pings", ""]
            assert [len(message.attachments) for message in bot.seen] == [0, 0, 1, 0, 0]
            assert await bot.seen[2].attachments[0].read() == b"b"
            assert isinstance(bot.seen[1].channel, discord.Thread)
            assert isinstance(bot.seen[2].channel, discord.DMChannel)
            past = [message.content async for message in bot.seen[0].channel.history(limit=10)]
            assert past == ["", "a reply that pings", "said by another client", ""]


async def test_with_the_intent_everything_is_read_and_without_the_grant_the_gateway_closes() -> None:
    intents = discord.Intents(guilds=True, guild_messages=True, message_content=True)
    async with Discord(privileged=frozenset({"message_content"})) as rig:
        alice = rig.person("Alice")
        hall = rig.guild("Home", alice).channel("hall")
        async with running(rig, Bot(intents=intents)) as bot:
            alice.say(hall, "hello all")
            assert await rig.until(lambda: [message.content for message in bot.seen]) == ["hello all"]
    async with Discord() as rig:
        with pytest.raises(discord.PrivilegedIntentsRequired):
            async with running(rig, Bot(intents=intents)):
                pass


async def test_a_wrong_token_is_refused_at_the_login_and_at_the_gateway() -> None:
    async with Discord() as rig:
        with pytest.raises(discord.LoginFailure):
            async with running(rig, token="wrong"):
                pass
        assert rig.invalid_requests == 1
        async with running(rig) as bot:
            rig.revoke()
            await rig.until(bot.is_closed)


async def test_edits_and_deletions_are_told() -> None:
    async with Discord() as rig:
        alice = rig.person("Alice")
        hall = rig.guild("Home", alice).channel("hall")
        async with running(rig) as bot:
            first, second, third = alice.paste(hall, "one", "two", "three", mention=True)
            alice.edit(first, "uno")
            rig.unfurl(second)
            alice.delete(first)
            alice.purge(hall, [second, third])
            await rig.until(lambda: len(bot.raw) == 4)
            edit, unfurled, deleted, bulk = bot.raw
            assert (edit.data["content"], edit.message.edited_at is not None) == (first.content, True)
            assert unfurled.message.edited_at is None
            assert (str(deleted.message_id), {str(each) for each in bulk.message_ids}) == (first.id, {second.id, third.id})


async def test_a_member_update_needs_its_intent_and_brings_the_roles() -> None:
    intents = discord.Intents(guilds=True, members=True, guild_messages=True)
    async with Discord(privileged=frozenset({"members"})) as rig:
        alice = rig.person("Alice")
        guild = rig.guild("Home", alice)
        family = guild.role("family")
        async with running(rig, Bot(intents=intents, chunk_guilds_at_startup=False)) as bot:
            found = await bot.guilds[0].query_members(user_ids=[int(alice.id)], cache=True)
            assert [member.name for member in found] == ["alice"]
            guild.give(alice, family)
            await rig.until(lambda: bot.members)
            assert [role.name for role in bot.members[0][1].roles] == ["@everyone", "family"]
            hall = guild.channel("hall")
            guild.take(alice, family)
            alice.say(hall, "hello", mention=True)
            await rig.until(lambda: bot.seen)
            author = bot.seen[0].author
            assert isinstance(author, discord.Member)
            assert [role.name for role in author.roles] == ["@everyone"]


async def test_a_command_is_deferred_then_its_answer_edited_and_its_button_pressed() -> None:
    async with Discord() as rig:
        alice = rig.person("Alice", locale="fr")
        hall = rig.guild("Home", alice).channel("hall")
        async with running(rig):
            asked = alice.slash("demander", {"question": "why"}, where=hall)
            [answer] = await rig.answered(asked, "answer to why")
            assert [shown.loading for shown in answer.history] == [True, False]
            pressed = alice.press(answer, "Sour")
            [passage] = await rig.answered(pressed, "the passage")
        assert (asked.ack, pressed.ack) == (5, 4)
        assert (asked.ack_s or 9) < 3
        assert passage.only_for is alice
        assert passage not in rig.ledger.visible(hall)
        assert passage in rig.ledger.visible(hall, alice)
        assert rig.violations == []


async def test_a_file_comes_with_a_command_and_another_goes_out() -> None:
    async with Discord() as rig:
        alice = rig.person("Alice")
        hall = rig.guild("Home", alice).channel("hall")
        async with running(rig):
            shown = alice.slash("show", {"file": Upload("a.txt", b"inside")}, where=hall)
            await rig.answered(shown, "a.txt: inside")
            about = alice.context_menu("Ask about this", alice.say(hall, "words for nobody"))
            [answer] = await rig.answered(about, "about words for nobody")
            assert [(file.name, file.data) for file in answer.files] == [("answer.md", b"whole")]


async def test_a_command_is_offered_only_where_it_is_registered_for() -> None:
    async with Discord() as rig:
        alice = rig.person("Alice")
        far = rig.guild("Far", alice, has_bot=False).channel("hall")
        async with running(rig):
            for where in (far, rig.group(alice), alice.dm):
                asked = alice.slash("ask", {"question": "why"}, where=where, user_install=True)
                await rig.answered(asked, "answer to why")
            with pytest.raises(LookupError):
                alice.slash("ask", {"question": "why"}, where=far)
            with pytest.raises(LookupError):
                alice.slash("show", where=far, user_install=True)
            with pytest.raises(ValueError, match="lacks"):
                alice.slash("ask", where=alice.dm)


@pytest.mark.parametrize("compress", [True, False])
async def test_a_dropped_socket_is_resumed_and_what_was_missed_comes_once(
    compress: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not compress:
        monkeypatch.setattr(discord.utils._ActiveDecompressionContext, "COMPRESSION_TYPE", "none")
    async with Discord() as rig:
        alice = rig.person("Alice")
        async with running(rig) as bot:
            before = alice.say(alice.dm, "echo before")
            await rig.answered(before)
            rig.gateway.drop()
            alice.say(alice.dm, "meanwhile é")
            await rig.until(lambda: len(bot.seen) == 2)
            assert [message.content for message in bot.seen] == ["echo before", "meanwhile é"]
            assert (len(rig.identifies), len(rig.resumes)) == (1, 1)


@pytest.mark.parametrize("code", [1001, 4000, 4009])
async def test_a_close_code_that_leaves_the_session_leads_to_a_resume(code: int) -> None:
    async with Discord() as rig:
        alice = rig.person("Alice")
        async with running(rig) as bot:
            rig.gateway.close(code)
            alice.say(alice.dm, "meanwhile")
            await rig.until(lambda: bot.seen and rig.resumes)
            assert len(rig.identifies) == 1


async def test_op_7_and_a_frozen_gateway_lead_to_a_resume() -> None:
    async with Discord(heartbeat_s=0.1) as rig:
        alice = rig.person("Alice")
        async with running(rig, Bot(heartbeat_timeout=0.5)) as bot:
            rig.gateway.reconnect()
            await rig.until(lambda: len(rig.resumes) == 1)
            rig.gateway.freeze()
            alice.say(alice.dm, "unheard")
            await asyncio.sleep(0.7)
            assert bot.seen == []
            rig.gateway.thaw()
            await rig.until(lambda: len(rig.resumes) == 2 and bot.seen)
            assert len(rig.identifies) == 1


@pytest.mark.parametrize("how", ["op 9", "4009", "too much missed"])
async def test_a_session_that_is_over_is_begun_anew(how: str) -> None:
    async with Discord(replay=2 if how == "too much missed" else 100) as rig:
        alice = rig.person("Alice")
        async with running(rig) as bot:
            if how == "op 9":
                rig.gateway.invalidate()
            else:
                rig.script.on_resume = "invalid" if how == "4009" else None
                rig.gateway.close(4009) if how == "4009" else rig.gateway.drop()
                for n in range(3):
                    alice.say(alice.dm, f"lost {n}")
            await rig.until(lambda: bot.happened.count("ready") == 2)
            alice.say(alice.dm, "heard")
            await rig.until(lambda: bot.seen and bot.seen[-1].content == "heard")
            assert (len(rig.identifies), len(rig.resumes)) == (2, 0)
            assert not any(message.content.startswith("lost 2") for message in bot.seen)


async def test_more_identifies_than_the_limit_cost_the_token() -> None:
    async with Discord(starts=2) as rig:
        for _ in range(2):
            async with running(rig) as bot:
                limit = (await bot.http.request(discord.http.Route("GET", "/gateway/bot")))["session_start_limit"]
        assert (limit["total"], limit["remaining"]) == (2, 0)
        token = rig.token
        with pytest.raises(discord.ConnectionClosed) as closed:
            async with running(rig):
                pass
        assert (closed.value.code, rig.violations[-1].kind) == (4004, "identify")
        with pytest.raises(discord.LoginFailure):
            async with running(rig, token=token):
                pass


async def test_the_network_goes_and_comes_back_on_the_same_port() -> None:
    async with Discord() as rig:
        alice = rig.person("Alice")
        address = rig.api_base
        async with running(rig) as bot:
            async with rig.outage():
                alice.say(alice.dm, "meanwhile")
                channel = bot.get_partial_messageable(int(alice.dm.id))
                with pytest.raises(aiohttp.ClientConnectionError):
                    await channel.send("nobody hears this")
            await rig.until(lambda: bot.seen, 20)
            assert (rig.api_base, rig.ledger.by_bot()) == (address, [])


async def test_what_a_person_and_the_bot_do_besides_writing_is_seen() -> None:
    async with Discord(dm_channel_create=True) as rig:
        alice = rig.person("Alice")
        async with running(rig) as bot:
            hall = rig.guild("Late", alice).channel("hall")
            asking = alice.say(hall, "hello", mention=True)
            await rig.until(lambda: bot.seen)
            alice.type(hall)
            alice.react(asking, "👍")
            await bot.seen[0].add_reaction("👀")
            async with bot.seen[0].channel.typing():
                await rig.until(lambda: rig.ledger.typing(hall))
            await bot.seen[0].remove_reaction("👀", bot.user or discord.Object(0))
            mine = await bot.seen[0].channel.send("soon gone")
            assert len(rig.ledger.by_bot(hall)) == 1
            await mine.delete()
            alice.say(alice.dm, "in private")
            await rig.until(lambda: len(bot.seen) == 2)
        assert [(each.emoji, each.person) for each in asking.reactions] == [("👍", alice)]
        assert (rig.ledger.by_bot(), len(rig.ledger.by_bot(deleted=True))) == ([], 1)
        assert 0 < (rig.ledger.first_sign_of_life(asking) or 0) < 5


async def test_follow_ups_are_edited_and_deleted_and_the_first_answer_too() -> None:
    class Slow(Bot):
        async def on_interaction(self, interaction: discord.Interaction) -> None:
            await interaction.response.defer()
            second = await interaction.followup.send("second", wait=True, files=[discord.File(io.BytesIO(b"1"), "1.txt")])
            await second.edit(content="second, edited", attachments=[])
            third = await interaction.followup.send("third", wait=True)
            await third.delete()
            original = await interaction.original_response()
            await original.edit(content="first, edited", view=None)

    async with Discord() as rig:
        alice = rig.person("Alice")
        async with running(rig, Slow()) as bot:
            view = discord.ui.View(timeout=None)
            view.add_item(discord.ui.Button(emoji="🔄", custom_id="again"))
            user = await bot.fetch_user(int(alice.id))
            await user.send("first", view=view)
            [first] = rig.ledger.by_bot(alice.dm)
            pressed = alice.press(first, "🔄")
            await rig.until(lambda: first.content == "first, edited")
        [second] = rig.ledger.answers_to(pressed)
        assert (second.content, second.files, first.buttons) == ("second, edited", [], [])
        with pytest.raises(LookupError):
            alice.press(first, "🔄")
        assert rig.violations == []
