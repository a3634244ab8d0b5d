"""Small work that nobody waits for: it ends with the connection it needs."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from types import TracebackType

_MOST = 1000

_log = logging.getLogger(__name__)


class Errands:
    """A bounded set of tasks; those that are under way when it closes are cancelled."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Begin some work; it is dropped when there is too much of it already."""
        if len(self._tasks) >= _MOST:
            _log.warning("telegram: too many errands, one is dropped")
            work.close()
            return
        task = asyncio.create_task(work, name="telegram errand")
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("telegram: an errand failed error=%s", type(error).__name__)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
