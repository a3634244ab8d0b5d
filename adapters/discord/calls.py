"""Every call that counts for a channel, within the budget of that channel and of all together."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from adapters.discord.errors import PausedError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from adapters.discord.config import DiscordBudgets
    from adapters.discord.rest import Rest
    from adapters.types import File

_MOST = 5000


class _Purse:
    """So many calls at once, so many a second, one at a time."""

    def __init__(self, per_s: float, burst: float) -> None:
        self._per_s, self._burst = per_s, burst
        self._left, self._at = burst, time.monotonic()
        self.lock = asyncio.Lock()
        self.paused_until = 0.0

    async def wait(self) -> None:
        while True:
            now = time.monotonic()
            if self._per_s:
                self._left = min(self._burst, self._left + (now - self._at) * self._per_s)
            self._at = now
            wait_s = self.paused_until - now
            if self._per_s and self._left < 1:
                wait_s = max(wait_s, (1 - self._left) / self._per_s)
            if wait_s <= 0:
                self._left -= 1
                return
            await asyncio.sleep(wait_s)


class Calls:
    """The calls of one `run`. `place` is a channel, or the id of an interaction."""

    def __init__(self, rest: Rest, budgets: DiscordBudgets) -> None:
        self.rest = rest
        self._budgets = budgets
        self._purses: OrderedDict[str, _Purse] = OrderedDict()
        self._all = _Purse(budgets.global_per_s, max(1.0, budgets.global_per_s))

    async def call(self, place: str, method: str, path: str, body: Any = None, *, files: tuple[File, ...] = ()) -> Any:
        """One call, one at a time in each place, after any pause there. Raises `RestError`."""
        return await self.call_with(place, method, path, lambda: body or {}, files=files)

    async def call_with(
        self, place: str, method: str, path: str, body: Callable[[], Any], *, files: tuple[File, ...] = ()
    ) -> Any:
        """A call whose body is made when there is room for it; none is made, and None returned, when that is None.

        Cancelling it waits for a call that was begun: it cannot come after the next one. Raises `RestError`.
        """
        purse = self._purse(place)
        async with purse.lock:
            await purse.wait()
            await self._all.wait()
            made = body()
            if made is None:
                return None
            try:
                work = self.rest.call(method, path, made or None, files=files, known=not path.startswith("/webhooks/"))
                return await _to_its_end(work)
            except PausedError as error:
                paused = self._all if error.everywhere else purse
                paused.paused_until = max(paused.paused_until, time.monotonic() + error.retry_after)
                raise

    async def urgent(self, method: str, path: str, body: Any) -> Any:
        """A first response to an interaction: it has a limit of its own, and cannot wait. Raises `RestError`."""
        return await self.rest.call(method, path, body, known=False)

    def _purse(self, place: str) -> _Purse:
        purse = self._purses.get(place)
        if purse is None:
            purse = self._purses[place] = _Purse(self._budgets.channel_per_s, self._budgets.channel_burst)
            if len(self._purses) > _MOST:
                self._purses.popitem(last=False)
        self._purses.move_to_end(place)
        return purse


async def _to_its_end(work: Coroutine[Any, Any, Any]) -> Any:
    """Wait for a call even when nobody wants its answer any more."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        if not task.cancelled():
            task.exception()
        raise
