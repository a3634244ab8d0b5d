"""Brings a backup back: what was pending expires instead of being answered again, and who was forgotten stays forgotten.

Runs while nobody uses the state folder (its caller holds it); waits for the disk.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import select, update
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import DBAPIError

from bot.database.backup import copy, name_of, publish, verify
from bot.database.engines import raw, translated, writer_engine
from bot.database.schema import prepare, revision
from bot.errors import DatabaseError
from bot.forget import (
    DAY_S,
    begin_erasing,
    end_erasing,
    erase_slice,
    handled_digest,
    journal_path,
    person_digest,
    read_journal,
    salt_of,
)
from bot.state import database_path
from bot.tables import forgotten, handled, inbox, meta, outbox, people

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection

_APART = 1000
_FAR_APART = 1_000_000
"""Ids that are skipped, so that none of what was replaced comes back with another meaning; far, when that could not be read."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What came of it: how many pending messages will be told that they expired, how many people were erased once more.

    `replaced` is where the database before is kept.
    """

    expired: int
    erased: int
    replaced: Path | None


@dataclass(slots=True)
class _Before:
    """What is still to be known of the database that is replaced."""

    forgotten: dict[str, float] = field(default_factory=dict)
    answered: list[tuple[str, str, str]] = field(default_factory=list)
    handled: list[tuple[str, bytes, float]] = field(default_factory=list)
    sequences: dict[str, int] = field(default_factory=dict)
    apart: int = _FAR_APART


def restore(backup: Path, folder: Path, *, handled_days: float = 30) -> Restored:
    """Replace the database of a state folder, in one step, by a backup brought up to date.

    Raises `NewerDatabaseError`; `DatabaseError` for what is no sound backup, or when the disk fails. Then nothing is replaced.
    """
    database, made = database_path(folder), folder / "restoring.db"
    try:
        _remove(made)
        if not backup.is_file() or revision(backup) is None:
            raise DatabaseError(f"{backup} is not a backup of Grillon: “grillon db backup” makes one.")
        verify(backup)
        copy(backup, made)
        prepare(made)
        before = _before(database)
        before.forgotten |= read_journal(journal_path(folder))
        expired, erased = _bring_up_to_date(made, before, handled_days * DAY_S)
        replaced = _put_aside(database, folder / "backups")
        publish(made, database)
    except (sqlite3.Error, DBAPIError) as error:
        raise translated(error, backup) from error
    except OSError as error:
        raise DatabaseError(f"{backup} could not be restored: {error.strerror}.") from error
    finally:
        _remove(made)
    return Restored(expired, erased, replaced)


def _before(database: Path) -> _Before:
    before = _Before()
    if not database.exists():
        return before
    with (
        contextlib.suppress(sqlite3.Error),  # it may be damaged: that is why it is replaced
        contextlib.closing(sqlite3.connect(database)) as connection,
    ):
        before.forgotten.update(connection.execute("SELECT digest, at FROM forgotten").fetchall())
        answered = "SELECT platform, account, message_id FROM inbox WHERE state IN ('answered', 'sent')"
        before.answered.extend(connection.execute(answered).fetchall())
        salted = "SELECT value, digest, until FROM handled, meta WHERE key = 'salt'"
        before.handled.extend(connection.execute(salted).fetchall())
        before.sequences.update(connection.execute("SELECT name, seq FROM sqlite_sequence").fetchall())
        before.apart = _APART
    return before


def _bring_up_to_date(made: Path, before: _Before, handled_s: float) -> tuple[int, int]:
    with writer_engine(made).connect() as connection:
        with connection.begin():
            erased = _erase_forgotten(connection, before.forgotten, handled_s)
            expired = _expire(connection)
            _note_answered(connection, before, handled_s)
            _skip_ids(connection, before)
            noted = insert(meta).values(key="restored_at", value=str(time.time()))
            connection.execute(noted.on_conflict_do_update(index_elements=["key"], set_={"value": noted.excluded.value}))
        raw(connection).execute("PRAGMA wal_checkpoint(TRUNCATE)")
        raw(connection).execute("PRAGMA journal_mode = DELETE")
    return expired, erased


def _erase_forgotten(connection: Connection, digests: dict[str, float], handled_s: float) -> int:
    found = [row.id for row in connection.execute(select(people.c.id, people.c.key)).all() if person_digest(row.key) in digests]
    for person_id in found:
        begin_erasing(connection, person_id, None)
        while erase_slice(connection, person_id, None, handled_s):
            pass
        end_erasing(connection, person_id)
    if digests:
        rows = [{"digest": digest, "at": at} for digest, at in digests.items()]
        connection.execute(insert(forgotten).on_conflict_do_nothing(), rows)
    return len(found)


def _expire(connection: Connection) -> int:
    """Questions get a sentence instead of an answer; what was being sent has probably arrived since."""
    waiting = update(outbox).where(outbox.c.state.in_(("waiting", "sending"))).values(state="unknown", closed_at=time.time())
    connection.execute(waiting)
    connection.execute(update(inbox).where(inbox.c.state == "answered").values(state="sent", finished_at=time.time()))
    late = {"state": "received", "expires_at": 0, "due_at": 0, "alone": False, "lease_until": None}
    return connection.execute(update(inbox).where(inbox.c.state != "sent").values(late)).rowcount


def _note_answered(connection: Connection, before: _Before, handled_s: float) -> None:
    """What was answered after the backup is not to be answered again when a platform delivers it once more.

    Of what was erased since only the digest is left, which says nothing to a database with another salt.
    """
    salt, until = salt_of(connection), time.time() + handled_s
    known = set(connection.execute(select(inbox.c.platform, inbox.c.account, inbox.c.message_id)).all())
    rows = [{"digest": handled_digest(salt, *ids), "until": until} for ids in before.answered if ids not in known]
    rows += [{"digest": digest, "until": at} for salted, digest, at in before.handled if salted == salt.hex()]
    if rows:
        connection.execute(insert(handled).on_conflict_do_nothing(), rows)


def _skip_ids(connection: Connection, before: _Before) -> None:
    present: dict[str, int] = dict(connection.exec_driver_sql("SELECT name, seq FROM sqlite_sequence").all())
    counted = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE sql LIKE '%AUTOINCREMENT%'").scalars().all()
    for name in counted:
        following = max(present.get(name, 0), before.sequences.get(name, 0)) + before.apart
        connection.exec_driver_sql("DELETE FROM sqlite_sequence WHERE name = ?", (name,))
        connection.exec_driver_sql("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (name, following))


def _put_aside(database: Path, backups: Path) -> Path | None:
    """Keep the database that is replaced, without ever leaving the folder without one."""
    if not database.exists():
        return None
    with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    backups.mkdir(mode=0o700, exist_ok=True)
    aside = backups / name_of("replaced")
    os.link(database, aside)
    for suffix in ("-wal", "-shm"):  # of a damaged one, which could not take them up
        log = database.with_name(database.name + suffix)
        if log.exists():
            log.rename(aside.with_name(aside.name + suffix))
    return aside


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
