"""The statements that stage a document's new version, make it the live one, let a document vanish, and remove what is dead.

A new version is staged chunk by chunk, unseen; one update makes it live; the old one's rows follow. `staged` only grows, so
that a version that failed, or that a crash left behind, is told from one in the making: it lies below.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson
from sqlalchemy import ColumnElement, and_, bindparam, delete, exists, func, insert, literal_column, select, text, update

from knowledge.chunks import context, embedded_text
from knowledge.files import Stamp
from knowledge.tables import chunks, documents

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection

    from knowledge.types import Chunk, Reading

SLICE = 200
"""Chunks written or removed in one transaction: about 20 ms with their full-text entries."""


@dataclass(frozen=True, slots=True)
class Known:
    """A row of the manifest: what was indexed of a path, and the file it was read from when it was last tried."""

    id: int
    version: int
    stamp: Stamp
    digest: bytes | None
    recipe: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class Read:
    """A document that has been read, not yet staged. `known` is None for a new one."""

    path: str
    stamp: Stamp
    digest: bytes | None
    known: Known | None
    reading: Reading
    chunks: Sequence[Chunk]


@dataclass(frozen=True, slots=True)
class Refused:
    """A file that could not be read. `known` as for `Read`."""

    path: str
    known: Known | None
    stamp: Stamp
    reason: str


@dataclass(slots=True)
class Staged:
    """A document whose new version is in SQL, unseen. `ids`, `texts` (what is embedded) and `hashes` are in order."""

    read: Read
    id: int
    version: int
    ids: list[int]
    texts: list[str]
    hashes: list[bytes]


def text_hash(embedded: str) -> bytes:
    """Sixteen bytes that tell two embedded texts apart."""
    return hashlib.blake2b(embedded.encode(errors="replace"), digest_size=16).digest()


def manifest(connection: Connection, collection: str) -> dict[str, Known]:
    """What is known of every path of a collection."""
    d = documents.c
    query = select(d.path, d.id, d.version, d.size, d.mtime_ns, d.ctime_ns, d.digest, d.recipe, d.reason)
    rows = connection.execute(query.where(d.collection == collection))
    return {
        path: Known(id_, version, Stamp(size, mtime, ctime), digest, recipe, reason)
        for path, id_, version, size, mtime, ctime, digest, recipe, reason in rows
    }


def stage(connection: Connection, collection: str, recipe: str, read: Read) -> Staged:
    """Give out the next version of a document and its chunk ids; the chunks are added by `add`."""
    if read.known is None:
        values = {"collection": collection, "path": read.path, "staged": 1, "recipe": recipe, **read.stamp._asdict()}
        id_, version = connection.execute(insert(documents).values(values).returning(documents.c.id)).scalar_one(), 1
    else:
        id_ = read.known.id
        grown = update(documents).where(documents.c.id == id_).values(staged=documents.c.staged + 1)
        version = connection.execute(grown.returning(documents.c.staged)).scalar_one()
    embedded = [embedded_text(context(read.reading.title, chunk), chunk.text) for chunk in read.chunks]
    return Staged(read, id_, version, [], embedded, [text_hash(one) for one in embedded])


def begin(connection: Connection, collection: str, recipe: str, read: Read) -> Staged:
    """Stage a document with its first chunks: most have no more."""
    staged = stage(connection, collection, recipe, read)
    add(connection, staged, 0)
    return staged


def add(connection: Connection, staged: Staged, start: int) -> None:
    """Write the chunks of a staged version from `start` on, at most `SLICE`."""
    part = staged.read.chunks[start : start + SLICE]
    last = connection.execute(text("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'chunks'")).scalar_one()
    ids = range(last + 1, last + 1 + len(part))
    rows = [
        {
            "id": id_,
            "document_id": staged.id,
            "version": staged.version,
            "ordinal": chunk.ordinal,
            "headings": orjson.dumps(context(staged.read.reading.title, chunk)).decode(),
            "text": chunk.text,
            "page": chunk.page,
            "tokens": chunk.tokens,
            "hash": staged.hashes[start + offset],
        }
        for offset, (id_, chunk) in enumerate(zip(ids, part, strict=True))
    ]
    connection.execute(insert(chunks), rows)
    staged.ids.extend(ids)


def flip(connection: Connection, recipe: str, batch: Iterable[Staged]) -> None:
    """Make staged versions the live ones: the old ones are unseen from this transaction on."""
    d = documents.c
    statement = (
        update(documents)
        .where(d.id == bindparam("key"))
        .values({column: bindparam(f"new_{column}") for column in ("version", "title", "language", "chunks", *Stamp._fields)})
        .values(digest=bindparam("new_digest"), recipe=recipe, reason=None)
    )
    connection.execute(statement, [_live(staged) for staged in batch])


def _live(staged: Staged) -> dict[str, object]:
    read = staged.read
    return {
        "key": staged.id,
        "new_version": staged.version,
        "new_title": read.reading.title,
        "new_language": read.reading.language,
        "new_chunks": len(read.chunks),
        "new_digest": read.digest,
        **{f"new_{name}": value for name, value in read.stamp._asdict().items()},
    }


def touch(connection: Connection, known: Known, stamp: Stamp) -> None:
    """Remember the new times of a file whose bytes are the same."""
    connection.execute(update(documents).where(documents.c.id == known.id).values(**stamp._asdict(), reason=None))


def refuse(connection: Connection, collection: str, recipe: str, refused: Refused) -> None:
    """Remember why a file could not be read, so that it is not tried again before it changes. A live version stays."""
    values = {"reason": refused.reason, "recipe": recipe, **refused.stamp._asdict()}
    if refused.known is None:
        connection.execute(insert(documents).values(collection=collection, path=refused.path, **values))
    else:
        connection.execute(update(documents).where(documents.c.id == refused.known.id).values(values))


def vanish(connection: Connection, ids: Sequence[int]) -> None:
    """Make documents unretrievable at once; `remove` takes their rows."""
    statement = update(documents).where(documents.c.id.in_(ids))
    connection.execute(statement.values(version=0, chunks=0, reason=None, staged=documents.c.staged + 1))


def abandon(connection: Connection, ids: Sequence[int]) -> None:
    """Give staged versions up: their chunks are dead. The live versions stay."""
    connection.execute(update(documents).where(documents.c.id.in_(ids)).values(staged=documents.c.staged + 1))


def left_behind(connection: Connection, collection: str) -> list[int]:
    """Documents with chunks that are not live: what a crash left, when nothing is being staged."""
    d, c = documents.c, chunks.c
    stale = exists().where(c.document_id == d.id, c.version != d.version)
    empty = and_(d.version == 0, d.reason.is_(None))
    return list(connection.execute(select(d.id).where(d.collection == collection, stale | empty)).scalars())


def _dead() -> ColumnElement[bool]:
    return and_(chunks.c.version < documents.c.staged, chunks.c.version != documents.c.version)


def dead(connection: Connection, ids: Sequence[int]) -> list[int]:
    """Chunks of these documents that are neither live nor being staged, at most `SLICE`."""
    query = select(chunks.c.id).join(documents, documents.c.id == chunks.c.document_id)
    return list(connection.execute(query.where(documents.c.id.in_(ids), _dead()).limit(SLICE)).scalars())


def remove(connection: Connection, ids: Sequence[int]) -> None:
    """Remove chunks; their full-text entries go with them, in the same transaction."""
    connection.execute(delete(chunks).where(chunks.c.id.in_(ids)))


def forget(connection: Connection, ids: Sequence[int]) -> None:
    """Remove those of these documents that vanished, or never came to be, and have no chunks left."""
    d = documents.c
    kept = exists(literal_column("1")).where(chunks.c.document_id == d.id)
    connection.execute(delete(documents).where(d.id.in_(ids), d.version == 0, d.reason.is_(None), ~kept))


def counted(connection: Connection, collection: str) -> tuple[int, int]:
    """How many live documents and chunks a collection has."""
    d = documents.c
    query = select(func.count(), func.coalesce(func.sum(d.chunks), 0)).where(d.collection == collection, d.version > 0)
    found, pieces = connection.execute(query).one()
    return found, pieces
