"""What the library holds, as SQL tells it: figures for people, rights for the memory, and sentences about what is wrong."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import orjson
from sqlalchemy import func, select, text, update

from knowledge.tables import chunks, collections, documents, json_list
from knowledge.work import IndexReport

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import Connection


_READABLE = text(
    """SELECT json_group_array(id) FROM documents WHERE version > 0 AND id IN (SELECT value FROM json_each(:ids))
    AND collection IN (SELECT value FROM json_each(:names))"""
)


@dataclass(frozen=True, slots=True)
class CollectionStatus:
    """A collection as it stands.

    `pending` chunks are live, but their vectors are not yet where they belong. `missing` says why the folder cannot be trusted
    now. `report` is the last one, `reported_at` its time in seconds since 1970.
    """

    name: str
    documents: int
    chunks: int
    pending: int
    missing: str | None
    report: IndexReport | None
    reported_at: float | None


def status(connection: Connection) -> list[CollectionStatus]:
    """Every collection that has a row, by name; `pending` is left at 0."""
    c, d = collections.c, documents.c
    live = select(d.collection, func.count().label("documents"), func.sum(d.chunks).label("chunks"))
    live_by_name = live.where(d.version > 0).group_by(d.collection).subquery()
    query = select(c.name, live_by_name.c.documents, live_by_name.c.chunks, c.missing, c.report, c.reported_at)
    rows = connection.execute(query.outerjoin(live_by_name, live_by_name.c.collection == c.name).order_by(c.name))
    return [
        CollectionStatus(name, found or 0, pieces or 0, 0, missing, None if report is None else _report(report), at)
        for name, found, pieces, missing, report, at in rows
    ]


def keep_report(connection: Connection, report: IndexReport, missing: str | None, at: float) -> None:
    """Remember the last report of a collection."""
    values = {"report": orjson.dumps(asdict(report)).decode(), "missing": missing, "reported_at": at}
    connection.execute(update(collections).where(collections.c.name == report.collection).values(**values))


def readable(connection: Connection, ids: Collection[int], names: Collection[str]) -> frozenset[int]:
    """Which of these documents are live in one of these collections."""
    return frozenset(orjson.loads(connection.execute(_READABLE, {"ids": json_list(ids), "names": json_list(names)}).scalar_one()))


def stands(connection: Connection, collection: str, path: str, words: str) -> bool:
    """Whether a live document has a chunk that begins with these words."""
    d, c = documents.c, chunks.c
    begins = func.substr(c.text, 1, len(words)) == words
    live = select(c.id).join(documents).where(d.collection == collection, d.path == path, d.version > 0, c.version == d.version)
    return connection.execute(live.where(begins).limit(1)).first() is not None


def faults(connection: Connection) -> list[str]:
    """What the tables say against each other, one sentence each."""
    found = []
    d, c = documents.c, chunks.c
    counted = select(func.count()).where(c.document_id == d.id, c.version == d.version).scalar_subquery()
    wrong = connection.execute(select(func.count()).where(d.version > 0, d.chunks != counted)).scalar_one()
    if wrong:
        found.append(f"{wrong} documents do not have the chunks they should have")
    entries = connection.execute(text("SELECT count(*) FROM chunk_words_docsize")).scalar_one()
    rows = connection.execute(select(func.count()).select_from(chunks)).scalar_one()
    if entries != rows:
        found.append(f"the full-text index has {entries} entries for {rows} chunks")
    return found


def _report(stored: str) -> IndexReport:
    values = orjson.loads(stored)
    values["skipped"] = tuple((path, reason) for path, reason in values["skipped"])
    return IndexReport(**values)
