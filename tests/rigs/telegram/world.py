"""Who is there: the bot, people, chats, topics, files; and how a message or an edit comes to be."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any, Literal

from tests.rigs.telegram import wire
from tests.rigs.telegram.ledger import Ledger
from tests.rigs.telegram.records import Media, Shown, Version
from tests.rigs.telegram.updates import Updates

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.rigs.telegram.records import Buttons, Entity

FIRST_PERSON = 5_000_001
FIRST_GROUP = 4_100_001
FIRST_SUPERGROUP = 1_001_900_000_001


@dataclass(eq=False, slots=True)
class User:
    """An account: a person or the bot."""

    id: int
    first_name: str
    username: str | None = None
    language: str | None = None
    is_bot: bool = False


@dataclass(eq=False, slots=True)
class Chat:
    """A chat as the server knows it. `refuses` is what a send there is answered with, None: it goes through."""

    id: int
    kind: Literal["private", "group", "supergroup"]
    title: str
    members: set[int] = field(default_factory=set)
    topics: dict[int, str] = field(default_factory=dict)
    forum: bool = False
    bot_admin: bool = False
    started: bool = True
    refuses: Literal["blocked", "kicked", "no_right"] | None = None
    migrated_to: int | None = None

    @property
    def private(self) -> bool:
        return self.kind == "private"


class World:
    """The state of the platform; it lives as long as the rig, whatever happens to the daemon."""

    def __init__(self, token: str, username: str, *, privacy: bool) -> None:
        self.bot = User(int(token.partition(":")[0]), "Grillon", username, is_bot=True)
        self.privacy = privacy
        self.ledger = Ledger()
        self.updates = Updates(self.ledger.changed)
        self.users: dict[int, User] = {self.bot.id: self.bot}
        self.chats: dict[int, Chat] = {}
        self.media: dict[str, Media] = {}
        self.commands: dict[tuple[str, str], list[dict[str, str]]] = {}
        self.private_topics = False
        self._numbers = {"user": count(FIRST_PERSON), "group": count(FIRST_GROUP), "supergroup": count(FIRST_SUPERGROUP)}
        self.queries = count(4_382_000_001)
        self.albums = count(13_900_001)
        self._messages = count(101)
        self._own_messages: dict[int, count[int]] = {}
        self._files = count(1)

    def add_user(self, name: str, username: str | None, language: str | None) -> User:
        user = User(next(self._numbers["user"]), name, username, language)
        self.users[user.id] = user
        return user

    def add_chat(self, kind: Literal["group", "supergroup"], title: str, members: Iterable[int]) -> Chat:
        chat = Chat(-next(self._numbers[kind]), kind, title, {*members, self.bot.id})
        self.chats[chat.id] = chat
        return chat

    def next_message(self, chat: Chat) -> int:
        """Message ids: each supergroup counts by itself, all other chats together."""
        numbers = self._own_messages.setdefault(chat.id, count(1)) if chat.kind == "supergroup" else self._messages
        return next(numbers)

    def store(
        self, kind: Literal["document", "photo", "voice"], name: str, media_type: str, data: bytes, claimed: int | None
    ) -> Media:
        """Keep a file; it can be fetched by its id from now on."""
        media = Media(f"BQACAg{next(self._files):06d}", kind, name, media_type, data, claimed)
        self.media[media.id] = media
        return media

    def put(
        self, chat: Chat, sender: int, text: str, entities: tuple[Entity, ...], buttons: Buttons = (), **fields: Any
    ) -> Shown:
        """Let a message appear in a chat."""
        version = Version(text, entities, buttons)
        by_bot = sender == self.bot.id
        shown = Shown(chat=chat.id, id=self.next_message(chat), sender=sender, by_bot=by_bot, history=[version], **fields)
        self.ledger.chats[chat.id][shown.id] = shown
        self.ledger.changed()
        return shown

    def tell(self, shown: Shown, kind: str = "message") -> None:
        """Queue the update about a message, if the bot may see it."""
        if self.sees(shown):
            shown.update = self.updates.add(kind, wire.message(self, shown))
            self.ledger.changed()

    def delete(self, shown: Shown) -> None:
        """Let a message disappear; a bot is not told."""
        shown.deleted_at = time.monotonic()
        self.ledger.changed()

    def sees(self, shown: Shown) -> bool:
        """Whether privacy mode lets the bot see it: commands, mentions of it, replies to it, service messages."""
        chat = self.chats[shown.chat]
        if chat.private or chat.bot_admin or not self.privacy or shown.extra:
            return chat.refuses not in ("kicked", "blocked")
        replied = None if shown.reply_to is None else self.ledger.chats[chat.id].get(shown.reply_to)
        return bool(chat.refuses != "kicked" and ((replied and replied.by_bot) or self._addressed(shown)))

    def _addressed(self, shown: Shown) -> bool:
        me = f"@{self.bot.username}".lower()
        for kind, target in self.ledger.links(shown):
            if kind == "mention" and target.lower() == me:
                return True
            if kind == "bot_command" and target.lower().partition("@")[2] in ("", me[1:]):
                return True
        return any(one["type"] == "text_mention" and one["user"]["id"] == self.bot.id for one in shown.entities)
