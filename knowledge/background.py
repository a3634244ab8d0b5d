"""Draws and keeps the background of each embedder: the texts that similarities are read against, and its thresholds."""

from __future__ import annotations

import asyncio
from base64 import b64decode, b64encode
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import orjson
from sqlalchemy import func, select
from sqlalchemy.dialects.sqlite import insert

from knowledge.calibrate import Background, Yardstick, spread, threshold
from knowledge.neutral import NEUTRAL
from knowledge.tables import calibrations, chunks, collections, documents

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from sqlalchemy import Connection

    from knowledge.embedding import Home
    from knowledge.store import VectorStore
    from knowledge.types import Sql

SAMPLE = 256
"""Texts drawn in each language."""
ENOUGH = 128
DOCUMENTS = 24
"""With fewer texts, or documents that they are from, an index is no background of its own: neutral texts take its place."""
_GROWTH = 1.5


@dataclass(slots=True)
class _Drawn:
    """A sample of chunks: id, document, language; how many there were in each language to draw from; neutral vectors."""

    rows: list[tuple[int, int, str | None]]
    totals: dict[str | None, int]
    neutral: dict[str, NDArray[np.float32]] = field(default_factory=dict)

    def resembles(self, totals: dict[str | None, int]) -> bool:
        """Whether the index is still about as large: it has not grown by half, nor shrunk as much, in any language."""
        known, now = ({key: max(n, ENOUGH) for key, n in counts.items() if n} for counts in (self.totals, totals))
        return known.keys() == now.keys() and all(known[key] / _GROWTH <= n <= known[key] * _GROWTH for key, n in now.items())


class Backgrounds:
    """Backgrounds by fingerprint."""

    def __init__(self, sql: Sql, store: VectorStore) -> None:
        self._sql = sql
        self._store = store
        self._known: dict[str, Background] = {}

    def of(self, fingerprint: str) -> Background | None:
        """The background of an embedder, None before there is one."""
        return self._known.get(fingerprint)

    async def refresh(self, homes: Sequence[Home]) -> None:
        """Load the background of the embedder that these spaces share, or draw it anew when the index has changed much.

        Raises `IndexUnavailableError` and the `ModelError` family.
        """
        fingerprint, ids = homes[0].space.fingerprint, [home.space.id for home in homes]
        totals, kept = await self._sql.read(lambda connection: (_totals(connection, ids), _kept(connection, fingerprint)))
        if kept is not None and kept.resembles(totals) and fingerprint in self._known:
            return
        if kept is not None and kept.resembles(totals):
            self._known[fingerprint] = await self._background(homes, kept)
            return
        rows = await self._sql.read(lambda connection: [row for key in totals for row in _draw(connection, ids, key)])
        drawn = _Drawn(rows, totals, kept.neutral if kept else {})
        self._known[fingerprint] = await self._background(homes, drawn)
        levels = {str(key): yardstick.threshold for key, yardstick in self._known[fingerprint].yardsticks.items()}
        await self._sql.write(lambda connection: _keep(connection, fingerprint, drawn, levels))

    async def _background(self, homes: Sequence[Home], drawn: _Drawn) -> Background:
        vectors = await self._vectors(homes, [id_ for id_, _, _ in drawn.rows])
        samples: dict[str | None, list[tuple[int, int]]] = defaultdict(list)
        for id_, document, language in drawn.rows:
            for key in {language, None} if id_ in vectors else ():
                samples[key].append((id_, document))
        keys = {None, *(samples.keys() & NEUTRAL.keys())}
        return Background({key: await self._yardstick(homes[0], drawn, key, samples[key], vectors) for key in keys})

    async def _yardstick(
        self,
        home: Home,
        drawn: _Drawn,
        key: str | None,
        sample: list[tuple[int, int]],
        vectors: dict[int, NDArray[np.float32]],
    ) -> Yardstick:
        owners = [document for _, document in sample]
        if len(sample) >= ENOUGH and len(set(owners)) >= DOCUMENTS:
            texts = np.stack([vectors[id_] for id_, _ in sample])
        else:
            languages = [key] if key else sorted(NEUTRAL)
            texts = np.concatenate([await self._neutral(home, drawn, language) for language in languages])
            owners = list(range(len(texts)))
        wide = await asyncio.to_thread(spread, texts, owners)  # tens of milliseconds
        return Yardstick(texts, threshold(wide, sum(n for k, n in drawn.totals.items() if key in {None, k})))

    async def _vectors(self, homes: Sequence[Home], ids: list[int]) -> dict[int, NDArray[np.float32]]:
        found: dict[int, NDArray[np.float32]] = {}
        for home in homes:
            held, vectors = await self._store.vectors(home.space.name, ids)
            found.update(zip(held, vectors, strict=True))
        return found

    async def _neutral(self, home: Home, drawn: _Drawn, language: str) -> NDArray[np.float32]:
        if language not in drawn.neutral:
            drawn.neutral[language] = await home.embedder.passages(NEUTRAL[language])
        return drawn.neutral[language]


def _totals(connection: Connection, spaces: Sequence[int]) -> dict[str | None, int]:
    query = select(documents.c.language, func.sum(documents.c.chunks).label("chunks")).where(documents.c.version > 0)
    query = query.join(collections, collections.c.name == documents.c.collection).where(collections.c.space_id.in_(spaces))
    return {row.language: row.chunks for row in connection.execute(query.group_by(documents.c.language))}


def _draw(connection: Connection, spaces: Sequence[int], language: str | None) -> list[tuple[int, int, str | None]]:
    query = select(chunks.c.id, chunks.c.document_id).join(documents, documents.c.id == chunks.c.document_id)
    query = query.join(collections, collections.c.name == documents.c.collection)
    query = query.where(chunks.c.version == documents.c.version, collections.c.space_id.in_(spaces))
    query = query.where(documents.c.language.is_not_distinct_from(language)).order_by(func.random()).limit(SAMPLE)
    return [(id_, document, language) for id_, document in connection.execute(query)]


def _kept(connection: Connection, fingerprint: str) -> _Drawn | None:
    row = connection.execute(select(calibrations.c.detail).where(calibrations.c.fingerprint == fingerprint)).first()
    if row is None:
        return None
    detail = orjson.loads(row.detail)
    neutral = {language: _decoded(text, detail["dimension"]) for language, text in detail["neutral"].items()}
    return _Drawn([(id_, document, language) for id_, document, language in detail["drawn"]], dict(detail["totals"]), neutral)


def _decoded(text: str, dimension: int) -> NDArray[np.float32]:
    return np.frombuffer(b64decode(text), np.float16).astype(np.float32).reshape(-1, dimension)


def _keep(connection: Connection, fingerprint: str, drawn: _Drawn, levels: dict[str, float]) -> None:
    dimension = next((vectors.shape[1] for vectors in drawn.neutral.values()), 0)
    neutral = {language: b64encode(vectors.astype(np.float16).tobytes()).decode() for language, vectors in drawn.neutral.items()}
    totals = list(drawn.totals.items())
    detail = {"drawn": drawn.rows, "totals": totals, "neutral": neutral, "dimension": dimension, "thresholds": levels}
    values = {
        "chunks": sum(drawn.totals.values()),
        "threshold": levels["None"],
        "detail": orjson.dumps(detail).decode(),
    }
    statement = insert(calibrations).values(fingerprint=fingerprint, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["fingerprint"], set_=values))
