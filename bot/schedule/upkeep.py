"""Keeps the index up to date and an eye on the model server; what could not be indexed is tried again, less and less often."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from bot.errors import DatabaseError, told
from bot.tasks import Tasks
from knowledge.errors import KnowledgeError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

    from bot.loading import Loaded
    from bot.telemetry import Telemetry
    from knowledge.library import IndexReport, Progress
    from knowledge.models import Health

ANSWERS = frozenset({"ready", "loading"})
"""States of a model that can be asked."""
_LOOK_S, _LOOK_SOON_S = 30.0, 5.0
"""Seconds between two looks at the model server; sooner while something waits for it."""
_MOST_S = 3600.0
"""Between two tries to index what fails again and again."""

_log = logging.getLogger(__name__)


class Upkeep:
    """`idle` returns when nobody waits for an answer: indexing pauses until then. `health` is that of the chat model."""

    def __init__(
        self, loaded: Callable[[], Awaitable[Loaded]], idle: Callable[[], Awaitable[None]], telemetry: Telemetry
    ) -> None:
        self.health: Health | None = None
        self._loaded = loaded
        self._idle = idle
        self._telemetry = telemetry
        self._said: str | None = None
        self._unfinished: set[str] = set()
        self._try_at, self._try_s = 0.0, _LOOK_SOON_S
        self._tasks = Tasks()

    async def reindex(
        self,
        name: str,
        *,
        prune: bool = False,
        changed: set[Path] | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> IndexReport:
        """Bring a collection up to date with its folder. Raises the `KnowledgeError` family and `DatabaseError`."""
        library = (await self._loaded()).library
        try:
            report = await library.reindex(name, prune=prune, changed=changed, pause=self._idle, progress=progress)
        except (KnowledgeError, DatabaseError):
            self._unfinished.add(name)
            raise
        if report.not_embedded:
            self._unfinished.add(name)
        elif changed is None:
            self._unfinished.discard(name)
        self._telemetry.indexed(report)
        self._telemetry.sized(await library.status())
        return report

    async def reindex_each(self, names: Sequence[str]) -> None:
        """Bring collections up to date, one after the other; what fails is in its report."""
        for name in names:
            try:
                await self.reindex(name)
            except (KnowledgeError, DatabaseError) as error:
                _log.warning("index collection=%s error=%s", name, type(error).__name__)
            except Exception as error:  # noqa: BLE001 -- logged; what is wrong with one must not keep the next from its turn
                _log.error("index collection=%s error=%s", name, told(error))

    def soon(self, names: Sequence[str]) -> None:
        """The same in the background."""
        self._tasks.wait(self.reindex_each(names), "index")

    async def look_at_model(self) -> None:
        """Ask the model server how it is, now and then; said once when it goes away and once when it is back.

        Documents that wait for the embedding model, or for room on the disk, are indexed once it answers.
        """
        while True:
            loaded = await self._loaded()
            health = self.health = await loaded.model.check()
            if health.state != self._said:
                level = logging.INFO if health.state == "ready" else logging.WARNING
                _log.log(level, "model state=%s model=%s detail=%s", health.state, health.model, health.detail)
                self._said = health.state
            await loaded.library.look_at_embedder()
            await self._index_left(loaded)
            await self._pause()

    def heard_of(self, model: str) -> None:
        """A model has just answered: it is in memory, whatever the last look at it said."""
        if self.health is not None and (self.health.model, self.health.state) == (model, "loading"):
            self.health = replace(self.health, state="ready")

    async def stop(self) -> None:
        """End what runs in the background."""
        await self._tasks.cancel()

    async def _index_left(self, loaded: Loaded) -> None:
        """Index again what could not be, once the embedding model answers; less and less often while it fails again."""
        if not self._unfinished or time.monotonic() < self._try_at:
            return
        if (await loaded.embedder.check()).state not in ANSWERS:
            self._try_s = _LOOK_SOON_S
            return
        await self.reindex_each(sorted(self._unfinished))
        self._try_s = min(self._try_s * 2, _MOST_S) if self._unfinished else _LOOK_SOON_S
        self._try_at = time.monotonic() + self._try_s

    async def _pause(self) -> None:
        """Until the next look at the model server."""
        for _ in range(round(_LOOK_S / _LOOK_SOON_S)):
            await asyncio.sleep(_LOOK_SOON_S)
            if self._unfinished or self.health is None or self.health.state not in ANSWERS:
                return
