"""Keeps the spaces as SQL says they should be, in the background: retires, mends, fills, switches, drops, calibrates."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from functools import partial
from typing import TYPE_CHECKING

from knowledge import spaces, versions
from knowledge.embedding import Home
from knowledge.errors import IndexUnavailableError, ModelError
from knowledge.spaces import Place, Space
from knowledge.sweep import sweep

if TYPE_CHECKING:
    from collections.abc import Mapping

    from knowledge.background import Backgrounds
    from knowledge.embedders import Embedders
    from knowledge.fill import Filler
    from knowledge.store import VectorStore
    from knowledge.types import Sql

_LOG = logging.getLogger(__name__)
_RETRY_S = 60.0
_VANISH = 500


class Upkeep:
    """One task at a time, started by `soon`; when the model or the vectors cannot be asked it is tried again a minute later.

    `places` says where the vectors of each collection are; `lock` is held by whoever changes what is in the index.
    """

    def __init__(
        self,
        sql: Sql,
        store: VectorStore,
        embedders: Embedders,
        backgrounds: Backgrounds,
        filler: Filler,
        readers: Mapping[str, frozenset[str]],
        lock: asyncio.Lock,
    ) -> None:
        self._sql = sql
        self._store = store
        self._embedders = embedders
        self._backgrounds = backgrounds
        self._filler = filler
        self._readers = readers
        self._lock = lock
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.arranged = False
        self._again = False
        self.places: dict[str, Place] = {}

    async def open(self) -> None:
        """Bring the rows of collections to the settings; documents of those no longer named cannot be found from here on."""
        retired = await self._sql.write(partial(spaces.declare, readers=self._readers))
        for name in retired:
            for ids in await self._documents(name):
                await self._sql.write(partial(versions.vanish, ids=ids))
        await self._look()

    async def homes(self, name: str) -> list[Home]:
        """The spaces a new vector of this collection belongs into, with their embedders; one whose embedder is gone is left out.

        Raises the `ModelError` family when the model of the settings cannot say who it is.
        """
        await self.arrange()
        found = [(space, self._embedders.of(space)) for space in self.places[name].both]
        return [Home(space, embedder) for space, embedder in found if embedder is not None]

    async def arrange(self) -> None:
        """Once the model has said who it is, decide where every collection belongs. Raises the `ModelError` family."""
        if self.arranged:
            return
        fingerprint = await self._embedders.recognise()
        work = partial(spaces.arrange, readers=self._readers, fingerprint=fingerprint, embedding=self._embedders.described)
        await self._sql.write(work)
        await self._look()
        self.arranged = True
        for place in self.places.values():
            if place.active is not None:
                await self._embedders.recall(place.active)
        self.soon()

    async def doubt(self) -> None:
        """Ask the embedding model whether it is still the same; where not, arrange anew. Raises the `ModelError` family."""
        known = self._embedders.fingerprint
        if known is not None and (await self._embedders.current.fingerprint(anew=True)).key != known.key:
            _LOG.warning("another model is called %s now: the vectors of all documents are made anew", known.model)
            self.arranged = False
            await self.arrange()

    def pending(self, name: str) -> int:
        """Chunks of a collection whose vectors are still on their way."""
        return self._filler.pending.get(name, 0)

    def soon(self) -> None:
        """Start the task, or have it go round once more."""
        self._again = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="upkeep of the index")

    async def settled(self) -> None:
        """Wait until the task has done what can be done now."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def close(self) -> None:
        """Stop where it is; the next opening goes on."""
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while self._again:
            self._again = False
            try:
                await self._tend()
            except (ModelError, IndexUnavailableError) as error:
                _LOG.info("upkeep of the index waits: %s", error)
                self._later()
            except Exception:  # noqa: BLE001 -- nobody waits for this task: a full disk is logged here and tried again
                _LOG.exception("upkeep of the index failed")
                self._later()

    def _later(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(_RETRY_S, self.soon)

    async def _tend(self) -> None:
        if not self._store.ready:
            await self._store.open()
        await self._retire()
        await self.arrange()
        for name, place in self.places.items():
            if place.filling is not None:
                await self._filler.switch(name, place, self._home(place.filling))
                await self._look()
        await self._mend()
        await self._drop()
        await self.calibrate()

    async def calibrate(self) -> None:
        """See to the background of every embedder that is asked."""
        by_fingerprint: dict[str, dict[int, Home]] = {}
        for place in self.places.values():
            space = place.active
            embedder = None if space is None else self._embedders.of(space)
            if space is not None and embedder is not None:
                by_fingerprint.setdefault(space.fingerprint, {})[space.id] = Home(space, embedder)
        for homes in by_fingerprint.values():
            await self._backgrounds.refresh(list(homes.values()))

    async def _retire(self) -> None:
        """Remove what is left of collections that the settings no longer name."""
        for name in self.places.keys() - self._readers.keys():
            async with self._lock:
                for ids in await self._documents(name):
                    await sweep(self._sql, self._store, self.places[name].both, ids)
                await self._sql.write(partial(spaces.retire, name=name))
        await self._look()

    async def _mend(self) -> None:
        """Where the counts differ, remove what does not belong and make what is missing."""
        expected = await self._sql.read(spaces.expected)
        counted = await self._store.counted()
        for name, place in self.places.items():
            space = place.active
            if space is None or counted.get(space.name, 0) == expected[space.name]:
                continue
            removed = await self._filler.reconcile(space)
            embedder = self._embedders.of(space)
            failed = await self._filler.fill(name, Home(space, embedder)) if embedder is not None else 0
            _LOG.warning("collection %s: vectors mended, %d removed, %d could not be made", name, removed, failed)

    async def _drop(self) -> None:
        for space in await self._sql.read(spaces.unused):
            await self._store.drop(space.name)
            await self._sql.write(partial(spaces.discard, ids=[space.id]))

    async def _documents(self, name: str) -> list[list[int]]:
        known = await self._sql.read(partial(versions.manifest, collection=name))
        ids = [row.id for row in known.values()]
        return [ids[start : start + _VANISH] for start in range(0, len(ids), _VANISH)]

    async def _look(self) -> None:
        self.places = await self._sql.read(spaces.places)

    def _home(self, space: Space) -> Home:
        embedder = self._embedders.of(space)
        if embedder is None:
            raise IndexUnavailableError("the model of the new space is gone")
        return Home(space, embedder)
