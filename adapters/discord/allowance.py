"""What Discord punishes when there is too much of it: new sessions in a day, starts in a row, invalid requests."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from typing import TYPE_CHECKING

from adapters.discord.errors import UnreachableError
from adapters.limits import Window

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.types import Ledger

_IDENTIFIES = "identifies"
_STARTS = "starts"
_INVALID = "invalid"
_DAY_S = 24 * 3600.0
_CALM_S = 600.0
"""Starts that far apart are no crash loop."""
_WINDOW_S = 600.0
_FREE_STARTS = 3

_log = logging.getLogger(__name__)


class Identifies:
    """New sessions, counted in the ledger before each."""

    def __init__(self, ledger: Ledger, limit: int) -> None:
        self._ledger = ledger
        self._limit = limit

    async def wait_s(self) -> float:
        """How long until there is room for one more; 0: now."""
        now = time.time()
        return max(0.0, (await self._window()).when(now) - now)

    async def take(self) -> bool:
        """Count one, lasting, before it is made. False: there is no room."""
        window, now = await self._window(), time.time()
        if not window.may(now):
            return False
        window.add(now)
        await self._ledger.put(_IDENTIFIES, window.dump())
        return True

    async def _window(self) -> Window:
        return _stored(self._limit, _DAY_S, await self._ledger.get(_IDENTIFIES))


class Starts:
    """Starts in a row: from the fourth within minutes on, each waits twice as long as the one before it.

    The wait goes on over restarts. A start that never reached Discord does not count: after an outage nobody has to wait.
    """

    def __init__(self, ledger: Ledger, longest_s: float) -> None:
        self._ledger = ledger
        self._longest_s = longest_s

    async def space(self, note: Callable[[str], None]) -> None:
        """Wait until one more may be begun."""
        row, last = await self._row()
        if row < _FREE_STARTS:
            return
        wait_s = last + min(2.0 ** (row + 1 - _FREE_STARTS), self._longest_s) - time.time()
        if wait_s > 0:
            note(f"{row} starts in a row: the next connection is in {wait_s:.0f} s.")
            await asyncio.sleep(wait_s)

    async def count(self) -> None:
        """One more has reached Discord."""
        row, _ = await self._row()
        await self._ledger.put(_STARTS, json.dumps([row + 1, time.time()]))

    async def _row(self) -> tuple[int, float]:
        """How many there were in a row, and when the last one was."""
        row, last = json.loads(await self._ledger.get(_STARTS) or "[0, 0]")
        return (row, last) if 0 <= time.time() - last < _CALM_S else (0, 0.0)

    async def calm(self) -> None:
        """It has run for a while: the next start is not one of a row."""
        await self._ledger.put(_STARTS, None)


class InvalidRequests:
    """Answers 401, 403 and 429 of the last ten minutes. Kept in the ledger now and then: a restart does not begin at nothing."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._window = Window(limit, _WINDOW_S)
        self._kept = 0

    async def load(self, ledger: Ledger) -> None:
        """Go on where a former process was."""
        if not self._window.count(time.time()):
            self._window = _stored(self._limit, _WINDOW_S, await ledger.get(_INVALID))
            self._kept = self._window.count(time.time())

    async def keep(self, ledger: Ledger) -> None:
        """Write down how many there are, when that changed by much."""
        count = self._window.count(time.time())
        if abs(count - self._kept) >= max(1, self._limit // 100):
            self._kept = count
            await ledger.put(_INVALID, self._window.dump())

    def count(self) -> None:
        """One more."""
        now = time.time()
        self._window.add(now)
        if self._window.count(now) == self._limit:
            _log.error("discord: %d invalid requests in ten minutes; nothing is sent until they are past", self._limit)

    def check(self) -> None:
        """Raise `UnreachableError` when there were so many that no call is made."""
        if not self._window.may(time.time()):
            raise UnreachableError("too many invalid requests: no call is made for some minutes")


def _stored(limit: int, seconds: float, text: str | None) -> Window:
    """The window as it was kept; a text that is none counts as nothing."""
    try:
        return Window(limit, seconds, text)
    except ValueError:
        return Window(limit, seconds)
