"""An interaction as Discord tells of it, read into the message that it is: as if the person had typed `/name argument`."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from adapters.discord.messages import NAME, Me, attachment_of
from adapters.discord.places import THREADS
from adapters.discord.tokens import Token
from adapters.types import Message

if TYPE_CHECKING:
    from adapters.discord.members import Members
    from adapters.discord.payloads import Json
    from adapters.types import Attachment

PUBLIC = frozenset({"ask", "search", "help", "status", "continue", "retry", "stop"})
"""Commands that are answered in front of everybody. All others concern one person: only that one sees the answer."""
_IN_GUILD, _WITH_BOT, _ELSEWHERE = 0, 1, 2
_MESSAGE_MENU = 3
_COMPONENT = 3
_STRING, _FILE = 3, 11
_ADMINISTRATOR, _VIEW, _SEND, _SEND_IN_THREADS = 1 << 3, 1 << 10, 1 << 11, 1 << 38


@dataclass(frozen=True, slots=True)
class Asked:
    """A command or a press. `code` is that of the button, empty for a command; `member` tells the person's roles."""

    message: Message
    token: Token
    code: str
    member: Json | None

    @property
    def language(self) -> str:
        """The language that the person's client has."""
        return "fr" if (self.message.locale or "").startswith("fr") else "en"

    async def with_roles(self, members: Members) -> Message:
        """The message, with the roles of its sender as they are now. Raises `RestError`."""
        guild = None if self.message.private else self.message.guild
        if guild is None and not self.message.private:
            return self.message
        roles = await members.roles(self.message.sender, guild, self.member)
        return dataclasses.replace(self.message, roles=roles)


def asked(data: Json, me: Me, life_s: float) -> Asked:
    """Read an interaction that just came; it can be answered for `life_s` seconds."""
    member = data.get("member")
    user = member["user"] if member else data["user"]
    told = data.get("data") or {}
    context = _context(data)
    token = _token(data, context, str(told.get("name", "")), life_s)
    channel = data.get("channel") or {}
    parent = channel.get("parent_id") if channel.get("type") in THREADS else None
    message = Message(
        platform=NAME,
        account=me.user,
        id=str(data["id"]),
        chat=str(parent or data["channel_id"]),
        thread=str(data["channel_id"]) if parent else None,
        guild=str(data["guild_id"]) if context == _IN_GUILD else None,
        sender=str(user["id"]),
        sender_name=(member or {}).get("nick") or user.get("global_name") or user.get("username"),
        text="" if data["type"] == _COMPONENT else _text(told),
        private=context == _WITH_BOT,
        locale=data.get("locale"),
        attachments=_attachments(told),
        options=token.stored(),
    )
    return Asked(message, token, str(told.get("custom_id", "")), member)


def _context(data: Json) -> int:
    """Where it was used. Without Discord's word, a channel without a server is one where others may read along."""
    told = data.get("context")
    if isinstance(told, int):
        return told
    return _IN_GUILD if data.get("guild_id") else _ELSEWHERE


def _token(data: Json, context: int, name: str, life_s: float) -> Token:
    owners = data.get("authorizing_integration_owners") or {}
    press = data["type"] == _COMPONENT
    command = "ask" if (data.get("data") or {}).get("type") == _MESSAGE_MENU else name
    of_the_guild = context == _IN_GUILD and str(owners.get("0", "")) == str(data.get("guild_id"))
    installed = context == _WITH_BOT or (of_the_guild and _may_write(data))
    return Token(
        id=str(data["id"]),
        application=str(data["application_id"]),
        token=data["token"],
        expires=time.time() + life_s,
        hidden=not press and context != _WITH_BOT and command not in PUBLIC,
        original=not press,
        channel=installed,
        on=str(data["message"]["id"]) if press and data.get("message") else None,
    )


def _may_write(data: Json) -> bool:
    """Whether the bot may write there by itself: commands work in channels, too, where it has no rights."""
    rights = int(data.get("app_permissions") or _ADMINISTRATOR)
    needed = _VIEW | (_SEND_IN_THREADS if (data.get("channel") or {}).get("type") in THREADS else _SEND)
    return bool(rights & _ADMINISTRATOR) or rights & needed == needed


def _text(told: Json) -> str:
    """What it would be as a typed message. The words of the message that a menu was opened on are a question, never a command."""
    if told.get("type") == _MESSAGE_MENU:
        return f"/ask {_target(told).get('content') or ''}".strip()
    values = [str(option["value"]) for option in told.get("options", ()) if option.get("type") == _STRING]
    return " ".join([f"/{told.get('name')}", *values])


def _attachments(told: Json) -> tuple[Attachment, ...]:
    if told.get("type") == _MESSAGE_MENU:
        return tuple(attachment_of(item) for item in _target(told).get("attachments", ()))
    files = (told.get("resolved") or {}).get("attachments") or {}
    chosen = [str(option["value"]) for option in told.get("options", ()) if option.get("type") == _FILE]
    return tuple(attachment_of(files[id_]) for id_ in chosen if id_ in files)


def _target(told: Json) -> Json:
    messages: Json = (told.get("resolved") or {}).get("messages") or {}
    return messages.get(str(told.get("target_id"))) or {}
