"""Which space (Chroma collection) holds the vectors of which collection, and where they are on their way to.

Collections with the same readers and the same embedder share a space, so that a scope is a choice of spaces. When readers or
embedder change, the space they belong to is filled beside the one that is asked; one update then switches.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson
from sqlalchemy import ColumnElement, delete, func, insert, or_, select, update

from knowledge.tables import chunks, collections, documents, spaces

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    from knowledge.models import Fingerprint


@dataclass(frozen=True, slots=True)
class Space:
    """A row of `spaces`. `name` is the Chroma collection's; `embedding` the settings of its embedder, as JSON."""

    id: int
    name: str
    fingerprint: str
    dimension: int
    embedding: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where a collection's vectors are asked for, and where they are being filled in. Both None before the first run."""

    active: Space | None
    filling: Space | None

    @property
    def both(self) -> tuple[Space, ...]:
        """The spaces that a new vector belongs into."""
        return tuple(space for space in (self.active, self.filling) if space is not None)


def declare(connection: Connection, readers: Mapping[str, frozenset[str]]) -> list[str]:
    """Make a row for each collection of the settings. Returns those that the settings no longer name."""
    known = set(connection.execute(select(collections.c.name)).scalars())
    new = [{"name": name, "readers": _listed(who)} for name, who in readers.items() if name not in known]
    if new:
        connection.execute(insert(collections), new)
    return sorted(known - readers.keys())


def arrange(connection: Connection, readers: Mapping[str, frozenset[str]], fingerprint: Fingerprint, embedding: str) -> None:
    """Decide for every collection where its vectors belong under today's readers and embedder.

    One without a live document goes there at once; another is filled there beside its present space.
    """
    for name, who in readers.items():
        target = _space(connection, _key(who), fingerprint, embedding)
        row = connection.execute(select(collections.c.space_id).where(collections.c.name == name)).one()
        stays = row.space_id == target
        if row.space_id is None or stays or not _any_live(connection, name):
            values = {"space_id": target, "filling_id": None}
        else:
            values = {"filling_id": target}
        connection.execute(update(collections).where(collections.c.name == name).values(readers=_listed(who), **values))


def places(connection: Connection) -> dict[str, Place]:
    """Where the vectors of every collection are."""
    s = spaces.c
    rows = connection.execute(select(s.id, s.name, s.fingerprint, s.dimension, s.embedding))
    by_id = {row.id: Space(*row) for row in rows}
    query = select(collections.c.name, collections.c.space_id, collections.c.filling_id)
    return {name: Place(by_id.get(active), by_id.get(filling)) for name, active, filling in connection.execute(query)}


def switch(connection: Connection, name: str) -> None:
    """From this transaction on the collection is asked for in the space that was filled."""
    statement = update(collections).where(collections.c.name == name, collections.c.filling_id.is_not(None))
    connection.execute(statement.values(space_id=collections.c.filling_id, filling_id=None))


def unused(connection: Connection) -> list[Space]:
    """Spaces that no collection is in or on its way to."""
    s, c = spaces.c, collections.c
    used = select(c.space_id).where(c.space_id.is_not(None)).union(select(c.filling_id).where(c.filling_id.is_not(None)))
    rows = connection.execute(select(s.id, s.name, s.fingerprint, s.dimension, s.embedding).where(s.id.not_in(used)))
    return [Space(*row) for row in rows]


def discard(connection: Connection, ids: Sequence[int]) -> None:
    """Remove rows of spaces that were dropped."""
    connection.execute(delete(spaces).where(spaces.c.id.in_(ids)))


def retire(connection: Connection, name: str) -> None:
    """Remove the row of a collection whose documents are gone."""
    connection.execute(delete(collections).where(collections.c.name == name))


def belonging(connection: Connection, space: Space) -> set[int]:
    """The live chunks whose vectors belong into a space, those still on their way to it included."""
    query = select(chunks.c.id).join(documents, documents.c.id == chunks.c.document_id)
    query = query.join(collections, collections.c.name == documents.c.collection)
    return set(connection.execute(query.where(_live(), _in(space))).scalars())


def expected(connection: Connection) -> dict[str, int]:
    """How many vectors each space should hold when nothing is on its way."""
    query = select(spaces.c.name, func.coalesce(func.sum(documents.c.chunks), 0).label("chunks"))
    query = query.outerjoin(collections, collections.c.space_id == spaces.c.id)
    query = query.outerjoin(documents, documents.c.collection == collections.c.name)
    return {row.name: row.chunks for row in connection.execute(query.group_by(spaces.c.name))}


def live_chunks(connection: Connection, name: str, after: int, limit: int) -> list[tuple[int, str, str]]:
    """The next live chunks of a collection by id: id, headings as JSON, text."""
    query = select(chunks.c.id, chunks.c.headings, chunks.c.text).join(documents, documents.c.id == chunks.c.document_id)
    query = query.where(_live(), documents.c.collection == name, chunks.c.id > after).order_by(chunks.c.id).limit(limit)
    return [(id_, headings, body) for id_, headings, body in connection.execute(query)]


def _live() -> ColumnElement[bool]:
    return chunks.c.version == documents.c.version


def _in(space: Space) -> ColumnElement[bool]:
    return or_(collections.c.space_id == space.id, collections.c.filling_id == space.id)


def _any_live(connection: Connection, name: str) -> bool:
    query = select(documents.c.id).where(documents.c.collection == name, documents.c.version > 0).limit(1)
    return connection.execute(query).first() is not None


def _space(connection: Connection, readers: str, fingerprint: Fingerprint, embedding: str) -> int:
    name = f"v-{readers}-{fingerprint.key}"
    found = connection.execute(select(spaces.c.id).where(spaces.c.name == name)).scalar()
    if found is not None:
        return int(found)
    values = {"name": name, "readers": readers, "fingerprint": fingerprint.key, "dimension": fingerprint.dimension}
    return int(connection.execute(insert(spaces).values(**values, embedding=embedding).returning(spaces.c.id)).scalar_one())


def _listed(readers: frozenset[str]) -> str:
    return orjson.dumps(sorted(readers)).decode()


def _key(readers: frozenset[str]) -> str:
    return hashlib.sha256(_listed(readers).encode()).hexdigest()[:12]
