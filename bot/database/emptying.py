"""Empties the write-ahead log, which still holds the words that were erased from the database, and does not give up.

While a reader, a backup say, looks at an older state, the log cannot be emptied. It is then tried again until it can: an erased
word is in no file once the readers of its time are done, even if nobody writes any more.
"""

from __future__ import annotations

import asyncio
import logging
from itertools import chain, repeat
from typing import TYPE_CHECKING

from bot.errors import DatabaseError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_WAITS_S = (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2)
"""Between tries. Whoever reads for longer is told of in the journal, and the last wait is repeated."""

_log = logging.getLogger(__name__)


class Emptying:
    """`truncate` tries once; False while a reader still needs the log. Belongs to one event loop."""

    def __init__(self, truncate: Callable[[], Awaitable[bool]]) -> None:
        self._truncate = truncate
        self._due = False
        self._task: asyncio.Task[None] | None = None

    async def empty(self, wait_s: float) -> bool:
        """Empty the log of what was erased before this call. False when it takes longer than `wait_s`: then it goes on behind."""
        self._due = True  # a try that is on its way may have come before the caller's words
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._until_empty(), name="empty the log")
        task = self._task
        await asyncio.wait({task}, timeout=wait_s)
        if not task.done() or task.cancelled():
            return False
        task.result()
        return not self._due

    async def close(self) -> None:
        """Stop trying. The last connection empties the log when it closes, and the next start does it anyway."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _until_empty(self) -> None:
        for number, wait_s in enumerate(chain(_WAITS_S, repeat(_WAITS_S[-1]))):
            if number == len(_WAITS_S):
                _log.warning("a long read keeps erased words in the write-ahead log until it ends")
            await self._try()
            if not self._due:
                return
            await asyncio.sleep(wait_s)

    async def _try(self) -> None:
        self._due = emptied = False
        try:
            emptied = await self._truncate()
        except DatabaseError as error:
            _log.warning("the write-ahead log may hold erased words and could not be emptied: %s", error)
        finally:
            self._due = self._due or not emptied
