"""How often something may happen: at most so many times in so many seconds, for each who does it."""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_KEYS = 10_000
"""Who is counted at once; who did nothing for longest is forgotten first."""


@dataclass(frozen=True, slots=True)
class Over:
    """Once more would be too often: at most `most` times in `seconds`, and again in `wait_s`. `said`: they were told before."""

    most: int
    seconds: float
    wait_s: float
    said: bool


@dataclass(slots=True)
class _Count:
    times: deque[float]
    told: dict[float, float] = field(default_factory=dict)


class Pace:
    """Counts over sliding windows, each `(most, seconds)`, at the same cost however many. What was refused does not count."""

    def __init__(self, windows: Sequence[tuple[int, float]], clock: Callable[[], float] = time.time) -> None:
        self._windows = sorted(windows, key=lambda window: -window[1])
        self._kept = max(most for most, _ in windows)
        self._clock = clock
        self._counts: OrderedDict[str, _Count] = OrderedDict()

    def __contains__(self, key: str) -> bool:
        """Whether anything is known of this one."""
        return key in self._counts

    def seed(self, key: str, times: Iterable[float]) -> None:
        """Say what happened before, oldest first, unless something is known already."""
        if key not in self._counts:
            self._counts[key] = _Count(deque(times, self._kept))
            while len(self._counts) > _KEYS:
                self._counts.popitem(last=False)

    def take(self, key: str) -> Over | None:
        """Count once more. None when it may be, else why not."""
        self.seed(key, ())
        self._counts.move_to_end(key)
        count, now = self._counts[key], self._clock()
        while count.times and count.times[-1] > now:  # the clock was set back: what it said before counts for nothing
            count.times.pop()
        for most, seconds in self._windows:
            if len(count.times) >= most and count.times[-most] > now - seconds:
                return self._over(count, most, seconds, now)
        count.times.append(now)
        return None

    def give_back(self, key: str) -> None:
        """The last time does not count after all."""
        if key in self._counts and self._counts[key].times:
            self._counts[key].times.pop()

    def _over(self, count: _Count, most: int, seconds: float, now: float) -> Over:
        said = now - seconds < count.told.get(seconds, 0) <= now
        if not said:
            count.told[seconds] = now
        return Over(most, seconds, count.times[-most] + seconds - now, said)
