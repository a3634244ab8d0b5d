"""Backups of the database: copied while it is in use, verified, then given their name in one step; the oldest make room.

All of this waits for the disk: call it in a thread.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bot.database.engines import translated
from bot.errors import DatabaseError
from knowledge.failpoints import failpoint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SLICE = 256
"""Pages copied at a time: 1 MiB, between which the interpreter and the disk are free."""


def back_up(source: Path, folder: Path, *, label: str = "", keep: int | None = None) -> Path:
    """Copy the database into `folder` as `grillon-TIME[-LABEL].db` with mode 0600, and return that path.

    `keep`: how many of the same label stay, the newest. Raises `DatabaseError` when the copy is not sound; no half copy remains.
    """
    target = folder / name_of(label)
    partial = target.with_suffix(".partial")
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        _remove(folder.glob("*.partial*"))  # of a backup that was killed
        counts = copy(source, partial)
        failpoint("backup.copied")
        verify(partial, counts)
        failpoint("backup.verified")
        publish(partial, target)
    except (sqlite3.Error, OSError) as error:
        raise _not_made(error, source, folder) from error
    finally:
        _remove(folder.glob(f"{partial.name}*"))
    if keep is not None:
        # The one just made stays even where the clock was set back, and older ones have later names.
        _remove([one for one in backups(folder, label) if one != target][keep - 1 :])
    return target


def name_of(label: str = "") -> str:
    """A file name for a backup made now."""
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")
    return f"grillon-{stamp}{'-' + label if label else ''}.db"


def backups(folder: Path, label: str = "") -> list[Path]:
    """The backups with this label, newest first."""
    digits = "[0-9]" * 8 + "-" + "[0-9]" * 6 + "-" + "[0-9]" * 6
    return sorted(folder.glob(f"grillon-{digits}{'-' + label if label else ''}.db"), reverse=True)


def drop_older(folder: Path, age_s: float) -> int:
    """Remove the databases that a migration or a restore put aside more than `age_s` ago; return how many.

    They hold what people have had erased since.
    """
    old = [path for path in folder.glob("grillon-*-[mr]*.db*") if time.time() - path.stat().st_mtime > age_s]
    _remove(old)
    return len(old)


def copy(source: Path, target: Path) -> dict[str, int]:
    """Copy one consistent state of a database in use to a new file; return how many rows each table has. Raises `sqlite3.Error`.

    The transaction around it keeps the snapshot, so that writers neither wait nor make the copy start again.
    """
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    with _opened(source, "ro") as original, _opened(target, "rw") as made:
        original.execute("BEGIN")
        counts = count_rows(original)
        original.backup(made, pages=_SLICE)
        original.rollback()
        made.execute("PRAGMA journal_mode = DELETE")  # one file, complete without a log beside it
    return counts


def verify(path: Path, counts: dict[str, int] | None = None) -> None:
    """Raise `DatabaseError` unless the copy is sound, and has `counts` rows in each table."""
    try:
        with _opened(path, "ro") as connection:
            found = connection.execute("PRAGMA integrity_check").fetchone()[0]
            complete = counts is None or count_rows(connection) == counts
    except sqlite3.DatabaseError as error:
        raise DatabaseError(f"{path} is damaged: {error}") from error
    if found != "ok":
        raise DatabaseError(f"{path} is damaged: {found}")
    if not complete:
        raise DatabaseError(f"{path} is not complete: its tables differ from those of the original.")


def count_rows(connection: sqlite3.Connection) -> dict[str, int]:
    """How many rows each real table has."""
    named = "SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%' ORDER BY name"
    names = [name for (name,) in connection.execute(named).fetchall()]
    return {name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in names}  # noqa: S608 -- its own names


def publish(made: Path, target: Path) -> None:
    """Give a complete file its name, in one step that lasts."""
    for path in (made, target.parent):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if path == made:
            made.replace(target)


@contextlib.contextmanager
def _opened(path: Path, mode: str) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(
        sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None)
    ) as connection:
        yield connection


def _remove(paths: Iterator[Path] | list[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _not_made(error: sqlite3.Error | OSError, source: Path, folder: Path) -> BaseException:
    if isinstance(error, OSError):
        return DatabaseError(f"No backup was made in {folder}: {error.strerror}.")
    honest = translated(error, source)
    return honest if isinstance(honest, DatabaseError) else DatabaseError(f"No backup of {source} was made: {error}.")
