"""What Discord punishes when there is too much of it: new sessions in a day, starts in a row, invalid requests."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections import deque
from typing import TYPE_CHECKING

from adapters.discord.errors import UnreachableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.types import Ledger

_IDENTIFIES = "identifies"
_STARTS = "starts"
_INVALID = "invalid"
_HOUR_S = 3600.0
_DAY_S = 24 * _HOUR_S
_CALM_S = 600.0
"""Starts that far apart are no crash loop."""
_WINDOW_S = 600.0
_FREE_STARTS = 3
_LONGEST_S = 300.0

_log = logging.getLogger(__name__)


class Identifies:
    """New sessions, counted in the ledger before each: hours since the epoch and how many there were in them."""

    def __init__(self, ledger: Ledger, limit: int) -> None:
        self._ledger = ledger
        self._limit = limit

    async def wait_s(self) -> float:
        """How long until there is room for one more; 0: now."""
        counts = await self._counts()
        if sum(counts.values()) < self._limit:
            return 0.0
        return max(1.0, (min(counts) + 1) * _HOUR_S + _DAY_S - time.time())

    async def take(self) -> bool:
        """Count one, lasting, before it is made. False: there is no room."""
        counts = await self._counts()
        if sum(counts.values()) >= self._limit:
            return False
        hour = int(time.time() // _HOUR_S)
        counts[hour] = counts.get(hour, 0) + 1
        await self._ledger.put(_IDENTIFIES, json.dumps(counts))
        return True

    async def _counts(self) -> dict[int, int]:
        oldest = (time.time() - _DAY_S) // _HOUR_S
        told = json.loads(await self._ledger.get(_IDENTIFIES) or "{}")
        return {int(hour): count for hour, count in told.items() if int(hour) >= oldest}


class Starts:
    """Starts in a row: from the fourth within minutes on, each waits twice as long as the one before it, over restarts too."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def space(self, note: Callable[[str], None]) -> None:
        """Count a start, and wait as long as it has to."""
        row, last = json.loads(await self._ledger.get(_STARTS) or "[0, 0]")
        row = row + 1 if 0 <= time.time() - last < _CALM_S else 1
        await self._ledger.put(_STARTS, json.dumps([row, time.time()]))
        wait_s = min(2.0 ** (row - _FREE_STARTS), _LONGEST_S) if row > _FREE_STARTS else 0.0
        if wait_s:
            note(f"{row} starts in a row: the next connection is in {wait_s:.0f} s.")
            await asyncio.sleep(wait_s)

    async def calm(self) -> None:
        """It has run for a while: the next start is not one of a row."""
        await self._ledger.put(_STARTS, None)


class InvalidRequests:
    """Answers 401, 403 and 429 of the last ten minutes. Kept in the ledger now and then: a restart does not begin at nothing."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._at: deque[float] = deque()
        self._kept = 0

    async def load(self, ledger: Ledger) -> None:
        """Go on where a former process was."""
        count, at = json.loads(await ledger.get(_INVALID) or "[0, 0]")
        if not self._at and 0 <= time.time() - at < _WINDOW_S:
            self._at.extend([at] * min(count, 10_000))
            self._kept = len(self._at)

    async def keep(self, ledger: Ledger) -> None:
        """Write down how many there are, when that changed by much."""
        self._forget_old()
        if abs(len(self._at) - self._kept) >= max(1, self._limit // 100):
            self._kept = len(self._at)
            await ledger.put(_INVALID, json.dumps([self._kept, time.time()]))

    def count(self) -> None:
        """One more."""
        self._at.append(time.time())
        if len(self._at) == self._limit:
            _log.error("discord: %d invalid requests in ten minutes; nothing is sent until they are past", self._limit)

    def check(self) -> None:
        """Raise `UnreachableError` when there were so many that no call is made."""
        self._forget_old()
        if len(self._at) >= self._limit:
            raise UnreachableError("too many invalid requests: no call is made for some minutes")

    def _forget_old(self) -> None:
        oldest = time.time() - _WINDOW_S
        while self._at and self._at[0] < oldest:
            self._at.popleft()
