"""Runs the migrations on the connection that `bot.database.migrate` hands over, one real transaction for each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alembic import context

from bot.tables import metadata
from knowledge.failpoints import failpoint
from knowledge.tables import FULLTEXT, VOCABULARY
from knowledge.tables import metadata as knowledge_metadata

if TYPE_CHECKING:
    from sqlalchemy import Connection


def include_name(name: str | None, kind: str, _parents: object) -> bool:
    """Whether a comparison looks at a table: the parts of the full-text index are made by SQL alone."""
    return kind != "table" or not (name or "").startswith((FULLTEXT, VOCABULARY))


def applied(*_positional: object, **_named: object) -> None:
    """Called within the transaction of each migration."""
    failpoint("migration.step")


def run(connection: Connection) -> None:
    """Migrate. SQLite can undo DDL, which Alembic has to be told."""
    context.configure(
        connection=connection,
        target_metadata=[metadata, knowledge_metadata],
        include_name=include_name,
        on_version_apply=applied,
        render_as_batch=True,
        transaction_per_migration=True,
        transactional_ddl=True,
    )
    with context.begin_transaction():
        context.run_migrations()


run(context.config.attributes["connection"])
