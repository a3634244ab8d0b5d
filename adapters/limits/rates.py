"""How often a chat, or a platform, may be called, and when it may be called next."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `calls` in any `seconds`, wherever they begin: no burst at the seam of two windows."""

    calls: int
    seconds: float

    def __post_init__(self) -> None:
        if self.calls < 1 or self.seconds <= 0:
            raise ValueError("a rate allows one call or more, in more than no time")


@dataclass(frozen=True, slots=True)
class Rule:
    """The rates of one kind of chat. Empty: no limit.

    `calls` hold for all calls; `live` besides for those that are no final part (edits, drafts, typing).
    """

    calls: tuple[Rate, ...] = ()
    live: tuple[Rate, ...] = ()


class Log:
    """When calls ended, by the clock of whoever writes it; as many as the rates that it serves look back at.

    A call reaches the platform at some moment between its beginning and its end. It counts from its beginning on, and until
    `seconds` after its end: so the platform, too, sees at most `calls` in any `seconds`, however long each was on its way.
    """

    def __init__(self) -> None:
        self._ends: deque[float] = deque()
        self.flying = 0

    def begin(self) -> None:
        """A call begins."""
        self.flying += 1

    def end(self, now: float) -> None:
        """A call ended."""
        self.flying -= 1
        self._ends.append(now)

    def drop(self) -> None:
        """A call that had begun was not made."""
        self.flying -= 1

    def ready_at(self, rates: tuple[Rate, ...], kept: int = 0) -> float:
        """When a call may begin that leaves `kept` calls of each rate to others: in the past when it may at once.

        Infinite: not before a call in flight ends, or less is kept.
        """
        return max((self._ready_at(rate, kept) for rate in rates), default=-math.inf)

    def forget(self, now: float, rates: tuple[Rate, ...]) -> bool:
        """Drop what no rate looks at any more; return whether nothing is left."""
        oldest = now - max((rate.seconds for rate in rates), default=0)
        while self._ends and self._ends[0] <= oldest:
            self._ends.popleft()
        return not self._ends and not self.flying

    def _ready_at(self, rate: Rate, kept: int) -> float:
        free = rate.calls - self.flying - kept
        if free <= 0:
            return math.inf
        return self._ends[-free] + rate.seconds if len(self._ends) >= free else -math.inf
