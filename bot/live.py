"""What followers of one question see while it is answered: their place, signs of life, words, the reply."""

from __future__ import annotations

from dataclasses import dataclass

from adapters.types import Reply


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
