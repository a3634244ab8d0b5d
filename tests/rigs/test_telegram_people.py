"""People of the Telegram stand-in talk as people do, and its ledger tells what they saw."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from telegram import InlineKeyboardButton, InlineKeyboardMarkup, ReplyParameters

from tests.rigs.telegram import Telegram
from tests.rigs.telegram.entities import units
from tests.rigs.telegram.people import split

if TYPE_CHECKING:
    from telegram import Bot

    from tests.rigs.telegram.records import Shown


async def heard(bot: Bot) -> list[str | None]:
    """The texts of the messages that wait for the bot."""
    return [update.message.text or update.message.caption for update in await bot.get_updates() if update.message]


async def test_privacy_mode_shows_the_bot_what_is_meant_for_it(bot: Bot, rig: Telegram) -> None:
    ann, bob = rig.person("Ann"), rig.person("Bob")
    group = rig.group("Family", ann, bob)
    answer = await bot.send_message(group.id, "I am here.")
    gossip = ann.say("gossip", group)
    assert (gossip.update, gossip in rig.ledger.visible(group.id)) == (None, True)
    bob.say("gossip back", group, reply_to=gossip)
    ann.say("mail grillon_bot@example.org", group)
    ann.say("/help@other_bot", group)
    ann.say("/help", group)
    ann.say("/help@Grillon_bot", group)
    ann.say("hey @Grillon_Bot, where?", group)
    ann.say("and then?", group, reply_to=rig.ledger.chats[group.id][answer.message_id])
    assert await heard(bot) == ["/help", "/help@Grillon_bot", "hey @Grillon_Bot, where?", "and then?"]
    group.promote_bot()
    ann.say("free talk", group)
    assert (await heard(bot))[-1] == "free talk"


async def test_without_privacy_mode_it_hears_everything() -> None:
    async with Telegram(privacy=False) as rig:
        said = rig.person("Ann")
        assert said.say("gossip", rig.group("Family", said)).update is not None


async def test_a_paste_is_split_as_a_client_does(bot: Bot, rig: Telegram) -> None:
    text = "word 😀 " * 1500
    pieces = split(text)
    assert "".join(pieces) == text
    assert all(4096 - 500 < units(piece) <= 4096 for piece in pieces[:-1])
    assert [units(piece) for piece in split("😀" * 2049)] == [4096, 2]
    ann = rig.person("Ann")
    ann.paste(text)
    assert await heard(bot) == [piece.strip() for piece in pieces]
    with pytest.raises(AssertionError, match="4096"):
        ann.say(text)


async def test_ids_go_up_and_each_supergroup_counts_its_own_messages(rig: Telegram) -> None:
    ann = rig.person("Ann")
    groups = [rig.supergroup("One", ann), rig.supergroup("Two", ann)]
    said = [ann.say("/a", groups[0]), ann.say("b"), ann.say("/c", groups[1]), ann.say("d")]
    assert [one.id for one in said] == [1, 101, 1, 102]
    updates = [one.update or 0 for one in said]
    assert updates == sorted(set(updates))
    assert len({one.chat for one in said}) == 3


async def test_starting_from_a_link_brings_its_payload(bot: Bot, rig: Telegram) -> None:
    bob = rig.person("Bob", started=False)
    assert bob.follow("https://t.me/grillon_bot?start=ABC_1") is not None
    assert bob.follow("https://example.org/?start=ABC") is None
    bob.start()
    assert await heard(bot) == ["/start ABC_1", "/start"]
    await bot.send_message(bob.id, "welcome")


async def test_an_edit_is_told_and_a_deletion_is_not(bot: Bot, rig: Telegram) -> None:
    ann = rig.person("Ann")
    said = ann.say("wehre?")
    ann.edit(said, "where?")
    ann.remove(said)
    updates = await bot.get_updates()
    assert [update.edited_message and update.edited_message.text for update in updates] == [None, "where?"]
    assert updates[1].edited_message is not None
    assert updates[1].edited_message.edit_date is not None
    assert not rig.ledger.visible(ann.id)


async def test_a_press_finds_its_button_and_waits_for_what_it_brings(bot: Bot, rig: Telegram) -> None:
    ann = rig.person("Ann")
    buttons = [[InlineKeyboardButton("[1]", callback_data="s1"), InlineKeyboardButton("[2]", callback_data="s2")]]
    await bot.send_message(ann.id, "sources", reply_markup=InlineKeyboardMarkup(buttons))
    (shown,) = rig.ledger.by_bot()
    waiting = asyncio.create_task(ann.pressed(shown, "s2"))
    (update,) = await bot.get_updates(timeout=5)
    assert update.callback_query is not None
    await update.callback_query.answer("passage two")
    assert (await waiting).text == "passage two"
    assert ann.press(shown, 0).button["callback_data"] == "s1"
    with pytest.raises(LookupError, match="no button"):
        ann.press(shown, "[3]")
    with pytest.raises(TimeoutError):
        await ann.pressed(shown, "[1]", timeout_s=0.05)


async def test_answers_are_found_by_what_they_reply_to_and_go_on(bot: Bot, rig: Telegram) -> None:
    ann, bob = rig.person("Ann"), rig.person("Bob")
    group = rig.group("Family", ann, bob)
    first, second = ann.say("/one", group), bob.say("/two", group)

    async def answer(text: str, to: Shown | int | None) -> int:
        number = to if isinstance(to, int | None) else to.id
        return (await bot.send_message(group.id, text, reply_parameters=ReplyParameters(number) if number else None)).message_id

    await answer("2a", second)
    one = await answer("1a", first)
    await answer("1b", None)
    await answer("1c", one)
    ann.say("/three", group)
    await answer("2b", second)
    assert [shown.text for shown in rig.ledger.answers_to(first)] == ["1a", "1b", "1c"]
    assert [shown.text for shown in rig.ledger.answers_to(second)] == ["2a", "2b"]
    assert len(rig.ledger.answers_to(first, second)) == 5
    await bot.delete_message(group.id, one)
    assert [shown.text for shown in rig.ledger.answers_to(first)] == ["1b", "1c"]


async def test_without_replies_an_answer_belongs_to_the_last_that_was_said(bot: Bot, rig: Telegram) -> None:
    ann = rig.person("Ann")
    first = ann.say("one")
    await bot.send_message(ann.id, "1")
    second = ann.say("two")
    await bot.send_message(ann.id, "2")
    await bot.send_message(ann.id, "2 again")
    assert [len(rig.ledger.answers_to(one)) for one in (first, second)] == [1, 2]


async def test_no_sign_of_life_is_none_and_one_elsewhere_does_not_count(bot: Bot, rig: Telegram) -> None:
    ann = rig.person("Ann")
    forum = rig.supergroup("House", ann, topics=("One", "Two"))
    said = ann.say("/ask", forum, thread=forum.topics["One"])
    await bot.send_chat_action(forum.id, "typing", message_thread_id=forum.topics["Two"])
    await bot.send_chat_action(ann.id, "typing")
    assert rig.ledger.first_sign_of_life(said) is None
    await bot.set_message_reaction(forum.id, said.id, "👀")
    await bot.send_message(forum.id, "here", message_thread_id=forum.topics["One"])
    sign = rig.ledger.first_sign_of_life(said)
    assert sign is not None
    assert sign.kind == "reaction"
    assert sign.at == said.at + sign.delay_s


async def test_the_rig_keeps_what_it_knows_when_it_stops_and_starts(rig: Telegram) -> None:
    said = rig.person("Ann").say("remember")
    port = rig.port
    await rig.stop()
    await rig.start()
    assert (rig.port, rig.updates.fetchable(said.update or 0)) == (port, True)


async def test_two_rigs_given_the_same_script_tell_the_same(rig: Telegram) -> None:
    other = Telegram()
    for one in (rig, other):
        ann = one.person("Ann")
        ann.say("hello")
        ann.album([("a", b"1"), ("b", b"2")], "two")
        ann.say("/hello", one.group("Family", ann))
        ann.send_file("c", b"3")
    assert _undated(rig) == _undated(other)


def _undated(rig: Telegram) -> list[dict[str, object]]:
    return [
        {key: value if key != "message" else {**value, "date": 0} for key, value in update.items()}
        for update in rig.updates.pending()
    ]
