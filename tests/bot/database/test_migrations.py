"""Migrations: what they leave equals the tables of the code, they survive being killed, and a newer database is left alone."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from bot import tables
from bot.database.backup import backups
from bot.database.engines import MIGRATION_PRAGMAS, writer_engine
from bot.database.migrate import configuration, upgrade
from bot.database.schema import prepare, revision
from bot.errors import DatabaseError, NewerDatabaseError
from knowledge import tables as knowledge_tables

ROOT = Path(__file__).parents[3]


def migrated(path: Path) -> Path:
    """A database made by the migrations alone."""
    path.touch(0o600)
    upgrade(path, revision(path))
    return path


def made_of(path: Path) -> set[tuple[str, str, str]]:
    """Every object of a database with its columns and keys, whatever the order and the blanks."""
    connection = sqlite3.connect(path)
    found = set()
    for kind, name, sql in connection.execute("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL"):
        sql = sql.replace(f'CREATE TABLE "{name}"', f"CREATE TABLE {name}")  # SQLite quotes what was renamed
        lines = [line.strip().rstrip(",") for line in sql.replace("\t", " ").splitlines()]
        found.add((kind, name, "\n".join(sorted(line for line in lines if line))))
    connection.close()
    return found


def test_the_migrations_lead_to_the_tables(tmp_path: Path) -> None:
    path = migrated(tmp_path / "grillon.db")
    with writer_engine(path).connect() as connection:
        parts = (knowledge_tables.FULLTEXT, knowledge_tables.VOCABULARY)
        options = {
            "compare_type": True,
            "include_name": lambda name, kind, _: kind != "table" or not name.startswith(parts),
        }
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, [tables.metadata, knowledge_tables.metadata]) == []  # type: ignore[arg-type]


def test_a_new_database_equals_a_migrated_one(tmp_path: Path) -> None:
    prepare(tmp_path / "new.db")
    assert made_of(tmp_path / "new.db") == made_of(migrated(tmp_path / "grillon.db"))
    assert revision(tmp_path / "new.db") == revision(tmp_path / "grillon.db")


def test_the_revision_of_the_code_is_the_newest_migration() -> None:
    assert ScriptDirectory.from_config(configuration()).get_current_head() == tables.REVISION


def test_alembic_is_imported_only_when_a_migration_is_due(tmp_path: Path) -> None:
    code = (
        "import pathlib, sys; from bot.database.schema import prepare; "
        "prepare(pathlib.Path(sys.argv[1])); print('alembic' in sys.modules)"
    )
    for _ in range(2):
        run = [sys.executable, "-c", code, str(tmp_path / "grillon.db")]
        assert subprocess.run(run, capture_output=True, text=True, check=True).stdout == "False\n"


def test_a_newer_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "grillon.db"
    prepare(path)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(NewerDatabaseError, match=r"revision 9999, this program knows revisions up to 0002"):
        prepare(path)
    assert path.read_bytes() == before
    assert not (tmp_path / "backups").exists()


def test_an_older_database_is_backed_up_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "grillon.db"
    prepare(path)
    monkeypatch.setattr(tables, "REVISION", "0003")  # as if the program had learnt another one
    prepare(path)
    (backup,) = backups(tmp_path / "backups", "migration")
    assert made_of(backup) == made_of(path)
    assert backup.stat().st_mode & 0o777 == 0o600


def test_what_was_stored_before_stays(tmp_path: Path) -> None:
    path = tmp_path / "grillon.db"
    path.touch(0o600)
    with writer_engine(path, MIGRATION_PRAGMAS).connect() as connection:
        config = configuration()
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    old = sqlite3.connect(path)
    old.executescript("""
        INSERT INTO people (id, key, name, owner, active, created_at) VALUES (7, 'k', 'Ada', 1, 1, 0);
        INSERT INTO identities VALUES ('telegram', '12', 7, 0);
        INSERT INTO conversations (id, person_id, space, created_at) VALUES (3, 7, 'private', 0);
        INSERT INTO inbox (id, platform, account, message_id, person_id, conversation_id, state, message, received_at, expires_at)
            VALUES (5, 'http', 'a', 'm', 7, 3, 'answered', '{}', 0, 0);
        INSERT INTO outbox (inbox_id, ordinal, payload, state) VALUES (5, 0, '{}', 'waiting');
        INSERT INTO turns (id, conversation_id, inbox_id, question, answer, created_at) VALUES (9, 3, 5, 'q', 'a', 0);
        INSERT INTO turn_documents VALUES (9, 1);
    """)
    old.close()
    prepare(path)
    new = sqlite3.connect(path)
    person = "SELECT people.id, blocked, private, user FROM people JOIN identities ON person_id = people.id"
    assert new.execute(person).fetchall() == [(7, 0, 0, "12")]
    joined = "turns JOIN outbox USING (inbox_id) JOIN inbox ON inbox.id = inbox_id JOIN turn_documents ON turn_id = turns.id"
    assert new.execute(f"SELECT inbox.id, notice, live, liked, document_id FROM {joined}").fetchall() == [(5, 0, None, None, 1)]
    (keys,) = new.execute("SELECT count(*) FROM meta WHERE key IN ('salt', 'buttons')").fetchone()
    assert keys == 2
    assert new.execute("PRAGMA foreign_key_check").fetchall() == []
    new.close()


def test_what_a_killed_migration_left_is_cleaned(tmp_path: Path) -> None:
    path = tmp_path / "grillon.db"
    path.touch(0o600)
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE _alembic_tmp_turns (id INTEGER)")
    connection.close()
    upgrade(path, revision(path))
    assert not [name for _, name, _ in made_of(path) if name.startswith("_alembic_tmp")]


@pytest.mark.parametrize("how", ["prepare", "upgrade"])
def test_killed_in_the_middle_of_a_migration(tmp_path: Path, how: str) -> None:
    path = tmp_path / "grillon.db"
    path.touch(0o600)
    call = {"prepare": "bot.database.schema.prepare(path)", "upgrade": "bot.database.migrate.upgrade(path, None)"}[how]
    code = f"import pathlib, sys, bot.database.schema, bot.database.migrate; path = pathlib.Path(sys.argv[1]); {call}"
    environment = {**os.environ, "GRILLON_FAILPOINT": "migration.step"}
    killed = subprocess.run([sys.executable, "-c", code, str(path)], env=environment, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert revision(path) is None
    prepare(path)
    assert revision(path) == tables.REVISION


def test_broken_references_are_not_kept_silently(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "grillon.db"
    prepare(path)
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT INTO tokens (name, digest, person_id, created_at) VALUES ('t', 'd', 77, 0)")
    connection.close()
    monkeypatch.setattr(tables, "REVISION", "0003")
    with pytest.raises(DatabaseError, match="broke references"):
        prepare(path)


def test_they_run_from_an_installed_wheel(tmp_path: Path) -> None:
    source, wheels, installed = (tmp_path / name for name in ("source", "wheels", "installed"))
    skipped = shutil.ignore_patterns("__pycache__")
    for name in ("bot", "knowledge", "adapters", "migrations"):
        shutil.copytree(ROOT / name, source / name, ignore=skipped)
    for name in ("pyproject.toml", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    (source / "README.md").touch()
    pip = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--disable-pip-version-check",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
    ]
    subprocess.run([*pip, "-w", str(wheels), str(source)], check=True)
    (wheel,) = wheels.iterdir()
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    code = (
        "import pathlib, sys; from bot.database.migrate import upgrade; "
        "p = pathlib.Path(sys.argv[1]); p.touch(); upgrade(p, None)"
    )
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "grillon.db")], env=environment, cwd=tmp_path, check=True)
    assert revision(tmp_path / "grillon.db") == tables.REVISION
