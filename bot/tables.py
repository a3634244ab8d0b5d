"""The tables of the daemon: people, their conversations and turns, what came in, what goes out, and what was done at night.

Times are seconds since the epoch. An id is never used twice (`sqlite_autoincrement`): `person:12` and `12.0` stand in places that
outlive a row.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
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
)

from knowledge.tables import NAMING

REVISION = "0002"
"""The newest migration: the schema below is what it leaves behind."""

metadata = MetaData(naming_convention=NAMING)

people = Table(
    "people",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", String(32), nullable=False, unique=True, comment="random; a new one once the person was forgotten"),
    Column("name", String(64), unique=True, comment="as the settings declare it; None: not declared"),
    Column("owner", Boolean, nullable=False),
    Column("unix_user", Text, comment="the account on this machine"),
    Column("active", Boolean, nullable=False, comment="false once the settings do not declare the name any more"),
    Column("created_at", Float, nullable=False),
    Column("blocked", Boolean, nullable=False, server_default="0", comment="the owner does not let them talk"),
    Column("language", String(2), comment="en or fr, as the person chose; None: as they write"),
    Column("private", Boolean, nullable=False, server_default="0", comment="nothing of them is kept once it is sent"),
    sqlite_autoincrement=True,
)

identities = Table(
    "identities",
    metadata,
    Column("platform", String(32), primary_key=True),
    Column("user", Text, primary_key=True, comment="the platform's own id"),
    Column("person_id", ForeignKey("people.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("created_at", Float, nullable=False),
    Column("way", String(16), nullable=False, server_default="approved", comment="how it got in: settings, approved or allowed"),
)

codes = Table(
    "codes",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True, comment="SHA-256 of the code, which is shown once"),
    Column("purpose", String(16), nullable=False, comment="owner, pair or link"),
    Column("platform", String(32), comment="of the stranger that asks to be let in"),
    Column("user", Text, comment="the platform's own id"),
    Column("person_id", ForeignKey("people.id", ondelete="CASCADE"), index=True, comment="who may be joined with it"),
    Column("expires_at", Float, nullable=False),
)

strangers = Table(
    "strangers",
    metadata,
    Column("platform", String(32), primary_key=True),
    Column("user", Text, primary_key=True, comment="the platform's own id, and all that is kept"),
    Column("told_at", Float, nullable=False, comment="when they were last told that they may not talk here"),
)

tokens = Table(
    "tokens",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("digest", LargeBinary(32), nullable=False, unique=True, comment="SHA-256 of a secret of 256 random bits"),
    Column("person_id", ForeignKey("people.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("created_at", Float, nullable=False),
)

conversations = Table(
    "conversations",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("person_id", ForeignKey("people.id"), comment="None: being erased"),
    Column("space", Text, nullable=False, comment="private, private:NAME, or PLATFORM:CHAT[:THREAD]"),
    Column("first_turn", Integer, nullable=False, server_default="0", comment="turns before it stay out of prompts"),
    Column("created_at", Float, nullable=False),
    UniqueConstraint("person_id", "space"),
    sqlite_autoincrement=True,
)

inbox = Table(
    "inbox",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("platform", String(32), nullable=False),
    Column("account", Text, nullable=False),
    Column("message_id", Text, nullable=False, comment="the platform's own id"),
    Column("body_hash", Text, comment="what was sent under an idempotency key"),
    Column("person_id", ForeignKey("people.id"), index=True, comment="None: being erased"),
    Column("conversation_id", ForeignKey("conversations.id"), index=True),
    Column("state", String(16), nullable=False, comment="received, running, failed, answered, sent or erased"),
    Column("outcome", String(16), comment="answered, dead, expired, cancelled or withdrawn"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("alone", Boolean, nullable=False, server_default="0", comment="the process died over it and others: run it alone"),
    Column("erase", Boolean, nullable=False, server_default="0", comment="its person was forgotten: it goes once it is sent"),
    Column("message", Text, nullable=False, comment="JSON"),
    Column("reply", Text, comment="JSON"),
    Column("received_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False),
    Column("due_at", Float, nullable=False, server_default="0", comment="not tried again before"),
    Column("lease_until", Float, comment="the attempt that runs proves before then that it still does"),
    Column("finished_at", Float),
    Column("live", Text, comment="the platform's own id of the message that shows the answer while it is written"),
    UniqueConstraint("platform", "account", "message_id"),
    sqlite_autoincrement=True,
)
Index("ix_inbox_unsent", inbox.c.id, sqlite_where=inbox.c.state != "sent")
Index("ix_inbox_finished_at", inbox.c.finished_at)

outbox = Table(
    "outbox",
    metadata,
    Column("inbox_id", ForeignKey("inbox.id", ondelete="CASCADE"), primary_key=True),
    Column("ordinal", Integer, primary_key=True, comment="place of the part in the reply, from 0"),
    Column("payload", Text, nullable=False, comment="JSON"),
    Column("state", String(16), nullable=False, comment="waiting, sending, sent, unknown or refused"),
    Column("platform_id", Text, comment="the platform's own id of what was sent"),
    Column("closed_at", Float),
    Column("tried_at", Float, comment="when its first try began that may have arrived"),
    Column("notice", Boolean, nullable=False, server_default="0", comment="says that another part may not have arrived"),
)

turns = Table(
    "turns",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("conversation_id", ForeignKey("conversations.id", ondelete="CASCADE"), nullable=False),
    Column("inbox_id", ForeignKey("inbox.id", ondelete="SET NULL"), index=True, comment="None once that is pruned"),
    Column("question", Text, nullable=False),
    Column("answer", Text, nullable=False),
    Column("created_at", Float, nullable=False, index=True),
    Column("liked", Boolean, comment="what the person thought of the answer; None: said nothing"),
    Index(None, "conversation_id", "id"),
    sqlite_autoincrement=True,
)

turn_documents = Table(
    "turn_documents",
    metadata,
    Column("turn_id", ForeignKey("turns.id", ondelete="CASCADE"), primary_key=True),
    Column("document_id", Integer, primary_key=True, comment="of `knowledge`; no foreign key crosses"),
)

attached = Table(
    "attached",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("inbox_id", ForeignKey("inbox.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("conversation_id", ForeignKey("conversations.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("name", Text, nullable=False, comment="of the file, as the person calls it"),
    Column("ordinal", Integer, nullable=False, comment="place of the piece in the file, from 0"),
    Column("headings", Text, nullable=False, comment="JSON list"),
    Column("page", Integer),
    Column("text", Text, nullable=False),
    sqlite_autoincrement=True,
)

ledger = Table(
    "ledger",
    metadata,
    Column("platform", String(32), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False, comment="a cursor, a counter: what a platform has to know again"),
)

handled = Table(
    "handled",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True, comment="salted, of the ids of a message that was handled and erased"),
    Column("until", Float, nullable=False, comment="no platform delivers it again after that"),
)

jobs = Table(
    "jobs",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("started_at", Float, nullable=False),
    Column("finished_at", Float),
    Column("outcome", String(16), comment="ok or failed; None: it runs, or died"),
    Column("detail", Text, comment="one sentence"),
)

forgotten = Table(
    "forgotten",
    metadata,
    Column("digest", String(64), primary_key=True, comment="of a person's random key; also kept outside, for restores"),
    Column("at", Float, nullable=False),
)

meta = Table(
    "meta",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)
