"""The tasks that one part of the daemon has started: none is lost sight of, none fails unseen, all end with it."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, TypeVar

from bot.errors import GrillonError, told

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")

_log = logging.getLogger(__name__)


class Tasks:
    """Tasks that work, and tasks that only wait: the end of the daemon gives time to the former."""

    def __init__(self) -> None:
        self._working: set[asyncio.Task[Any]] = set()
        self._waiting: set[asyncio.Task[Any]] = set()

    def work(self, work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        """Start what `finish` waits for."""
        return self._start(self._working, work, name)

    def wait(self, work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        """Start what can be broken off at any time."""
        return self._start(self._waiting, work, name)

    async def finish(self, grace_s: float) -> None:
        """Let what works end, within `grace_s`."""
        if self._working:
            await asyncio.wait(self._working, timeout=grace_s)

    async def cancel(self) -> None:
        """End all that is left, and wait for its end."""
        tasks = [*self._working, *self._waiting]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _start(self, group: set[asyncio.Task[Any]], work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        task = asyncio.create_task(work, name=name)
        group.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._working.discard(task)
        self._waiting.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, GrillonError):  # those are for whoever waits for the task
            _log.error("task failed name=%s error=%s", task.get_name(), told(error))
