"""What people write on Discord, as it comes in: who is meant, what is left out, and the message that the house understands."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from adapters.discord.errors import MalformedError
from adapters.types import Attachment, Message

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapters.discord.payloads import Json

NAME = "discord"
_WRITTEN = frozenset({0, 19})
"""Types of messages that people write: a message, a reply. All others are told by Discord itself."""
_NEARLY_FULL = 1_900
_MENTION = re.compile(r"<@!?(\d{1,20})>")


@dataclass(frozen=True, slots=True)
class Me:
    """Who the bot is on Discord."""

    user: str
    application: str


@dataclass(frozen=True, slots=True)
class Where:
    """The channel of a message: `chat` is the parent where `thread` is one. `private`: with the bot alone."""

    chat: str
    thread: str | None
    guild: str | None

    @property
    def private(self) -> bool:
        """Whether nobody but the sender reads along."""
        return self.guild is None


def written_by_person(data: Json) -> bool:
    """Whether a person wrote it: no bot, no webhook, nothing of Discord's own."""
    return data.get("type", 0) in _WRITTEN and not data.get("webhook_id") and not data["author"].get("bot")


def pings(data: Json, me: Me) -> bool:
    """Whether it mentions the bot by name, or is a reply that does."""
    return any(str(user["id"]) == me.user for user in data.get("mentions", ()))


def holds_anything(data: Json, me: Me) -> bool:
    """Whether there is more in it than the mention."""
    return bool(text_of(data, me)) or bool(data.get("attachments"))


def nearly_full(data: Json) -> bool:
    """Whether a client may have cut it off there: the rest of a paste comes in the next message."""
    return len(_content(data)) >= _NEARLY_FULL


def text_of(data: Json, me: Me) -> str:
    """The text without the mention of the bot; other people's mentions as their names."""
    names = {str(user["id"]): _name(user, user.get("member")) for user in data.get("mentions", ())}
    names[me.user] = ""

    def named(match: re.Match[str]) -> str:
        name = names.get(match[1])
        return match[0] if name is None else f"@{name}" if name else ""

    return _MENTION.sub(named, _content(data)).strip()


def message_of(pieces: Sequence[Json], where: Where, roles: Sequence[str], me: Me) -> Message:
    """The message that one event brings, or several when a client cut a paste: its id is the first one's.

    Raises `MalformedError`.
    """
    try:
        return _message_of(pieces, where, roles, me)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise MalformedError(f"no message: {type(error).__name__}") from error


def _message_of(pieces: Sequence[Json], where: Where, roles: Sequence[str], me: Me) -> Message:
    first = pieces[0]
    author = first["author"]
    reference = first.get("message_reference") or {}
    attachments = tuple(attachment_of(item) for piece in pieces for item in piece.get("attachments", ()))
    return Message(
        platform=NAME,
        account=me.user,
        id=str(first["id"]),
        chat=where.chat,
        thread=where.thread,
        guild=where.guild,
        sender=str(author["id"]),
        sender_name=_name(author, first.get("member")),
        text=_joined([text_of(piece, me) for piece in pieces], pieces),
        private=where.private,
        reply_to=str(reference["message_id"]) if reference.get("message_id") else None,
        roles=tuple(roles),
        attachments=attachments,
    )


def attachment_of(item: Json) -> Attachment:
    """A file, as Discord describes it."""
    size = item.get("size")
    return Attachment(
        id=str(item["id"]),
        name=str(item.get("filename") or "file"),
        size=size if isinstance(size, int) else 0,
        media_type=_string(item.get("content_type")),
        url=_string(item.get("url")),
    )


def _joined(texts: list[str], pieces: Sequence[Json]) -> str:
    """A client cuts at a line break or a space, which it drops; a cut within a word is one at exactly 2,000 characters."""
    text = texts[0]
    for before, following in zip(pieces, texts[1:], strict=False):
        text += ("" if len(_content(before)) >= 2000 else "\n") + following
    return text


def _name(user: Json, member: Json | None) -> str | None:
    nick = _string(member.get("nick")) if member else None
    return nick or _string(user.get("global_name")) or _string(user.get("username"))


def _content(data: Json) -> str:
    return _string(data.get("content")) or ""


def _string(value: object) -> str | None:
    return value if isinstance(value, str) else None
