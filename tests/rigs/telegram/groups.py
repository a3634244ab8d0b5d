"""Groups and topics, as their members arrange them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Literal

from tests.rigs.telegram import wire

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.rigs.telegram.people import Person
    from tests.rigs.telegram.records import Shown
    from tests.rigs.telegram.world import Chat, World


class Group:
    """A group or supergroup with the bot in it. `topics` are ids of topics by name."""

    def __init__(self, world: World, chat: Chat, creator: int) -> None:
        self._world = world
        self.chat = chat
        self.creator = creator
        self.topics: dict[str, int] = {}

    @classmethod
    def made(cls, world: World, kind: Literal["group", "supergroup"], title: str, members: Iterable[Person]) -> Group:
        people = [person.user.id for person in members]
        return cls(world, world.add_chat(kind, title, people), people[0] if people else world.bot.id)

    @property
    def id(self) -> int:
        return self.chat.id

    def topic(self, name: str) -> int:
        """Open a topic and return its id; the group becomes a forum."""
        self.chat.forum = True
        self.topics[name] = opened(self._world, self.chat, self.creator, name)
        return self.topics[name]

    def mute_bot(self, *, muted: bool = True) -> None:
        """Take the bot's right to write, or give it back."""
        self.chat.refuses = "no_right" if muted else None

    def kick_bot(self) -> None:
        """Throw the bot out: it is told, and hears nothing more."""
        self._standing("kicked")
        self.chat.refuses = "kicked"

    def add_bot(self) -> None:
        """Let the bot in again."""
        self.chat.refuses = None
        self._standing("member")

    def promote_bot(self) -> None:
        """Make the bot an administrator: privacy mode does not bind it here."""
        self.chat.bot_admin = True

    def _standing(self, status: str) -> None:
        standing(self._world, self.chat, self.creator, status)

    def migrate(self) -> Group:
        """Let the group become a supergroup, with a new id; calls to the old one are told so."""
        world = self._world
        new = Group(world, world.add_chat("supergroup", self.chat.title, self.chat.members), self.creator)
        self._service({"migrate_to_chat_id": new.id})
        self.chat.migrated_to = new.id
        new._service({"migrate_from_chat_id": self.id})
        return new

    def _service(self, extra: dict[str, int]) -> Shown:
        shown = self._world.put(self.chat, self.creator, "", (), extra=extra)
        self._world.tell(shown)
        return shown


def opened(world: World, chat: Chat, creator: int, name: str) -> int:
    """Open a topic: its id is that of the message that says so."""
    extra = {"forum_topic_created": {"name": name, "icon_color": 7322096}}
    shown = world.put(chat, creator, "", (), extra=extra)
    shown.thread = shown.id
    chat.topics[shown.id] = name
    world.tell(shown)
    return shown.id


def standing(world: World, chat: Chat, by: int, status: str) -> None:
    """Tell the bot what it is in a chat now: `member`, `kicked`."""
    before = "member" if status == "kicked" else "kicked"
    bot = wire.user(world.bot)
    payload = {
        "chat": wire.chat(world, chat),
        "from": wire.user(world.users[by]),
        "date": int(time.time()),
        "old_chat_member": _member(bot, before),
        "new_chat_member": _member(bot, status),
    }
    world.updates.add("my_chat_member", payload)


def _member(user: dict[str, object], status: str) -> dict[str, object]:
    return {"user": user, "status": status} | ({"until_date": 0} if status == "kicked" else {})
