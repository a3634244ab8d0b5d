"""The methods of the Bot API that act in a chat."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.rigs.telegram import wire
from tests.rigs.telegram.entities import units
from tests.rigs.telegram.errors import ApiError, bad
from tests.rigs.telegram.parameters import CAPTION_UNITS, Parameters
from tests.rigs.telegram.records import Action, Answer, Draft, Media, Reaction, Version

if TYPE_CHECKING:
    from tests.rigs.telegram.records import Shown
    from tests.rigs.telegram.world import Chat

UPLOAD_BYTES = 50 * 1000 * 1000
ANSWER_UNITS = 200
_ACTIONS = (
    "typing upload_photo record_video upload_video record_voice upload_voice upload_document choose_sticker find_location "
    "record_video_note upload_video_note"
)
ACTIONS = frozenset(_ACTIONS.split())
_EMOJI = (
    "❤ 👍 👎 🔥 🥰 👏 😁 🤔 🤯 😱 🤬 😢 🎉 🤩 🤮 💩 🙏 👌 🕊 🤡 🥱 🥴 😍 🐳 ❤‍🔥 🌚 🌭 💯 🤣 ⚡ 🍌 🏆 💔 🤨 😐 🍓 🍾 💋 🖕 😈 "
    "😴 😭 🤓 👻 👨‍💻 👀 🎃 🙈 😇 😨 🤝 ✍ 🤗 🫡 🎅 🎄 ☃ 💅 🤪 🗿 🆒 💘 🙉 🦄 😘 💊 🙊 😎 👾 🤷‍♂ 🤷 🤷‍♀ 😡"
)
EMOJI = frozenset(_EMOJI.split())
_SAME = (
    "message is not modified: specified new message content and reply markup are exactly the same as a current content and "
    "reply markup of the message"
)


def send_message(call: Parameters) -> dict[str, Any]:
    chat = call.chat()
    text, entities = call.formatted()
    reply_to = _reply_to(call, chat)
    preview = not (call.json("link_preview_options") or {}).get("is_disabled", False)
    shown = call.world.put(
        chat,
        call.world.bot.id,
        text,
        entities,
        call.buttons(),
        thread=_thread(call, chat, reply_to),
        reply_to=reply_to,
        preview=preview,
        silent=call.flag("disable_notification"),
    )
    return wire.message(call.world, shown)


def send_document(call: Parameters) -> dict[str, Any]:
    chat = call.chat()
    caption, entities = call.formatted("caption", limit=CAPTION_UNITS, empty=True)
    reply_to, buttons = _reply_to(call, chat), call.buttons()
    thread = _thread(call, chat, reply_to)
    media = _uploaded(call)
    shown = call.world.put(chat, call.world.bot.id, caption, entities, buttons, thread=thread, reply_to=reply_to, media=media)
    return wire.message(call.world, shown)


def _uploaded(call: Parameters) -> Media:
    value = call.text("document") or ""
    upload = call.uploads.get(value.removeprefix("attach://") if value.startswith("attach://") else "document")
    if upload is None:
        if value not in call.world.media:
            raise bad("there is no document in the request" if not value else "wrong file identifier/HTTP URL specified")
        return call.world.media[value]
    if not upload.data:
        raise bad("file must be non-empty")
    if len(upload.data) > UPLOAD_BYTES:
        raise ApiError(413, "Request Entity Too Large")
    return call.world.store("document", upload.name, upload.media_type, upload.data, None)


def _reply_to(call: Parameters, chat: Chat) -> int | None:
    asked = call.json("reply_parameters") or {}
    number = asked.get("message_id") or call.number("reply_to_message_id")
    if number is None:
        return None
    if asked.get("chat_id", chat.id) != chat.id or call.world.ledger.message(chat.id, int(number)) is None:
        if asked.get("allow_sending_without_reply") or call.flag("allow_sending_without_reply"):
            return None
        raise bad("message to be replied not found")
    return int(number)


def _thread(call: Parameters, chat: Chat, reply_to: int | None) -> int | None:
    """The topic it goes to: the one that is named, else that of what it replies to."""
    named = call.thread(chat)
    replied = None if reply_to is None else call.world.ledger.message(chat.id, reply_to)
    return replied.thread if named is None and replied else named


def send_message_draft(call: Parameters) -> bool:
    chat = call.chat()
    number = call.number("draft_id")
    if not chat.private:
        call.violate("rule", "a draft outside of a private chat")
        raise bad("TEXTDRAFT_PEER_INVALID")
    if not number:
        call.violate("rule", "a draft without a number")
        raise bad("draft_id must be non-zero")
    text, entities = call.formatted(empty=True)
    call.world.ledger.all_drafts[chat.id].append(Draft(chat.id, call.thread(chat), number, text, entities))
    call.world.ledger.changed()
    return True


def edit_message_text(call: Parameters) -> dict[str, Any]:
    shown = _own(call, "edit")
    if shown.media is not None:
        raise bad("there is no text in the message to edit")
    text, entities = call.formatted()
    return _edited(call, shown, Version(text, entities, call.buttons()))


def edit_message_reply_markup(call: Parameters) -> dict[str, Any]:
    shown = _own(call, "edit")
    return _edited(call, shown, Version(shown.text, shown.entities, call.buttons()))


def _edited(call: Parameters, shown: Shown, version: Version) -> dict[str, Any]:
    if (shown.text, shown.entities, shown.buttons) == (version.text, version.entities, version.buttons):
        raise bad(_SAME)
    shown.history.append(version)
    if call.json("link_preview_options") is not None:
        shown.preview = not call.json("link_preview_options").get("is_disabled", False)
    call.world.ledger.changed()
    return wire.message(call.world, shown)


def _own(call: Parameters, verb: str) -> Shown:
    chat = call.chat()
    shown = call.world.ledger.message(chat.id, call.number("message_id") or 0)
    if shown is None:
        raise bad(f"message to {verb} not found")
    if not shown.by_bot:
        raise bad(f"message can't be {verb}ed")
    return shown


def delete_message(call: Parameters) -> bool:
    chat = call.chat()
    shown = call.world.ledger.message(chat.id, call.number("message_id") or 0)
    if shown is None:
        raise bad("message to delete not found")
    if not (shown.by_bot or chat.private or chat.bot_admin):
        raise bad("message can't be deleted")
    call.world.delete(shown)
    return True


def send_chat_action(call: Parameters) -> bool:
    chat = call.chat()
    kind = call.text("action") or ""
    if kind not in ACTIONS:
        raise bad("wrong parameter action in request")
    call.world.ledger.actions[chat.id].append(Action(chat.id, call.thread(chat), kind))
    call.world.ledger.changed()
    return True


def set_message_reaction(call: Parameters) -> bool:
    chat = call.chat()
    shown = call.world.ledger.message(chat.id, call.number("message_id") or 0)
    if shown is None:
        raise bad("message to react not found")
    emoji = tuple(one.get("emoji", "") for one in call.json("reaction") or [])
    if len(emoji) > 1 or not EMOJI.issuperset(one.replace("\ufe0f", "") for one in emoji):
        call.violate("rule", f"the reaction {emoji}")
        raise bad("REACTION_INVALID")
    shown.reactions.append(Reaction(emoji))
    call.world.ledger.changed()
    return True


def answer_callback_query(call: Parameters) -> bool:
    query, text = call.text("callback_query_id") or "", call.text("text")
    ledger = call.world.ledger
    if query not in ledger.presses or ledger.answers[query]:
        call.violate("callback", "answered before" if query in ledger.presses else "unknown")
        raise bad("query is too old and response timeout expired or query ID is invalid")
    if units(text or "") > ANSWER_UNITS:
        call.violate("callback", f"{units(text or '')} units")
        raise bad("MESSAGE_TOO_LONG")
    url = call.text("url")
    if url and not url.startswith((f"https://t.me/{call.world.bot.username}?start=", f"t.me/{call.world.bot.username}?start=")):
        call.violate("callback", "an address that is not the bot's own")
        raise bad("URL_INVALID")
    ledger.answers[query].append(Answer(query, text, call.flag("show_alert"), url))
    ledger.changed()
    return True
