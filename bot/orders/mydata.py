"""`/mydata`: everything that is stored of one person, as a file they can read. Nothing of anybody else, and no secret."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import func, select

from adapters.types import File
from bot.stored import load_message, load_reply
from bot.tables import attached, conversations, identities, inbox, people, tokens, turn_documents, turns

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row, Select

    from knowledge.types import Sql

NAME = "grillon.json"


async def my_data(sql: Sql, person_id: int) -> File:
    """What is stored of a person, as it stood at one moment: JSON, times in UTC."""
    return await sql.read(lambda connection: File(NAME, _json(_of_person(connection, person_id))))


def _of_person(connection: Connection, person_id: int) -> dict[str, Any]:
    # The random key and the digests of tokens are no one's to see: whoever has them can look for this person elsewhere.
    person = people.c
    row = connection.execute(
        select(
            person.id, person.name, person.owner, person.unix_user, person.language, person.private, person.blocked,
            person.created_at,
        ).where(person.id == person_id)
    ).one()  # fmt: skip
    known = select(identities.c.platform, identities.c.user, identities.c.way, identities.c.created_at).where(
        identities.c.person_id == person_id
    )
    keys = select(tokens.c.name, tokens.c.created_at).where(tokens.c.person_id == person_id)
    return {
        "person": _values(row),
        "identities": _rows(connection, known),
        "tokens": _rows(connection, keys),
        "conversations": [_conversation(connection, one) for one in _conversations(connection, person_id)],
        "messages": [_message(one) for one in connection.execute(select(inbox).where(inbox.c.person_id == person_id))],
    }


def _conversations(connection: Connection, person_id: int) -> list[Row[*tuple[Any, ...]]]:
    ours = select(conversations.c.id, conversations.c.space, conversations.c.created_at, conversations.c.first_turn)
    return list(connection.execute(ours.where(conversations.c.person_id == person_id).order_by(conversations.c.id)))


def _conversation(connection: Connection, row: Row[*tuple[Any, ...]]) -> dict[str, Any]:
    used = select(func.count()).where(turn_documents.c.turn_id == turns.c.id).scalar_subquery().label("documents")
    said = select(turns.c.question, turns.c.answer, turns.c.liked, turns.c.created_at, used)
    files = select(attached.c.name, attached.c.page, attached.c.text)
    return {
        "space": row.space,
        "created_at": _time(row.created_at),
        "turns": _rows(connection, said.where(turns.c.conversation_id == row.id).order_by(turns.c.id)),
        "attached": _rows(connection, files.where(attached.c.conversation_id == row.id).order_by(attached.c.id)),
    }


def _message(row: Row[*tuple[Any, ...]]) -> dict[str, Any]:
    """A message as it waits, or is kept for a while. Its options are the platform's own, with keys to answer by."""
    message = load_message(row.message)
    return {
        "platform": message.platform,
        "chat": message.chat,
        "sender": message.sender,
        "sender_name": message.sender_name,
        "text": message.text,
        "attachments": [one.name for one in message.attachments],
        "received_at": _time(row.received_at),
        "state": row.state,
        "outcome": row.outcome,
        "reply": load_reply(row.reply).text if row.reply else None,
    }


def _rows(connection: Connection, query: Select[*tuple[Any, ...]]) -> list[dict[str, Any]]:
    return [_values(row) for row in connection.execute(query)]


def _values(row: Row[*tuple[Any, ...]]) -> dict[str, Any]:
    return {str(name): _time(value) if name.endswith("_at") else value for name, value in row._mapping.items()}  # noqa: SLF001 -- its public name


def _time(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _json(values: dict[str, Any]) -> str:
    return orjson.dumps(values, option=orjson.OPT_INDENT_2).decode()
