"""Removes what is out of date from the database, a slice at a time, so that nobody waits for it."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, exists, literal_column, select

from bot.people.strangers import AGAIN_S
from bot.tables import codes, conversations, handled, identities, inbox, people, strangers, tokens, turns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Connection, Table

    from bot.database.database import Database

_SLICE = 200
_SETTLED_S = 86_400.0
"""What is empty is left alone for that long: someone may be about to fill it."""


async def prune(database: Database, *, memory_s: float, handled_s: float) -> int:
    """Remove turns older than `memory_s`, messages and digests older than `handled_s`, what is empty; return how many rows."""
    removed = 0
    for table, key, old in _rules(time.time(), memory_s, handled_s):
        while gone := await database.write(partial(_remove, table=table, key=key, old=old)):
            removed += gone
    await database.empty_log()
    return removed


def _remove(connection: Connection, table: Table, key: ColumnElement[Any], old: ColumnElement[bool]) -> int:
    return connection.execute(delete(table).where(key.in_(select(key).where(old).limit(_SLICE)))).rowcount


def _rules(now: float, memory_s: float, handled_s: float) -> Sequence[tuple[Table, ColumnElement[Any], ColumnElement[bool]]]:
    unused = [
        ~exists().where(column == people.c.id)
        for column in (identities.c.person_id, tokens.c.person_id, conversations.c.person_id, inbox.c.person_id)
    ]
    # An answer whose platform was taken out of the settings is never sent.
    over = (inbox.c.state == "sent") | (inbox.c.expires_at < now)
    return (
        (turns, turns.c.id, turns.c.created_at < now - memory_s),
        (inbox, inbox.c.id, over & (inbox.c.finished_at < now - handled_s)),
        (handled, handled.c.digest, handled.c.until < now),
        (codes, codes.c.digest, codes.c.expires_at <= now),
        (strangers, literal_column("strangers.rowid"), strangers.c.told_at <= now - AGAIN_S),
        (
            conversations,
            conversations.c.id,
            (conversations.c.created_at < now - _SETTLED_S)
            & ~exists().where(inbox.c.conversation_id == conversations.c.id)
            & ~exists().where(turns.c.conversation_id == conversations.c.id),
        ),
        (people, people.c.id, ~people.c.active & people.c.name.is_(None) & unused[0] & unused[1] & unused[2] & unused[3]),
    )
