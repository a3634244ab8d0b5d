"""The first schema: people and their conversations, inbox and outbox, collections and documents."""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from alembic import op

from knowledge.tables import create_fulltext

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create everything."""
    op.create_table(
        "forgotten",
        sa.Column(
            "digest", sa.String(length=64), nullable=False, comment="of a person's random key; also kept outside, for restores"
        ),
        sa.Column("at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_forgotten")),
    )
    op.create_table(
        "handled",
        sa.Column(
            "digest",
            sa.LargeBinary(length=32),
            nullable=False,
            comment="salted, of the ids of a message that was handled and erased",
        ),
        sa.Column("until", sa.Float(), nullable=False, comment="no platform delivers it again after that"),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_handled")),
    )
    op.create_table(
        "jobs",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("started_at", sa.Float(), nullable=False),
        sa.Column("finished_at", sa.Float(), nullable=True),
        sa.Column("outcome", sa.String(length=16), nullable=True, comment="ok or failed; None: it runs, or died"),
        sa.Column("detail", sa.Text(), nullable=True, comment="one sentence"),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_jobs")),
    )
    op.create_table(
        "meta",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_meta")),
    )
    op.create_table(
        "people",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=32), nullable=False, comment="random; a new one once the person was forgotten"),
        sa.Column("name", sa.String(length=64), nullable=True, comment="as the settings declare it; None: not declared"),
        sa.Column("owner", sa.Boolean(), nullable=False),
        sa.Column("unix_user", sa.Text(), nullable=True, comment="the account on this machine"),
        sa.Column("active", sa.Boolean(), nullable=False, comment="false once the settings do not declare the name any more"),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_people")),
        sa.UniqueConstraint("key", name=op.f("uq_people_key")),
        sa.UniqueConstraint("name", name=op.f("uq_people_name")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "conversations",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=True, comment="None: being erased"),
        sa.Column("space", sa.Text(), nullable=False, comment="private, private:NAME, or PLATFORM:CHAT[:THREAD]"),
        sa.Column("first_turn", sa.Integer(), server_default="0", nullable=False, comment="turns before it stay out of prompts"),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_conversations_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conversations")),
        sa.UniqueConstraint("person_id", "space", name=op.f("uq_conversations_person_id_space")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "identities",
        sa.Column("platform", sa.String(length=32), nullable=False),
        sa.Column("user", sa.Text(), nullable=False, comment="the platform's own id"),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_identities_person_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("platform", "user", name=op.f("pk_identities")),
    )
    op.create_index(op.f("ix_identities_person_id"), "identities", ["person_id"], unique=False)
    op.create_table(
        "tokens",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False, comment="SHA-256 of a secret of 256 random bits"),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_tokens_person_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_tokens")),
        sa.UniqueConstraint("digest", name=op.f("uq_tokens_digest")),
    )
    op.create_index(op.f("ix_tokens_person_id"), "tokens", ["person_id"], unique=False)
    op.create_table(
        "inbox",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("platform", sa.String(length=32), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False, comment="the platform's own id"),
        sa.Column("body_hash", sa.Text(), nullable=True, comment="what was sent under an idempotency key"),
        sa.Column("person_id", sa.Integer(), nullable=True, comment="None: being erased"),
        sa.Column("conversation_id", sa.Integer(), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False, comment="received, running, failed, answered, sent or erased"),
        sa.Column("outcome", sa.String(length=16), nullable=True, comment="answered, dead, expired or cancelled"),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column(
            "alone", sa.Boolean(), server_default="0", nullable=False, comment="the process died over it and others: run it alone"
        ),
        sa.Column(
            "erase", sa.Boolean(), server_default="0", nullable=False, comment="its person was forgotten: it goes once it is sent"
        ),
        sa.Column("message", sa.Text(), nullable=False, comment="JSON"),
        sa.Column("reply", sa.Text(), nullable=True, comment="JSON"),
        sa.Column("received_at", sa.Float(), nullable=False),
        sa.Column("expires_at", sa.Float(), nullable=False),
        sa.Column("due_at", sa.Float(), server_default="0", nullable=False, comment="not tried again before"),
        sa.Column(
            "lease_until", sa.Float(), nullable=True, comment="the attempt that runs proves before then that it still does"
        ),
        sa.Column("finished_at", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(["conversation_id"], ["conversations.id"], name=op.f("fk_inbox_conversation_id")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_inbox_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbox")),
        sa.UniqueConstraint("platform", "account", "message_id", name=op.f("uq_inbox_platform_account_message_id")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_inbox_conversation_id"), "inbox", ["conversation_id"], unique=False)
    op.create_index("ix_inbox_finished_at", "inbox", ["finished_at"], unique=False)
    op.create_index(op.f("ix_inbox_person_id"), "inbox", ["person_id"], unique=False)
    op.create_index("ix_inbox_unsent", "inbox", ["id"], unique=False, sqlite_where=sa.text("state != 'sent'"))
    op.create_table(
        "outbox",
        sa.Column("inbox_id", sa.Integer(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False, comment="place of the part in the reply, from 0"),
        sa.Column("payload", sa.Text(), nullable=False, comment="JSON"),
        sa.Column("state", sa.String(length=16), nullable=False, comment="waiting, sent, unknown or refused"),
        sa.Column("platform_id", sa.Text(), nullable=True, comment="the platform's own id of what was sent"),
        sa.Column("closed_at", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(["inbox_id"], ["inbox.id"], name=op.f("fk_outbox_inbox_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("inbox_id", "ordinal", name=op.f("pk_outbox")),
    )
    op.create_table(
        "turns",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("conversation_id", sa.Integer(), nullable=False),
        sa.Column("inbox_id", sa.Integer(), nullable=True, comment="None once that is pruned"),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], name=op.f("fk_turns_conversation_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["inbox_id"], ["inbox.id"], name=op.f("fk_turns_inbox_id"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_turns")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_turns_conversation_id_id"), "turns", ["conversation_id", "id"], unique=False)
    op.create_index(op.f("ix_turns_created_at"), "turns", ["created_at"], unique=False)
    op.create_index(op.f("ix_turns_inbox_id"), "turns", ["inbox_id"], unique=False)
    op.create_table(
        "turn_documents",
        sa.Column("turn_id", sa.Integer(), nullable=False),
        sa.Column("document_id", sa.Integer(), nullable=False, comment="of `knowledge`; no foreign key crosses"),
        sa.ForeignKeyConstraint(["turn_id"], ["turns.id"], name=op.f("fk_turn_documents_turn_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("turn_id", "document_id", name=op.f("pk_turn_documents")),
    )
    op.create_table(
        "calibrations",
        sa.Column("fingerprint", sa.String(length=12), nullable=False),
        sa.Column("chunks", sa.Integer(), nullable=False, comment="in the index when it was made"),
        sa.Column("threshold", sa.Float(), nullable=False, comment="similarity above which a passage is related"),
        sa.Column("detail", sa.Text(), nullable=False, comment="JSON: what the threshold was computed from"),
        sa.PrimaryKeyConstraint("fingerprint", name=op.f("pk_calibrations")),
    )
    op.create_table(
        "spaces",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False, comment="of the Chroma collection"),
        sa.Column("readers", sa.String(length=12), nullable=False, comment="key of who may read it"),
        sa.Column("fingerprint", sa.String(length=12), nullable=False, comment="key of the embedder that made its vectors"),
        sa.Column("dimension", sa.Integer(), nullable=False),
        sa.Column("embedding", sa.Text(), nullable=False, comment="settings of that embedder as JSON, without secrets"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_spaces")),
        sa.UniqueConstraint("name", name=op.f("uq_spaces_name")),
        comment="a Chroma collection, shared by collections with the same readers and embedder",
    )
    op.create_table(
        "collections",
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("readers", sa.Text(), nullable=False, comment="sorted JSON list of opaque reader strings"),
        sa.Column("space_id", sa.Integer(), nullable=True, comment="where its vectors are asked for"),
        sa.Column(
            "filling_id", sa.Integer(), nullable=True, comment="where they are being copied or made anew, until that is complete"
        ),
        sa.Column("missing", sa.Text(), nullable=True, comment="why its folder cannot be trusted now, e.g. not mounted"),
        sa.Column("report", sa.Text(), nullable=True, comment="the last index report as JSON"),
        sa.Column("reported_at", sa.Float(), nullable=True, comment="seconds since the epoch"),
        sa.ForeignKeyConstraint(["filling_id"], ["spaces.id"], name=op.f("fk_collections_filling_id")),
        sa.ForeignKeyConstraint(["space_id"], ["spaces.id"], name=op.f("fk_collections_space_id")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_collections")),
    )
    op.create_table(
        "documents",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("collection", sa.String(length=63), nullable=False),
        sa.Column("path", sa.Text(), nullable=False, comment="relative to the folder, with /"),
        sa.Column("title", sa.Text(), server_default="", nullable=False),
        sa.Column("language", sa.String(length=8), nullable=True),
        sa.Column("version", sa.Integer(), server_default="0", nullable=False, comment="the live version of its chunks; 0: none"),
        sa.Column("staged", sa.Integer(), server_default="0", nullable=False, comment="the last version given out; only grows"),
        sa.Column("chunks", sa.Integer(), server_default="0", nullable=False, comment="of the live version"),
        sa.Column("size", sa.BigInteger(), nullable=False, comment="bytes; with both times: of the file when it was last tried"),
        sa.Column("mtime_ns", sa.BigInteger(), nullable=False),
        sa.Column("ctime_ns", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=16), nullable=True, comment="of the bytes the live version was read from"),
        sa.Column("recipe", sa.String(length=12), nullable=False, comment="key of how it was read and cut"),
        sa.Column(
            "reason",
            sa.Text(),
            nullable=True,
            comment="why the last try could not read it; the live version is then an older one",
        ),
        sa.ForeignKeyConstraint(["collection"], ["collections.name"], name=op.f("fk_documents_collection")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_documents")),
        sa.UniqueConstraint("collection", "path", name=op.f("uq_documents_collection_path")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "chunks",
        sa.Column(
            "id",
            sa.Integer(),
            nullable=False,
            comment="also the row of the full-text index and the id in Chroma; never used twice",
        ),
        sa.Column("document_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False, comment="place in the document, from 0"),
        sa.Column("headings", sa.Text(), nullable=False, comment="JSON list: the title of the document, then the headings"),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("page", sa.Integer(), nullable=True),
        sa.Column("tokens", sa.Integer(), nullable=False),
        sa.Column(
            "hash", sa.LargeBinary(length=16), nullable=False, comment="of the text that is embedded: equal texts share the work"
        ),
        sa.ForeignKeyConstraint(["document_id"], ["documents.id"], name=op.f("fk_chunks_document_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chunks")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_chunks_document_id_version"), "chunks", ["document_id", "version"], unique=False)
    op.create_index(op.f("ix_chunks_hash"), "chunks", ["hash"], unique=False)
    create_fulltext(op.get_bind())
    op.execute(sa.text("INSERT INTO meta (key, value) VALUES ('salt', :salt)").bindparams(salt=secrets.token_hex(32)))
