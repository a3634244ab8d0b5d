"""How far what people see is behind what a model writes, of answers in numbered words that come at a steady pace."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_WORD = re.compile(r"word(\d+)")
_STEP_S = 0.05


@dataclass(frozen=True, slots=True)
class View:
    """What somebody saw from `at` on (seconds since the epoch): the first so many words."""

    at: float
    words: int


@dataclass(frozen=True, slots=True)
class Writing:
    """An answer of `total` words (`Script.tokens`), of which word `n` was written at `begun + n / pace`."""

    begun: float
    pace: float
    total: int

    def written(self, at: float) -> int:
        """How many words were there at that time."""
        return max(0, min(self.total, int((at - self.begun) * self.pace) + 1))

    def behind(self, views: Sequence[View]) -> list[float]:
        """At each moment until everything is seen, for how long the oldest word that is not seen had been written, in seconds.

        Raises `AssertionError` when the end was never seen.
        """
        assert views, "nothing was ever seen"
        assert views[-1].words == self.total, f"{views[-1].words} of {self.total} words were seen"
        end = max(self.begun + self.total / self.pace, next(view.at for view in views if view.words == self.total))
        found: list[float] = []
        for step in count():
            at = self.begun + step * _STEP_S
            if at > end:
                return found
            seen = max((view.words for view in views if view.at <= at), default=0)
            found.append(at - self.begun - seen / self.pace if seen < self.written(at) else 0.0)
        raise AssertionError("time never ends")

    def first(self, views: Sequence[View]) -> float:
        """Seconds from the first word to its being seen."""
        return next(view.at for view in views if view.words) - self.begun


def views_of(shown: Iterable[tuple[float, str]]) -> list[View]:
    """What was shown and when (`time.monotonic`), as words. Raises `AssertionError` when a view skips or repeats a word."""
    wall = time.time() - time.monotonic()
    found = []
    for at, text in shown:
        numbers = [int(number) for number in _WORD.findall(text)]
        assert numbers == list(range(len(numbers))), f"no beginning of the answer: {text[:200]!r}"
        found.append(View(at + wall, len(numbers)))
    return sorted(found, key=lambda view: view.at)
