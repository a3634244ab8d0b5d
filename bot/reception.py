"""What is taken at the door: a message must be text, within the limits, with room in the line; then it is stored once."""

from __future__ import annotations

import math
import re
import time
from collections import Counter
from typing import TYPE_CHECKING

from bot.errors import RejectedError
from bot.inbox import space_of
from bot.inbox_rows import Pending
from bot.people.pace import Pace

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from adapters.types import Message
    from bot.inbox import Inbox
    from bot.lanes import Lanes
    from bot.people.people import Person
    from bot.settings.fields import LimitsConfig

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters but tab and line breaks, and halves of surrogate pairs: no keyboard makes them."""

_MINUTE_S, _HOUR_S = 60.0, 3600.0


class Reception:
    """Takes messages in. Those on their way into the database count as waiting already.

    `pulled`: the doors at which nobody but we count how much a person sends; before the others is `bot.people.gate`.
    """

    def __init__(self, inbox: Inbox, lanes: Lanes, limits: LimitsConfig, pulled: AbstractSet[str]) -> None:
        self._inbox = inbox
        self._lanes = lanes
        self._limits = limits
        self._paced = pulled if limits.person_minute_http else frozenset[str]()
        self._pace = Pace([(max(1, limits.person_minute_http), _MINUTE_S)])
        self._arriving: Counter[int] = Counter()

    async def take(self, message: Message, person: Person, mark: tuple[str, str] | None = None) -> Pending | int:
        """Store a message: what is to be answered, or the inbox id of what had come before.

        Raises `RejectedError`, and `DatabaseError`: then nothing is stored.
        """
        screen(message, self._limits)
        try:
            check_room(*self._waiting(person), self._limits)
            self._count(message, person)
        except RejectedError:
            known = await self._inbox.known(message, person)
            if known is None:
                raise
            return known
        taken = await self._store(message, person, mark)
        if isinstance(taken, int) and message.platform in self._paced:  # sent again: it was counted before
            self._pace.give_back(str(person.id))
        return taken

    def _count(self, message: Message, person: Person) -> None:
        """Raise `RejectedError` (`too_many`) for what comes too fast after a person's others."""
        over = self._pace.take(str(person.id)) if message.platform in self._paced else None
        if over is not None:
            wait_s = math.ceil(over.wait_s)
            raise RejectedError("too_many", f"At most {over.most} messages a minute are taken: go on in {wait_s} seconds.", 429)

    async def _store(self, message: Message, person: Person, mark: tuple[str, str] | None) -> Pending | int:
        now = time.time()
        expires_at = now + self._limits.expire_h * _HOUR_S
        self._arriving[person.id] += 1
        try:
            arrived = await self._inbox.receive(message, person, expires_at, mark)
        finally:
            self._arriving[person.id] -= 1
        if not arrived.fresh:
            return arrived.id
        return Pending(arrived.id, message, person, arrived.conversation_id, space_of(message), now, expires_at)

    def _waiting(self, person: Person) -> tuple[int, int]:
        return len(self._lanes) + self._arriving.total(), self._lanes.of_person(person.id) + self._arriving[person.id]


def screen(message: Message, limits: LimitsConfig) -> None:
    """Raise `RejectedError` (`empty`, `too_long`, `binary`) for what is not a question or a command."""
    if not message.text.strip():
        raise RejectedError("empty", "The message is empty: write a question.")
    if len(message.text) > limits.question_chars:
        raise RejectedError(
            "too_long", f"The message has {len(message.text)} characters; at most {limits.question_chars} are read."
        )
    if _CONTROL.search(message.text):
        raise RejectedError("binary", "The message holds control characters: send plain text.")


def check_room(waiting: int, of_person: int, limits: LimitsConfig) -> None:
    """Raise `RejectedError` (`queue_full`) when the line is full, or holds enough of this person's."""
    if of_person >= limits.queue_person:
        raise RejectedError(
            "queue_full", f"{of_person} of your questions are waiting already; at most {limits.queue_person}.", 429
        )
    if waiting >= limits.queue:
        raise RejectedError(
            "queue_full", f"{waiting} questions are waiting, and there is no room for more: try again later.", 503
        )
