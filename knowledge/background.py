"""Draws and keeps the background of each embedder: the texts that similarities are read against, and its threshold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import orjson
from sqlalchemy import func, select
from sqlalchemy.dialects.sqlite import insert

from knowledge.calibrate import DOCUMENTS, ENOUGH, SAMPLE, Background, spread, threshold
from knowledge.neutral import NEUTRAL
from knowledge.tables import calibrations, chunks, collections, documents

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from sqlalchemy import Connection

    from knowledge.embedding import Home
    from knowledge.store import VectorStore
    from knowledge.types import Sql

_GROWTH = 1.5


@dataclass(slots=True)
class _Drawn:
    """A sample of chunks with their documents, and how many there were to draw from."""

    ids: list[int]
    owners: list[int]
    total: int


class Backgrounds:
    """Backgrounds by fingerprint."""

    def __init__(self, sql: Sql, store: VectorStore) -> None:
        self._sql = sql
        self._store = store
        self._known: dict[str, Background] = {}
        self._neutral: dict[str, NDArray[np.float32]] = {}

    def of(self, fingerprint: str) -> Background | None:
        """The background of an embedder, None before there is one."""
        return self._known.get(fingerprint)

    async def refresh(self, homes: Sequence[Home]) -> None:
        """Load or draw the background of the embedder that these spaces share; draw again when the index grew by half, or halved.

        Raises `IndexUnavailableError` and the `ModelError` family.
        """
        fingerprint = homes[0].space.fingerprint
        ids = [home.space.id for home in homes]
        total, kept = await self._sql.read(lambda connection: (_total(connection, ids), _kept(connection, fingerprint)))
        near = kept is not None and kept.total / _GROWTH <= total <= max(kept.total, 1) * _GROWTH
        if near and fingerprint in self._known:
            return
        drawn = kept if near and kept else await self._sql.read(lambda connection: _draw(connection, ids, total))
        vectors, owners = await self._vectors(homes, drawn)
        if len(vectors) < ENOUGH or len(set(owners)) < DOCUMENTS:
            neutral = await self._neutral_vectors(homes[0])
            vectors, owners = (
                np.concatenate([vectors.reshape(-1, neutral.shape[1]), neutral]),
                [*owners, *range(-len(neutral), 0)],
            )
        level = threshold(spread(vectors, owners), total)
        self._known[fingerprint] = Background(vectors, level)
        if not near:
            await self._sql.write(lambda connection: _keep(connection, fingerprint, drawn, level))

    async def _vectors(self, homes: Sequence[Home], drawn: _Drawn) -> tuple[NDArray[np.float32], list[int]]:
        owner = dict(zip(drawn.ids, drawn.owners, strict=True))
        found: list[int] = []
        parts = []
        for home in homes:
            ids, vectors = await self._store.vectors(home.space.name, [id_ for id_ in drawn.ids if id_ not in found])
            if ids:
                found += ids
                parts.append(vectors)
        return np.concatenate(parts) if parts else np.empty((0, 0), np.float32), [owner[id_] for id_ in found]

    async def _neutral_vectors(self, home: Home) -> NDArray[np.float32]:
        if home.space.fingerprint not in self._neutral:
            self._neutral[home.space.fingerprint] = await home.embedder.passages(NEUTRAL)
        return self._neutral[home.space.fingerprint]


def _total(connection: Connection, spaces: Sequence[int]) -> int:
    query = select(func.coalesce(func.sum(documents.c.chunks), 0)).join(collections, collections.c.name == documents.c.collection)
    return int(connection.execute(query.where(collections.c.space_id.in_(spaces))).scalar_one())


def _draw(connection: Connection, spaces: Sequence[int], total: int) -> _Drawn:
    query = select(chunks.c.id, chunks.c.document_id).join(documents, documents.c.id == chunks.c.document_id)
    query = query.join(collections, collections.c.name == documents.c.collection)
    query = query.where(chunks.c.version == documents.c.version, collections.c.space_id.in_(spaces))
    rows = connection.execute(query.order_by(func.random()).limit(SAMPLE)).all()
    return _Drawn([row.id for row in rows], [row.document_id for row in rows], total)


def _kept(connection: Connection, fingerprint: str) -> _Drawn | None:
    row = connection.execute(select(calibrations).where(calibrations.c.fingerprint == fingerprint)).first()
    if row is None:
        return None
    detail = orjson.loads(row.detail)
    return _Drawn(detail["chunks"], detail["documents"], row.chunks)


def _keep(connection: Connection, fingerprint: str, drawn: _Drawn, level: float) -> None:
    detail = orjson.dumps({"chunks": drawn.ids, "documents": drawn.owners}).decode()
    values = {"chunks": drawn.total, "threshold": level, "detail": detail}
    statement = insert(calibrations).values(fingerprint=fingerprint, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["fingerprint"], set_=values))
