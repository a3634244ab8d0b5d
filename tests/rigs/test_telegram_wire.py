"""Every method of the Telegram stand-in, called by python-telegram-bot's own bot, comes back as the library's own types."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from telegram import (
    BotCommand,
    BotCommandScopeChat,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    LinkPreviewOptions,
    MessageEntity,
    ReplyParameters,
)
from telegram.error import BadRequest, Forbidden, InvalidToken, TelegramError

from tests.rigs.conftest import made

if TYPE_CHECKING:
    from telegram import Bot

    from tests.rigs.telegram import Telegram

_BUTTONS = InlineKeyboardMarkup(
    [[InlineKeyboardButton("👍", callback_data="like"), InlineKeyboardButton("Site", url="https://example.org")]]
)


async def test_the_bot_knows_itself(bot: Bot, rig: Telegram) -> None:
    me = await bot.get_me()
    assert (me.id, me.is_bot, me.username) == (int(rig.token.partition(":")[0]), True, "grillon_bot")
    assert me.can_read_all_group_messages is False


async def test_a_message_has_all_that_the_library_reads(bot: Bot, rig: Telegram) -> None:
    ann = rig.person("Ann", username="ann_of_hearth", language="fr")
    said = ann.say("regarde notes.md", reply_to=ann.say("avant"))
    message = (await bot.get_updates())[1].message
    assert message is not None
    assert message.from_user is not None
    assert message.reply_to_message is not None
    assert (message.message_id, message.chat.id, message.chat.type) == (said.id, ann.id, "private")
    assert (message.from_user.language_code, message.from_user.username) == ("fr", "ann_of_hearth")
    assert int(message.date.timestamp()) == int(said.wall)
    assert message.reply_to_message.text == "avant"
    assert message.parse_entities() == {message.entities[0]: "notes.md"}


async def test_a_message_goes_out_and_is_edited_and_deleted(bot: Bot, rig: Telegram) -> None:
    ann = rig.person("Ann")
    question = ann.say("where is it?")
    sent = await bot.send_message(
        ann.id,
        "In the 😀 box",
        entities=[MessageEntity("bold", 7, 2)],
        reply_parameters=ReplyParameters(question.id),
        link_preview_options=LinkPreviewOptions(is_disabled=True),
        reply_markup=_BUTTONS,
        disable_notification=True,
    )
    (shown,) = rig.ledger.answers_to(question)
    assert (sent.message_id, sent.text, sent.reply_markup) == (shown.id, "In the 😀 box", _BUTTONS)
    assert sent.reply_to_message is not None
    assert (shown.preview, shown.silent, shown.labels()) == (False, True, ["👍", "Site"])
    with pytest.raises(BadRequest, match=r"(?i)message is not modified"):
        await sent.edit_text("In the 😀 box", entities=[MessageEntity("bold", 7, 2)], reply_markup=_BUTTONS)
    edited = await sent.edit_text("In the cellar")
    assert not isinstance(edited, bool)
    assert (edited.text, edited.reply_markup, shown.text, shown.labels()) == ("In the cellar", None, "In the cellar", [])
    assert edited.edit_date is not None
    assert [version.text for version in shown.history] == ["In the 😀 box", "In the cellar"]
    await bot.edit_message_reply_markup(ann.id, sent.message_id, reply_markup=_BUTTONS)
    assert shown.labels() == ["👍", "Site"]
    assert await sent.delete()
    assert rig.ledger.visible(ann.id) == [question]
    with pytest.raises(BadRequest, match=r"(?i)message to edit not found"):
        await sent.edit_text("too late")
    with pytest.raises(BadRequest, match=r"(?i)message to delete not found"):
        await sent.delete()


async def test_drafts_actions_and_reactions_are_seen(bot: Bot, rig: Telegram) -> None:
    ann = rig.person("Ann")
    question = ann.say("hm?")
    assert await bot.send_chat_action(ann.id, "typing")
    assert await bot.set_message_reaction(ann.id, question.id, "👀")
    assert await bot.send_message_draft(ann.id, 7, "It")
    assert await bot.send_message_draft(ann.id, 7, "It is", entities=[MessageEntity("bold", 0, 2)])
    assert [draft.text for draft in rig.ledger.drafts(ann.id, 7)] == ["It", "It is"]
    assert (now := rig.ledger.draft_now(ann.id)) is not None
    assert now.text == "It is"
    await bot.send_message(ann.id, "It is here.")
    assert rig.ledger.draft_now(ann.id) is None
    assert [version.text for version in rig.ledger.writing(ann.id)] == ["It", "It is", "It is here."]
    assert [reaction.emoji for reaction in question.reactions] == [("👀",)]
    sign = rig.ledger.first_sign_of_life(question)
    assert sign is not None
    assert (sign.kind, sign.delay_s < 5) == ("action", True)
    group = rig.group("Family", ann)
    with pytest.raises(BadRequest, match=r"(?i)TEXTDRAFT_PEER_INVALID"):
        await bot.send_message_draft(group.id, 7, "no")
    with pytest.raises(BadRequest, match=r"(?i)REACTION_INVALID"):
        await bot.set_message_reaction(ann.id, question.id, "🦖")


async def test_files_go_both_ways(bot: Bot, rig: Telegram) -> None:
    ann = rig.person("Ann")
    ann.send_file("letter.pdf", b"%PDF", "read this", media_type="application/pdf")
    message = (await bot.get_updates())[0].message
    assert message is not None
    assert message.document is not None
    assert (message.document.file_name, message.document.mime_type, message.caption) == (
        "letter.pdf",
        "application/pdf",
        "read this",
    )
    assert await (await message.document.get_file()).download_as_bytearray() == b"%PDF"
    sent = await bot.send_document(ann.id, b"a,b\n", caption="your data", filename="mydata.csv", reply_markup=_BUTTONS)
    assert sent.document is not None
    shown = rig.ledger.by_bot(ann.id)[0]
    assert shown.media is not None
    assert (shown.media.name, shown.media.data, shown.text, shown.labels()) == (
        "mydata.csv",
        b"a,b\n",
        "your data",
        ["👍", "Site"],
    )
    assert (await bot.send_document(ann.id, sent.document.file_id)).document == sent.document
    big = ann.send_file("film.mkv", b"", claimed=21 * 1024 * 1024)
    assert big.media is not None
    with pytest.raises(BadRequest, match=r"(?i)file is too big"):
        await bot.get_file(big.media.id)


async def test_pictures_voices_and_albums_arrive(bot: Bot, rig: Telegram) -> None:
    ann = rig.person("Ann")
    ann.send_file("", b"JFIF", kind="photo", media_type="image/jpeg")
    ann.send_voice()
    ann.album([("a.txt", b"a"), ("b.txt", b"b")], "both")
    messages = [update.message for update in await bot.get_updates() if update.message]
    assert (messages[0].photo[0].width, messages[1].voice and messages[1].voice.mime_type) == (1280, "audio/ogg")
    assert messages[2].media_group_id == messages[3].media_group_id is not None
    assert [message.caption for message in messages[2:]] == ["both", None]


async def test_a_press_is_answered_once(bot: Bot, rig: Telegram) -> None:
    ann = rig.person("Ann")
    await bot.send_message(ann.id, "good?", reply_markup=_BUTTONS)
    press = ann.press(rig.ledger.by_bot(ann.id)[0], "👍")
    query = (await bot.get_updates())[0].callback_query
    assert query is not None
    assert query.message is not None
    assert (query.data, query.from_user.id, query.message.chat.id) == ("like", ann.id, ann.id)
    with pytest.raises(BadRequest, match=r"(?i)MESSAGE_TOO_LONG"):
        await query.answer("x" * 201)
    assert await query.answer("x" * 200, show_alert=True)
    answer = rig.ledger.answer(press)
    assert answer is not None
    assert (answer.text, answer.alert) == ("x" * 200, True)
    with pytest.raises(BadRequest, match=r"(?i)query is too old"):
        await query.answer()
    assert [one.kind for one in rig.ledger.violations()] == ["callback", "callback"]


async def test_commands_are_kept_by_language_and_scope(bot: Bot) -> None:
    await bot.set_my_commands([BotCommand("ask", "Ask")])
    await bot.set_my_commands([BotCommand("ask", "Demander")], language_code="fr")
    await bot.set_my_commands([BotCommand("index", "Index")], scope=BotCommandScopeChat(5))
    assert [one.description for one in await bot.get_my_commands()] == ["Ask"]
    assert [one.description for one in await bot.get_my_commands(language_code="fr")] == ["Demander"]
    assert [one.command for one in await bot.get_my_commands(scope=BotCommandScopeChat(5))] == ["index"]
    with pytest.raises(BadRequest, match=r"(?i)BOT_COMMAND_INVALID"):
        await bot.set_my_commands([BotCommand("Ask me", "Ask")])


async def test_topics_keep_their_messages_apart(bot: Bot, rig: Telegram) -> None:
    ann = rig.person("Ann")
    forum = rig.supergroup("House", ann, topics=("Recipes",))
    said = ann.say("@grillon_bot soup?", forum, thread=forum.topics["Recipes"])
    message = (await bot.get_updates())[1].message
    assert message is not None
    assert message.reply_to_message is not None
    assert (message.message_thread_id, message.is_topic_message, message.chat.is_forum) == (forum.topics["Recipes"], True, True)
    assert message.reply_to_message.forum_topic_created is not None
    sent = await bot.send_message(forum.id, "Leek", message_thread_id=message.message_thread_id)
    also = await bot.send_message(forum.id, "Onion", reply_parameters=ReplyParameters(said.id))
    assert sent.message_thread_id == also.message_thread_id == said.thread
    assert [one.text for one in rig.ledger.answers_to(said)] == ["Leek", "Onion"]
    with pytest.raises(BadRequest, match=r"(?i)thread not found"):
        await bot.send_message(forum.id, "lost", message_thread_id=999)


async def test_what_can_be_looked_up(bot: Bot, rig: Telegram) -> None:
    ann = rig.person("Ann")
    group = rig.group("Family", ann)
    assert (await bot.get_chat(group.id)).title == "Family"
    assert (await bot.get_chat_member(group.id, ann.id)).status == "member"
    assert (await bot.get_chat_member(group.id, rig.person("Bob").id)).status == "left"


async def test_who_is_not_there_cannot_be_written_to(bot: Bot, rig: Telegram) -> None:
    with pytest.raises(BadRequest, match=r"(?i)chat not found"):
        await bot.send_message(42, "hello?")
    with pytest.raises(Forbidden, match=r"(?i)initiate"):
        await bot.send_message(rig.person("Bob", started=False).id, "hello?")
    with pytest.raises(BadRequest, match=r"(?i)replied not found"):
        await bot.send_message(rig.person("Ann").id, "hm", reply_parameters=ReplyParameters(4))


async def test_a_wrong_token_or_method_is_refused(bot: Bot, rig: Telegram) -> None:
    for token in ("110201543:another", "no-token"):
        wrong = made(rig, token)
        with pytest.raises(InvalidToken):
            await wrong.initialize()
        await wrong.shutdown()
    with pytest.raises(TelegramError, match=r"(?i)not found"):
        await bot.do_api_request("sendSmoke")
