"""From texts to vectors: those of an equal text that a space already holds are copied, the rest is asked of the model."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from sqlalchemy import func, or_, select

from knowledge.errors import ModelBrokenError
from knowledge.store import surely
from knowledge.tables import chunks, collections, documents, spaces

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from numpy.typing import NDArray
    from sqlalchemy import Connection

    from knowledge.models import Embedder
    from knowledge.spaces import Space
    from knowledge.store import VectorStore
    from knowledge.types import Sql

CALL = 64
"""Texts between two looks at whether somebody waits for an answer."""

_LOOKED_UP = 1000


@dataclass(frozen=True, slots=True)
class Home:
    """A space with the embedder that makes its vectors."""

    space: Space
    embedder: Embedder


async def vectors_of(
    home: Home, sql: Sql, store: VectorStore, texts: Sequence[str], hashes: Sequence[bytes], pause: Callable[[], Awaitable[None]]
) -> tuple[NDArray[np.float32], int]:
    """Vectors of texts, shape (len(texts), dimension), and how many the model was asked for.

    Raises the `ModelError` family and `IndexUnavailableError`.
    """
    known = await _held(home.space.fingerprint, sql, store, list(dict.fromkeys(hashes)))
    wanted = {hash_: one for hash_, one in zip(hashes, texts, strict=True) if hash_ not in known}
    order = list(wanted)
    for start in range(0, len(order), CALL):
        await pause()
        part = order[start : start + CALL]
        made = await home.embedder.passages([wanted[hash_] for hash_ in part])
        if made.shape != (len(part), home.space.dimension):
            raise ModelBrokenError(
                f"vectors of shape {made.shape}, not {(len(part), home.space.dimension)}", model=home.embedder.name
            )
        known.update(zip(part, made, strict=True))
    return np.stack([known[hash_] for hash_ in hashes]), len(order)


async def _held(fingerprint: str, sql: Sql, store: VectorStore, hashes: Sequence[bytes]) -> dict[bytes, NDArray[np.float32]]:
    """Vectors that a space of the same embedder holds for an equal text, dead chunks included: a moved file costs nothing."""
    by_space: dict[str, dict[int, bytes]] = defaultdict(dict)
    for start in range(0, len(hashes), _LOOKED_UP):
        part = hashes[start : start + _LOOKED_UP]
        for space, id_, hash_ in await sql.read(partial(_equal, fingerprint, part)):
            by_space[space][id_] = hash_
    found: dict[bytes, NDArray[np.float32]] = {}
    for space, of_id in by_space.items():
        ids, vectors = await surely(store, partial(store.vectors, space, list(of_id)))
        found.update((of_id[id_], vector) for id_, vector in zip(ids, vectors, strict=True))
    return found


def _equal(fingerprint: str, hashes: Sequence[bytes], connection: Connection) -> list[tuple[str, int, bytes]]:
    query = select(spaces.c.name, func.min(chunks.c.id), chunks.c.hash).select_from(chunks).join(documents)
    query = query.join(collections, collections.c.name == documents.c.collection)
    query = query.join(spaces, or_(spaces.c.id == collections.c.space_id, spaces.c.id == collections.c.filling_id))
    finished = or_(chunks.c.version == documents.c.version, chunks.c.version < documents.c.staged)
    query = query.where(chunks.c.hash.in_(hashes), spaces.c.fingerprint == fingerprint, finished)
    query = query.group_by(spaces.c.name, chunks.c.hash)
    return [(name, id_, hash_) for name, id_, hash_ in connection.execute(query)]
