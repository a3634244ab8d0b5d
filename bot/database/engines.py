"""How a database file is opened, for writing and for reading, and what its errors mean to a person."""

from __future__ import annotations

import itertools
import sqlite3
from typing import TYPE_CHECKING, cast

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from bot.errors import DatabaseError

if TYPE_CHECKING:
    from pathlib import Path

WRITER_PRAGMAS = {
    "journal_mode": "WAL",
    "synchronous": "FULL",
    "foreign_keys": "ON",
    "secure_delete": "ON",
    "temp_store": "MEMORY",
    "busy_timeout": "5000",
}
MIGRATION_PRAGMAS = {**WRITER_PRAGMAS, "foreign_keys": "OFF"}
"""A migration rebuilds tables: dropping the old one must not delete what points at it. It checks foreign keys when it is done."""

READER_PRAGMAS = {"query_only": "ON", "temp_store": "MEMORY", "busy_timeout": "5000"}

_SENTENCES = {
    sqlite3.SQLITE_FULL: "The disk is full: {path} could not be written. Make room; only what was being written is missing.",
    sqlite3.SQLITE_IOERR: "The disk reports an error on {path}. Check it, and its free space.",
    sqlite3.SQLITE_CORRUPT: "The database {path} is damaged. Bring a backup back with “grillon db restore”.",
    sqlite3.SQLITE_NOTADB: "{path} is not a database. Bring a backup back with “grillon db restore”.",
    sqlite3.SQLITE_READONLY: "{path} cannot be written. Check who owns it.",
    sqlite3.SQLITE_CANTOPEN: "{path} cannot be opened. Check that its folder exists and who owns it.",
    sqlite3.SQLITE_BUSY: "Another program holds {path}. Close it.",
}


def writer_engine(path: Path, pragmas: dict[str, str] = WRITER_PRAGMAS) -> Engine:
    """An engine whose every transaction is a `BEGIN IMMEDIATE`: it never fails half-way because another one wrote."""
    return _engine(f"{path.absolute().as_uri()}?mode=rw", pragmas, "BEGIN IMMEDIATE")


def reader_engine(path: Path) -> Engine:
    """An engine that cannot write."""
    return _engine(f"{path.absolute().as_uri()}?mode=ro", READER_PRAGMAS, "BEGIN")


def raw(connection: Connection) -> sqlite3.Connection:
    """The driver's own connection: for what has no place in a transaction, and where every microsecond counts."""
    return cast("sqlite3.Connection", connection.connection.driver_connection)


def translated(error: BaseException, path: Path) -> BaseException:
    """The `DatabaseError` for a failing disk or file, with its sentence; any other error as it is."""
    origin = error.orig if isinstance(error, DBAPIError) else error
    sentence = _SENTENCES.get(getattr(origin, "sqlite_errorcode", 0) & 0xFF)
    if sentence is None:
        return error
    honest = DatabaseError(sentence.format(path=path))
    honest.__cause__ = error
    return honest


def _engine(uri: str, pragmas: dict[str, str], begin: str) -> Engine:
    def connect() -> sqlite3.Connection:
        opened = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, cached_statements=512)
        for pragma in itertools.starmap("PRAGMA {} = {}".format, pragmas.items()):
            opened.execute(pragma)
        return opened

    # Parameters are people's words: no error of the database may quote them, for errors come to the log.
    engine = create_engine("sqlite+pysqlite://", creator=connect, poolclass=NullPool, hide_parameters=True)

    @event.listens_for(engine, "begin")
    def start(connection: Connection) -> None:
        raw(connection).execute(begin)

    return engine
