"""What `grillon doctor` is told of the bot."""

from __future__ import annotations

from adapters.discord.examine import PERMISSIONS, examine, server_link, user_link
from tests.adapters.discord.house import Home
from tests.rigs.discord import Discord


async def test_a_good_token_has_a_name_and_a_wrong_one_a_sentence() -> None:
    async with Discord() as rig:
        told = await examine(Home(rig).config())
        assert (told.name, told.application, told.wrong) == ("grillon", rig.bot.id, ())
        (sentence,) = (await examine(Home(rig, token="wrong").config())).wrong
        assert "discord.token" in sentence


async def test_a_free_chat_without_the_intent_is_told() -> None:
    async with Discord() as rig:
        told = await examine(Home(rig, free_chats=["1"]).config())
        assert len(told.wrong) == 1


def test_the_links_ask_for_what_is_needed_and_no_more() -> None:
    assert PERMISSIONS.value == 1 << 10 | 1 << 11 | 1 << 15 | 1 << 16 | 1 << 38
    assert "scope=bot+applications.commands" in server_link("7")
    assert "client_id=7" in user_link("7")
    assert "bot" not in user_link("7")
