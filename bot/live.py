"""One question while it is answered: as the answerer receives it, as its followers see it, and as it ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from adapters.types import Message, Reply

if TYPE_CHECKING:
    from bot.people.people import Person


@dataclass(frozen=True, slots=True)
class Received:
    """A message whose turn has come.

    `id` is the inbox's own, `attempt` counts from 1, `received_at` is in seconds since the epoch. `space` is `private`,
    `private:NAME`, or `PLATFORM:CHAT[:THREAD]`: with the person it makes the conversation.
    """

    id: int
    message: Message
    person: Person
    conversation_id: int
    space: str
    attempt: int
    received_at: float


@dataclass(frozen=True, slots=True)
class NewTurn:
    """What is remembered of an answer. `documents` are the ids of all documents it was made from.

    `replaces` is the turn of the same conversation that goes, because its question was asked again.
    """

    question: str
    answer: str
    documents: frozenset[int] = frozenset()
    replaces: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of an answer. Without a `turn` it leaves no trace in the memory: a command, a failure."""

    reply: Reply
    turn: NewTurn | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """Not yet its turn. `position` counts from 1.

    `reason` is `queue`, `starting` (the daemon still loads) or `model` (the model loads).
    """

    position: int
    reason: str = "queue"


@dataclass(frozen=True, slots=True)
class Step:
    """Its turn: `retrieve`, `generate`."""

    name: str


@dataclass(frozen=True, slots=True)
class Words:
    """The next words of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Restarted:
    """The words so far are void: the answer starts anew (after a crash or a failed attempt)."""


@dataclass(frozen=True, slots=True)
class Finished:
    """The reply, whole. The last event. `citations` and `timings` are inside."""

    reply: Reply


Event = Waiting | Step | Words | Restarted | Finished
