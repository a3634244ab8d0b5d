"""What a person would see, chat by chat, with times: loss and doubling are judged from here alone."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict, deque
from typing import TYPE_CHECKING, Any, TypeVar

from tests.rigs.telegram.records import Action, Answer, Call, Draft, Press, Shown, Sign, Version, Violation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")
DRAFT_S = 30.0
LIVE = frozenset({"url", "text_link", "mention", "text_mention", "bot_command", "email", "hashtag", "cashtag", "phone_number"})


class Ledger:
    """The records of one rig. Everything in it stays through restarts of the daemon; `chat` is a chat's id."""

    def __init__(self) -> None:
        self.chats: defaultdict[int, dict[int, Shown]] = defaultdict(dict)
        self.all_drafts: defaultdict[int, list[Draft]] = defaultdict(list)
        self.actions: defaultdict[int, list[Action]] = defaultdict(list)
        self.presses: dict[str, Press] = {}
        self.answers: defaultdict[str, list[Answer]] = defaultdict(list)
        self.all_violations: list[Violation] = []
        self.parse_modes: list[Call] = []
        self.calls: deque[Call] = deque(maxlen=200_000)
        self._changed = asyncio.Event()

    def changed(self) -> None:
        """Something happened: wake who waits in `until`."""
        self._changed.set()

    async def until(self, seen: Callable[[], T], timeout_s: float = 10.0) -> T:
        """Wait until `seen()` is true, and return what it returned. Raises `TimeoutError`."""
        async with asyncio.timeout(timeout_s):
            while not (found := seen()):
                self._changed.clear()
                await self._changed.wait()
            return found

    def violate(self, kind: str, method: str, chat: int | None, detail: str) -> None:
        """Note that a call broke a rule."""
        self.all_violations.append(Violation(kind, method, chat, detail))

    def violations(self, kind: str | None = None) -> list[Violation]:
        """The broken rules, of one kind or all."""
        return [one for one in self.all_violations if kind in (None, one.kind)]

    def message(self, chat: int, number: int) -> Shown | None:
        """A message that still is there."""
        found = self.chats[chat].get(number)
        return None if found is None or found.deleted_at is not None else found

    def messages(self, chat: int, thread: int | None = None) -> list[Shown]:
        """All messages of a chat or of one topic of it, deleted ones too, in their order."""
        return [one for one in self.chats[chat].values() if thread in (None, one.thread)]

    def visible(self, chat: int, thread: int | None = None) -> list[Shown]:
        """What the chat shows now, by whomever."""
        return [one for one in self.messages(chat, thread) if one.deleted_at is None]

    def by_bot(self, chat: int | None = None) -> list[Shown]:
        """What the bot said and did not delete, in one chat or all."""
        chats = list(self.chats) if chat is None else [chat]
        return [one for number in chats for one in self.visible(number) if one.by_bot]

    def answers_to(self, *questions: Shown) -> list[Shown]:
        """The bot's visible messages that answer one of these, in their order.

        A message that replies answers what it replies to, through any number of messages of the bot. One that does not reply
        goes on with what the bot said last in that topic, or answers the message that came since.
        """
        wanted = {(one.chat, one.id) for one in questions}
        return [
            one
            for chat in dict.fromkeys(one.chat for one in questions)
            for one, root in self._rooted(chat)
            if root is not None and (chat, root) in wanted and one.deleted_at is None
        ]

    def _rooted(self, chat: int) -> Iterator[tuple[Shown, int | None]]:
        """The bot's messages of a chat, each with the id of the message that it answers."""
        current: dict[int | None, int] = {}
        roots: dict[int, int | None] = {}
        for one in self.chats[chat].values():
            if not one.by_bot:
                current[one.thread] = one.id
                continue
            root = current.get(one.thread) if one.reply_to is None else roots.get(one.reply_to, one.reply_to)
            roots[one.id] = root
            if root is not None:
                current[one.thread] = root
            yield one, root

    def first_sign_of_life(self, message: Shown) -> Sign | None:
        """The first that the bot did in that chat and topic after a message; a reaction counts on the message alone."""
        signs = [
            *(("action", one.at, one.wall) for one in self.actions[message.chat] if one.thread == message.thread),
            *(("reaction", one.at, one.wall) for one in message.reactions),
            *(("draft", one.at, one.wall) for one in self.all_drafts[message.chat] if one.thread == message.thread),
            *(("message", one.at, one.wall) for one in self.messages(message.chat, message.thread) if one.by_bot),
        ]
        later = [sign for sign in signs if sign[1] >= message.at]
        if not later:
            return None
        kind, at, wall = min(later, key=lambda sign: sign[1])
        return Sign(kind, at - message.at, at=at, wall=wall)

    def drafts(self, chat: int, draft: int | None = None) -> list[Draft]:
        """The previews that were shown in a chat, all or those of one draft id."""
        return [one for one in self.all_drafts[chat] if draft in (None, one.id)]

    def draft_now(self, chat: int) -> Draft | None:
        """The preview that a private chat shows at this moment."""
        last = self.all_drafts[chat][-1] if self.all_drafts[chat] else None
        said = max((one.at for one in self.messages(chat) if one.by_bot), default=0.0)
        gone = last is None or last.at < said or time.monotonic() - last.at > DRAFT_S
        return None if gone else last

    def writing(self, chat: int, thread: int | None = None) -> list[Version]:
        """Everything the bot showed in a chat as it came: drafts, messages and their edits, by time."""
        drafts = [Version(one.text, one.entities, at=one.at, wall=one.wall) for one in self.drafts(chat)]
        said = [version for one in self.messages(chat, thread) if one.by_bot for version in one.history]
        return sorted((*drafts, *said), key=lambda version: version.at)

    def answer(self, press: Press) -> Answer | None:
        """What a press brought, None when nothing has come yet."""
        found = self.answers[press.query]
        return found[0] if found else None

    def links(self, message: Shown) -> list[tuple[str, str]]:
        """What can be tapped in a message: (kind, target), the server's own links too."""
        units = message.text.encode("utf-16-le")
        found = [one for one in message.entities if one["type"] in LIVE]
        return [(one["type"], one.get("url") or _cut(units, one)) for one in found]

    def calls_of(self, method: str | None = None, chat: int | None = None) -> list[Call]:
        """The bot's calls, of one method, to one chat, or all."""
        return [one for one in self.calls if method in (None, one.method) and chat in (None, one.chat)]


def _cut(units: bytes, entity: dict[str, Any]) -> str:
    start = entity["offset"] * 2
    return units[start : start + entity["length"] * 2].decode("utf-16-le")
