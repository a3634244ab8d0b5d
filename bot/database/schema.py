"""Makes the database file ready: creates it, leaves it as it is, or migrates it; runs before anything else opens it."""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError

from bot import tables
from bot.database.engines import translated, writer_engine
from knowledge import tables as knowledge_tables
from knowledge.failpoints import failpoint

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection


def prepare(path: Path) -> None:
    """Bring the database to the newest revision. Raises `NewerDatabaseError`, `DatabaseError`.

    A new one is created at that revision (Alembic's recipe "Building an Up to Date Database from Scratch"), so that Alembic is
    imported only when there is something to migrate.
    """
    try:
        found = revision(path)
        if found is None:
            _create(path)
        elif found != tables.REVISION:
            from bot.database.migrate import upgrade  # Alembic takes longer to import than everything else here

            upgrade(path, found)
    except (DBAPIError, sqlite3.Error) as error:
        raise translated(error, path) from error


def revision(path: Path) -> str | None:
    """The revision of a database, None when there is none yet. Raises `sqlite3.Error`."""
    if not path.exists() or path.stat().st_size == 0:
        return None
    with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone():
            return None
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        return str(row[0]) if row else None


def _create(path: Path) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    engine = writer_engine(path)
    with engine.connect() as connection, connection.begin():
        create_all(connection)
        failpoint("migration.step")


def create_all(connection: Connection) -> None:
    """Create everything at the newest revision, in the transaction of `connection`."""
    tables.metadata.create_all(connection, checkfirst=False)
    knowledge_tables.metadata.create_all(connection, checkfirst=False)
    knowledge_tables.create_fulltext(connection)
    connection.execute(tables.meta.insert(), [{"key": key, "value": secrets.token_hex(32)} for key in ("salt", "buttons")])
    connection.exec_driver_sql(
        "CREATE TABLE alembic_version (\n"
        "version_num VARCHAR(32) NOT NULL, \n"
        "CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)\n"
        ")"
    )
    connection.exec_driver_sql("INSERT INTO alembic_version VALUES (?)", (tables.REVISION,))
