"""What an update is to us: a piece of a message, an edit, a press, a move, or nothing.

Reads the platform's JSON as it came: an update that is malformed raises `MalformedError` and harms no other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from adapters.telegram.addressed import replied_to
from adapters.telegram.files import attachments_of
from adapters.types import Message, Press

if TYPE_CHECKING:
    from adapters.telegram.addressed import Ear
    from adapters.telegram.client import Json

ALLOWED = ["message", "edited_message", "callback_query", "my_chat_member"]


class MalformedError(Exception):
    """An update that does not say what it must."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A message, or a piece of one that the client split. `date` is in seconds; `units` is its length in UTF-16 units.

    `heard` says whether it speaks to us; the other pieces of what does so belong to it. What is `forwarded` are somebody's words.
    """

    message: Message
    heard: bool
    album: str | None
    units: int
    date: int
    forwarded: bool = False


@dataclass(frozen=True, slots=True)
class Edit:
    """A message, or a piece of one, says something else now."""

    piece: Piece

    @property
    def message(self) -> Message:
        """The message alone."""
        return self.piece.message


@dataclass(frozen=True, slots=True)
class Tap:
    """A button was pressed. `callback` is what the press is answered by."""

    press: Press
    callback: str


@dataclass(frozen=True, slots=True)
class Move:
    """A group became a supergroup."""

    chat: str
    to: str


Read = Piece | Edit | Tap | Move | None


def update_id(update: Json) -> int:
    """The number by which an update is confirmed. Raises `MalformedError`."""
    number = update.get("update_id") if isinstance(update, dict) else None
    if not isinstance(number, int):
        raise MalformedError("an update without a number")
    return number


def chat_of(update: dict[str, Any]) -> str:
    """What keeps its order: the chat of an update, empty when it has none."""
    for kind in ("message", "edited_message", "callback_query"):
        what = update.get(kind)
        if isinstance(what, dict):
            place = what.get("message") if kind == "callback_query" else what
            chat = place.get("chat") if isinstance(place, dict) else None
            return str(chat.get("id")) if isinstance(chat, dict) else ""
    return ""


def read(update: dict[str, Any], ear: Ear) -> Read:
    """What an update is to us, None when it is nothing. Raises `MalformedError`."""
    try:
        if "callback_query" in update:
            return _tap(update["callback_query"], ear)
        if "edited_message" in update:
            piece = _message(update["edited_message"], ear)
            return Edit(piece) if isinstance(piece, Piece) else None
        return _message(update["message"], ear) if "message" in update else None
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        raise MalformedError(f"a malformed update: {type(error).__name__}") from error


def clean(text: str) -> str:
    """Text that can be stored and sent: no NUL, no half of a surrogate pair."""
    return text.replace("\x00", "").encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _message(native: dict[str, Any], ear: Ear) -> Piece | Move | None:
    chat, sender = native["chat"], native.get("from")
    if "migrate_to_chat_id" in native:
        return Move(str(int(chat["id"])), str(int(native["migrate_to_chat_id"])))
    if "migrate_from_chat_id" in native:
        return Move(str(int(native["migrate_from_chat_id"])), str(int(chat["id"])))
    if sender is None or sender["is_bot"] or "sender_chat" in native or "via_bot" in native or chat["type"] == "channel":
        return None
    kind = "text" if "text" in native else "caption"
    text, entities = str(native.get(kind, "")), native.get("entities" if kind == "text" else "caption_entities") or []
    files = attachments_of(native)
    if not text.strip() and not files:
        return None
    message = replace(
        _from(native, sender, ear), text=clean(ear.words(text, entities)), attachments=files, reply_to=_reply_to(native)
    )
    return Piece(
        message=message,
        heard=ear.hears(native, text, entities),
        album=str(native["media_group_id"]) if "media_group_id" in native else None,
        units=len(text.encode("utf-16-le", "surrogatepass")) // 2,
        date=int(native["date"]),
        forwarded="forward_origin" in native,
    )


def _from(native: dict[str, Any], sender: dict[str, Any], ear: Ear) -> Message:
    """A message of a person in a place, without words. `native` is a message in that place."""
    chat, number = native["chat"], int(native["message_id"])
    thread = int(native["message_thread_id"]) if native.get("is_topic_message") and "message_thread_id" in native else None
    options = {"message_id": number, "chat_type": str(chat["type"]), "thread": thread}
    names = [str(sender[key]) for key in ("first_name", "last_name") if sender.get(key)]
    return Message(
        platform="telegram",
        account=str(ear.me.id),
        id=f"{int(chat['id'])}:{number}",
        chat=str(int(chat["id"])),
        sender=str(int(sender["id"])),
        text="",
        private=chat["type"] == "private",
        thread=None if thread is None else str(thread),
        sender_name=clean(" ".join(names)) or None,
        locale=str(sender["language_code"]) if sender.get("language_code") else None,
        options=options,
    )


def _reply_to(native: dict[str, Any]) -> str | None:
    to = replied_to(native)
    return None if to is None else f"{int(native['chat']['id'])}:{int(to['message_id'])}"


def _tap(query: dict[str, Any], ear: Ear) -> Tap | None:
    """Presses under messages that another bot sent inline have no chat: they are none of ours."""
    if "message" not in query or "data" not in query:
        return None
    place = _from(query["message"], query["from"], ear)
    callback = str(query["id"])
    message = replace(place, id=f"callback:{callback}")
    return Tap(Press(code=clean(str(query["data"])), message=message, on=place.id), callback)
