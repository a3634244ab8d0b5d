"""Brings an older database to the newest revision with Alembic, after a verified backup. Imported only when that is due."""

from __future__ import annotations

import logging
from importlib.resources import files
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from bot.database.backup import back_up
from bot.database.engines import MIGRATION_PRAGMAS, writer_engine
from bot.errors import DatabaseError, NewerDatabaseError
from bot.tables import REVISION

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection

_log = logging.getLogger(__name__)


def configuration() -> Config:
    """Alembic's configuration, made here: a wheel holds no ini file."""
    config = Config()
    config.set_main_option("script_location", str(files("migrations")).replace("%", "%%"))
    return config


def upgrade(path: Path, found: str | None) -> None:
    """Back the database up beside it (`backups/`), then migrate it from revision `found`, one transaction per migration.

    Raises `NewerDatabaseError` when its revision is unknown here (nothing is touched), `DatabaseError` when the result is not
    sound.
    """
    config = configuration()
    if found is not None:
        _check_known(config, found, path)
        _log.info(
            "database at revision %s: backed up to %s", found, back_up(path, path.parent / "backups", label="migration", keep=3)
        )
    with writer_engine(path, MIGRATION_PRAGMAS).connect() as connection:
        _clean(connection)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        if connection.exec_driver_sql("PRAGMA foreign_key_check").first():
            raise DatabaseError(f"The migration of {path} broke references: bring the backup back with “grillon db restore”.")


def _check_known(config: Config, found: str, path: Path) -> None:
    try:
        ScriptDirectory.from_config(config).get_revision(found)
    except CommandError as error:
        raise NewerDatabaseError(
            f"The database {path} is at revision {found}, this program knows revisions up to {REVISION}. "
            "Nothing was touched: install the newer program again, or restore a backup of before its upgrade."
        ) from error


def _clean(connection: Connection) -> None:
    """Drop the tables that a migration was building when it was killed."""
    with connection.begin():
        left = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table' AND name GLOB '_alembic_tmp_*'")
        for (name,) in left.all():
            connection.exec_driver_sql(f'DROP TABLE "{name}"')
