"""What /retry asks again: the newest question of a conversation, answered or failed, as long as it is remembered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, select

from bot.commands import typed
from bot.stored import load_message, load_reply
from bot.tables import conversations, inbox, turns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, Row

    from knowledge.types import Sql

_LOOKED_AT = 50
"""Messages that are looked at, newest first: the commands after a question are few."""

_OURS = (conversations.c.id == bindparam("conversation"), conversations.c.person_id == bindparam("person"))
_MESSAGES = (
    select(
        inbox.c.message, inbox.c.reply, inbox.c.outcome, turns.c.id.label("turn"), turns.c.question, conversations.c.first_turn
    )
    .join(conversations, conversations.c.id == inbox.c.conversation_id)
    .outerjoin(turns, turns.c.inbox_id == inbox.c.id)
    .where(*_OURS, inbox.c.id < bindparam("before"), inbox.c.outcome.is_not(None))
    .order_by(inbox.c.id.desc())
    .limit(_LOOKED_AT)
)
_NEWEST = (
    select(turns.c.id, turns.c.question)
    .join(conversations, conversations.c.id == turns.c.conversation_id)
    .where(*_OURS, turns.c.id >= conversations.c.first_turn)
    .order_by(turns.c.id.desc())
    .limit(1)
)


@dataclass(frozen=True, slots=True)
class Again:
    """A question to be asked again: the turn that its new answer replaces, None when it has none, and where it looked."""

    question: str
    turn: int | None = None
    collections: Sequence[str] = ()


async def last_question(sql: Sql, person_id: int, conversation_id: int, before: int) -> Again | None:
    """The newest question of a conversation that came before a message; None when there is none that is remembered."""
    key = {"person": person_id, "conversation": conversation_id, "before": before}
    return await sql.read(lambda connection: _last(connection, key))


def _last(connection: Connection, key: dict[str, int]) -> Again | None:
    for row in connection.execute(_MESSAGES, key):
        message = load_message(row.message)
        collections: Sequence[str] = message.options.get("collections") or ()
        if row.turn is not None:
            return Again(row.question, row.turn, collections) if row.turn >= row.first_turn else None
        command = typed(message.text)
        if command is not None and command.name in {"reset", "forget"}:
            return None
        question = command.argument if command and command.name == "ask" else message.text
        if (command is None or command.name == "ask") and question.strip() and _failed(row):
            return Again(question, None, collections)
    newest = connection.execute(_NEWEST, key).first()  # its message was pruned
    return Again(newest.question, newest.id) if newest else None


def _failed(row: Row[*tuple[Any, ...]]) -> bool:
    return row.outcome != "answered" or bool(row.reply and load_reply(row.reply).error)
