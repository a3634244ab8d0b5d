"""How often something happened in the last hours, counted coarsely and kept as a short text."""

from __future__ import annotations

import json
import math

_SLOTS = 60
"""A window is counted in so many slots: what happened within one counts until its end has left the window."""


class Window:
    """At most `limit` times in any `seconds`. Times are in seconds since the epoch, given by the caller.

    Errs on the safe side: by up to a sixtieth of the window, what happened counts longer than it had to. When the clock was set
    back, what lies in the future counts as happening now.
    """

    def __init__(self, limit: int, seconds: float, stored: str | None = None) -> None:
        """`stored` is what `dump` returned. Raises `ValueError` when it is nothing of the kind."""
        self._limit, self._seconds = limit, seconds
        self._slot_s = seconds / _SLOTS
        self._counts = {} if stored is None else _loaded(stored, self._slot_s)

    def add(self, now: float) -> None:
        """It happens now."""
        self._counts = self._held(now)
        slot = math.floor(now / self._slot_s)
        self._counts[slot] = self._counts.get(slot, 0) + 1

    def count(self, now: float) -> int:
        """How often it happened, as it counts now."""
        return sum(self._held(now).values())

    def may(self, now: float) -> bool:
        """Whether it may happen now."""
        return self.count(now) < self._limit

    def when(self, now: float) -> float:
        """From when on it may happen: `now`, or later. Infinite when it never may."""
        held = self._held(now)
        too_many = sum(held.values()) - self._limit + 1
        if too_many <= 0:
            return now
        for slot in sorted(held):
            too_many -= held[slot]
            if too_many <= 0:
                return (slot + 1) * self._slot_s + self._seconds
        return math.inf

    def dump(self) -> str:
        """As a short text (at most about 1,200 characters), to be stored."""
        return json.dumps({"slot_s": self._slot_s, "counts": sorted(self._counts.items())}, separators=(",", ":"))

    def _held(self, now: float) -> dict[int, int]:
        """What has not left the window, by slot; what lies in the future is from now on taken for present."""
        present = math.floor(now / self._slot_s)
        for slot in [slot for slot in self._counts if slot > present]:
            self._counts[present] = self._counts.get(present, 0) + self._counts.pop(slot)
        return {slot: count for slot, count in self._counts.items() if (slot + 1) * self._slot_s + self._seconds > now}


def _loaded(stored: str, slot_s: float) -> dict[int, int]:
    """The counts; those of slots of another length (the window was changed) at the end of their slots."""
    try:
        value = json.loads(stored)
        was_s = float(value["slot_s"])
        pairs = [(int(slot), int(count)) for slot, count in value["counts"]]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError("not the stored text of a window") from error
    counts: dict[int, int] = {}
    for slot, count in pairs:
        now = slot if was_s == slot_s else math.ceil((slot + 1) * was_s / slot_s)
        counts[now] = counts.get(now, 0) + count
    return counts
