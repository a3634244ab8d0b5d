"""The tables of what is indexed: collections, spaces (Chroma collections), documents, chunks with their text, the words.

A chunk is live when its `version` is the `version` of its document: a document is replaced, or vanishes, by changing that
one number, and the rows of the old version follow in slices. The full-text index covers live and dead chunks alike, kept in
step by triggers; whoever searches joins `documents`. Text is stored once, in `chunks`.
"""

from __future__ import annotations

from collections.abc import Iterable

import orjson
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
"""How constraints are called, in every table of the database: a migration finds them by name."""

metadata = MetaData(naming_convention=NAMING)

FULLTEXT = "chunk_words"
"""The FTS5 table; SQLite keeps its parts in tables whose names begin with it."""

VOCABULARY = "chunk_vocabulary"
"""Its vocabulary: in how many chunks each word stands."""

spaces = Table(
    "spaces",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(80), nullable=False, unique=True, comment="of the Chroma collection"),
    Column("readers", String(12), nullable=False, comment="key of who may read it"),
    Column("fingerprint", String(12), nullable=False, comment="key of the embedder that made its vectors"),
    Column("dimension", Integer, nullable=False),
    Column("embedding", Text, nullable=False, comment="settings of that embedder as JSON, without secrets"),
    comment="a Chroma collection, shared by collections with the same readers and embedder",
)

collections = Table(
    "collections",
    metadata,
    Column("name", String(63), primary_key=True),
    Column("readers", Text, nullable=False, comment="sorted JSON list of opaque reader strings"),
    Column("space_id", ForeignKey("spaces.id"), comment="where its vectors are asked for"),
    Column("filling_id", ForeignKey("spaces.id"), comment="where they are being copied or made anew, until that is complete"),
    Column("missing", Text, comment="why its folder cannot be trusted now, e.g. not mounted"),
    Column("report", Text, comment="the last index report as JSON"),
    Column("reported_at", Float, comment="seconds since the epoch"),
)

documents = Table(
    "documents",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("collection", ForeignKey("collections.name"), nullable=False),
    Column("path", Text, nullable=False, comment="relative to the folder, with /"),
    Column("title", Text, nullable=False, server_default=""),
    Column("language", String(8)),
    Column("version", Integer, nullable=False, server_default="0", comment="the live version of its chunks; 0: none"),
    Column("staged", Integer, nullable=False, server_default="0", comment="the last version given out; only grows"),
    Column("chunks", Integer, nullable=False, server_default="0", comment="of the live version"),
    Column("size", BigInteger, nullable=False, comment="bytes; with both times: of the file when it was last tried"),
    Column("mtime_ns", BigInteger, nullable=False),
    Column("ctime_ns", BigInteger, nullable=False),
    Column("digest", LargeBinary(16), comment="of the bytes the live version was read from"),
    Column("recipe", String(12), nullable=False, comment="key of how it was read and cut"),
    Column("reason", Text, comment="why the last try could not read it; the live version is then an older one"),
    UniqueConstraint("collection", "path"),
    sqlite_autoincrement=True,
)

chunks = Table(
    "chunks",
    metadata,
    Column("id", Integer, primary_key=True, comment="also the row of the full-text index and the id in Chroma; never used twice"),
    Column("document_id", ForeignKey("documents.id"), nullable=False),
    Column("version", Integer, nullable=False),
    Column("ordinal", Integer, nullable=False, comment="place in the document, from 0"),
    Column("headings", Text, nullable=False, comment="JSON list: the title of the document, then the headings"),
    Column("text", Text, nullable=False),
    Column("page", Integer),
    Column("tokens", Integer, nullable=False),
    Column("hash", LargeBinary(16), nullable=False, comment="of the text that is embedded: equal texts share the work"),
    Index(None, "document_id", "version"),
    Index(None, "hash"),
    sqlite_autoincrement=True,
)

calibrations = Table(
    "calibrations",
    metadata,
    Column("fingerprint", String(12), primary_key=True),
    Column("chunks", Integer, nullable=False, comment="in the index when it was made"),
    Column("threshold", Float, nullable=False, comment="similarity above which a passage is related"),
    Column("detail", Text, nullable=False, comment="JSON: what the threshold was computed from"),
)

_FULLTEXT_STATEMENTS = (
    """CREATE VIRTUAL TABLE IF NOT EXISTS chunk_words USING fts5(
        headings, text, content='chunks', content_rowid='id', tokenize='unicode61 remove_diacritics 2')""",
    "CREATE VIRTUAL TABLE IF NOT EXISTS chunk_vocabulary USING fts5vocab('chunk_words', 'row')",
    """CREATE TRIGGER IF NOT EXISTS chunk_words_added AFTER INSERT ON chunks BEGIN
        INSERT INTO chunk_words (rowid, headings, text) VALUES (new.id, new.headings, new.text); END""",
    """CREATE TRIGGER IF NOT EXISTS chunk_words_removed AFTER DELETE ON chunks BEGIN
        INSERT INTO chunk_words (chunk_words, rowid, headings, text) VALUES ('delete', old.id, old.headings, old.text); END""",
)


def json_list(values: Iterable[int | str]) -> str:
    """A list as one parameter, for `IN (SELECT value FROM json_each(…))`: the statement is the same for every length."""
    return orjson.dumps(list(values)).decode()


def create_fulltext(connection: Connection) -> None:
    """Make the FTS5 table over `chunks`, its vocabulary and the triggers that keep both in step. Chunks are never updated."""
    for statement in _FULLTEXT_STATEMENTS:
        connection.execute(text(statement))
