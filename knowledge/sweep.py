"""Removes what is dead: vectors first, then rows, so that every vector has a row that names it until it is gone."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from knowledge import versions
from knowledge.store import surely

if TYPE_CHECKING:
    from collections.abc import Sequence

    from knowledge.spaces import Space
    from knowledge.store import VectorStore
    from knowledge.types import Sql

_DOCUMENTS = 500


async def sweep(sql: Sql, store: VectorStore, spaces: Sequence[Space], documents: Sequence[int]) -> None:
    """Remove the dead chunks of these documents from `spaces` and from SQL, in slices, then the documents that vanished."""
    for start in range(0, len(documents), _DOCUMENTS):
        part = documents[start : start + _DOCUMENTS]
        while dead := await sql.read(partial(versions.dead, ids=part)):
            for space in spaces:
                await surely(store, partial(store.delete, space.name, dead))
            await sql.write(partial(versions.remove, ids=dead))
        await sql.write(partial(versions.forget, ids=part))
