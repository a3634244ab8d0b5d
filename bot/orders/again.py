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


async def question_again(sql: Sql, person_id: int, conversation_id: int, before: int, *, of: int | None = None) -> Again | None:
    """The question of the message `of` (both are inbox ids), else the newest of the conversation that came before one.

    None when there is none that is remembered.
    """
    key = {"person": person_id, "conversation": conversation_id, "before": before}
    if of is not None:
        return await sql.read(lambda connection: _of(connection, {**key, "of": of}))
    return await sql.read(lambda connection: _last(connection, key))


def _of(connection: Connection, key: dict[str, int]) -> Again | None:
    row = connection.execute(_MESSAGES.where(inbox.c.id == bindparam("of")), key).first()
    return _question(row) if row else None


def _last(connection: Connection, key: dict[str, int]) -> Again | None:
    for row in connection.execute(_MESSAGES, key):
        if row.turn is not None and row.turn < row.first_turn:
            return None
        command = typed(load_message(row.message).text)
        if command is not None and command.name in {"reset", "forget"}:
            return None
        again = _question(row)
        if again is not None:
            return again
    newest = connection.execute(_NEWEST, key).first()  # its message was pruned
    return Again(newest.question, newest.id) if newest else None


def _question(row: Row[*tuple[Any, ...]]) -> Again | None:
    """What was asked with a message, if it was answered from the documents, or failed."""
    message = load_message(row.message)
    collections: Sequence[str] = message.options.get("collections") or ()
    if row.turn is not None:
        return Again(row.question, row.turn, collections)
    command = typed(message.text)
    question = command.argument if command and command.name == "ask" else message.text
    asked = command is None or command.name == "ask"
    return Again(question, None, collections) if asked and question.strip() and _failed(row) else None


def _failed(row: Row[*tuple[Any, ...]]) -> bool:
    return row.outcome != "answered" or bool(row.reply and load_reply(row.reply).error)
