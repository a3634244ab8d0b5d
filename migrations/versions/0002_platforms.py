"""What chat platforms need: cursors, codes, live messages, sends whose end is unknown, attached files, and what people chose."""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_KEPT = {"sqlite_autoincrement": True}
"""Of a table that is made anew, this is not read from the old one."""


def upgrade() -> None:
    """Add the tables and columns of the platforms."""
    _add_columns()
    op.create_table(
        "codes",
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False, comment="SHA-256 of the code, which is shown once"),
        sa.Column("purpose", sa.String(length=16), nullable=False, comment="owner, pair or link"),
        sa.Column("platform", sa.String(length=32), nullable=True, comment="of the stranger that asks to be let in"),
        sa.Column("user", sa.Text(), nullable=True, comment="the platform's own id"),
        sa.Column("person_id", sa.Integer(), nullable=True, comment="who may be joined with it"),
        sa.Column("expires_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_codes_person_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_codes")),
    )
    op.create_index(op.f("ix_codes_person_id"), "codes", ["person_id"], unique=False)
    op.create_table(
        "strangers",
        sa.Column("platform", sa.String(length=32), nullable=False),
        sa.Column("user", sa.Text(), nullable=False, comment="the platform's own id, and all that is kept"),
        sa.Column("told_at", sa.Float(), nullable=False, comment="when they were last told that they may not talk here"),
        sa.PrimaryKeyConstraint("platform", "user", name=op.f("pk_strangers")),
    )
    op.create_table(
        "attached",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("inbox_id", sa.Integer(), nullable=False),
        sa.Column("conversation_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False, comment="of the file, as the person calls it"),
        sa.Column("ordinal", sa.Integer(), nullable=False, comment="place of the piece in the file, from 0"),
        sa.Column("headings", sa.Text(), nullable=False, comment="JSON list"),
        sa.Column("page", sa.Integer(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], name=op.f("fk_attached_conversation_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["inbox_id"], ["inbox.id"], name=op.f("fk_attached_inbox_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attached")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_attached_inbox_id"), "attached", ["inbox_id"], unique=False)
    op.create_index(op.f("ix_attached_conversation_id"), "attached", ["conversation_id"], unique=False)
    op.create_table(
        "ledger",
        sa.Column("platform", sa.String(length=32), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False, comment="a cursor, a counter: what a platform has to know again"),
        sa.PrimaryKeyConstraint("platform", "key", name=op.f("pk_ledger")),
    )
    op.execute(sa.text("INSERT INTO meta (key, value) VALUES ('buttons', :key)").bindparams(key=secrets.token_hex(32)))


def _add_columns() -> None:
    with op.batch_alter_table("people", recreate="always", table_kwargs=_KEPT) as people:
        people.add_column(
            sa.Column("blocked", sa.Boolean(), server_default="0", nullable=False, comment="the owner does not let them talk")
        )
        people.add_column(
            sa.Column(
                "language", sa.String(length=2), nullable=True, comment="en or fr, as the person chose; None: as they write"
            )
        )
        people.add_column(
            sa.Column(
                "private", sa.Boolean(), server_default="0", nullable=False, comment="nothing of them is kept once it is sent"
            )
        )
    with op.batch_alter_table("identities", recreate="always") as identities:
        identities.add_column(
            sa.Column(
                "way",
                sa.String(length=16),
                server_default="approved",
                nullable=False,
                comment="how it got in: settings, approved or allowed",
            )
        )
    with op.batch_alter_table("inbox", recreate="always", table_kwargs=_KEPT) as inbox:
        inbox.add_column(
            sa.Column(
                "live",
                sa.Text(),
                nullable=True,
                comment="the platform's own id of the message that shows the answer while it is written",
            )
        )
    with op.batch_alter_table("outbox", recreate="always") as outbox:
        outbox.add_column(
            sa.Column("tried_at", sa.Float(), nullable=True, comment="when its first try began that may have arrived")
        )
        outbox.add_column(
            sa.Column(
                "notice", sa.Boolean(), server_default="0", nullable=False, comment="says that another part may not have arrived"
            )
        )
    with op.batch_alter_table("turns", recreate="always", table_kwargs=_KEPT) as turns:
        turns.add_column(
            sa.Column("liked", sa.Boolean(), nullable=True, comment="what the person thought of the answer; None: said nothing")
        )
