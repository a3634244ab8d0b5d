"""Makes a space hold what SQL says it should: fills one beside another and switches, or mends one that differs."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import orjson

from knowledge import spaces, versions
from knowledge.chunks import embedded_text
from knowledge.embedding import vectors_of
from knowledge.errors import IndexUnavailableError, ModelError, ModelMissingError, ModelUnfitError, ModelUnreachableError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable

    from knowledge.embedding import Home
    from knowledge.spaces import Place, Space
    from knowledge.store import VectorStore
    from knowledge.types import Sql

_LOG = logging.getLogger(__name__)
_PAGE = 256
_SLICE = 200
_SAME = 0.999


class Filler:
    """Fills spaces. `lock` is held for a page at a time: a run over a collection waits no longer than that."""

    def __init__(self, sql: Sql, store: VectorStore, lock: asyncio.Lock, pause: Callable[[], Awaitable[None]]) -> None:
        self._sql = sql
        self._store = store
        self._lock = lock
        self._pause = pause
        self.pending: dict[str, int] = {}

    async def fill(self, name: str, home: Home) -> int:
        """Make `home` hold every live chunk of a collection, from the texts in SQL. Returns how many could not be embedded.

        Vectors of the same embedder are copied. Raises `IndexUnavailableError`, and the `ModelError` family when the model is not
        there.
        """
        after = failed = 0
        self.pending[name] = (await self._sql.read(partial(versions.counted, collection=name)))[1]
        while True:
            async with self._lock:
                rows = await self._sql.read(partial(spaces.live_chunks, name=name, after=after, limit=_PAGE))
                held = await self._store.held(home.space.name, [row[0] for row in rows])
                failed += await self._embed(home, [row for row in rows if row[0] not in held])
            self.pending[name] -= len(rows)
            if len(rows) < _PAGE:
                self.pending[name] = failed
                return failed
            after = rows[-1][0]

    async def switch(self, name: str, place: Place, home: Home) -> None:
        """Fill, verify, switch in one update, and take the collection out of its old space."""
        failed = await self.fill(name, home)
        async with self._lock:
            await self._verify(name, home, failed)
            await self._sql.write(partial(spaces.switch, name=name))
        _LOG.info("collection %s: %s takes over from %s", name, home.space.name, place.active and place.active.name)

    async def reconcile(self, space: Space) -> int:
        """Remove the vectors of a space that SQL does not know as belonging there. Returns how many."""
        async with self._lock:
            wanted = await self._sql.read(partial(spaces.belonging, space=space))
            extra = [id_ async for page in self._store.pages(space.name) for id_ in page if id_ not in wanted]
            for start in range(0, len(extra), _SLICE):
                await self._store.delete(space.name, extra[start : start + _SLICE])
        return len(extra)

    async def _embed(self, home: Home, rows: list[tuple[int, str, str]]) -> int:
        """Embed a page; when the model fails at it, chunk by chunk. Returns how many failed alone."""
        if not rows:
            return 0
        texts = [embedded_text(orjson.loads(headings), text) for _, headings, text in rows]
        hashes = [versions.text_hash(text) for text in texts]
        try:
            vectors, _ = await vectors_of(home, self._sql, self._store, texts, hashes, self._pause)
        except (ModelUnreachableError, ModelMissingError, ModelUnfitError):
            raise
        except ModelError as error:
            if len(rows) > 1:
                return sum([await self._embed(home, [row]) for row in rows])
            _LOG.warning("chunk %d cannot be embedded by %s: %s", rows[0][0], home.embedder.name, error)
            return 1
        await self._store.add(home.space.name, [row[0] for row in rows], vectors)
        return 0

    async def _verify(self, name: str, home: Home, failed: int) -> None:
        """Count, and ask for a vector by itself. Raises `IndexUnavailableError`."""
        after = missing = 0
        rows: list[tuple[int, str, str]] = []
        while page := await self._sql.read(partial(spaces.live_chunks, name=name, after=after, limit=2000)):
            held = await self._store.held(home.space.name, [row[0] for row in page])
            missing += len(page) - len(held)
            rows, after = page, page[-1][0]
        if missing > failed:
            raise IndexUnavailableError(f"{missing} vectors of {name} are missing in the new space")
        if rows:
            _, vectors = await self._store.vectors(home.space.name, [rows[-1][0]])
            if len(vectors):
                _, cosines, _ = await self._store.query([home.space.name], vectors[0], 1)
                if not np.any(cosines > _SAME):
                    raise IndexUnavailableError(f"the new space of {name} does not find what it holds")
