"""What is remembered of a conversation: its turns, for the one person it is held with, and only while that person may read every
document they were made from. There is no call without person *and* conversation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import orjson
from sqlalchemy import bindparam, func, select, update

from bot.stored import load_message, load_reply
from bot.tables import conversations, inbox, turn_documents, turns
from knowledge.types import PastTurn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection

    from adapters.types import Message, Reply
    from knowledge.types import Sql

    Readable = Callable[[Connection, frozenset[int]], frozenset[int]]
    """Which of these documents the one who asks may read now."""

_MOST = 200
"""Turns that are looked at."""

_COUNTED = 20_000
"""Turns whose tokens are known without counting again."""

_DOCUMENTS = (
    select(func.group_concat(turn_documents.c.document_id)).where(turn_documents.c.turn_id == turns.c.id).scalar_subquery()
)
_REMEMBERED = (
    conversations.c.id == bindparam("conversation"),
    conversations.c.person_id == bindparam("person"),
    turns.c.id >= conversations.c.first_turn,
)
_EACH = (
    select(turns.c.id, turns.c.question, turns.c.answer, _DOCUMENTS.label("documents"))
    .join(conversations)
    .where(*_REMEMBERED)
    .order_by(turns.c.id.desc())
    .limit(_MOST)
    .subquery()
)
# In one row: a thread that fetches rows takes and gives the interpreter lock for every one of them.
_TURNS = select(func.json_group_array(func.json_array(_EACH.c.id, _EACH.c.question, _EACH.c.answer, _EACH.c.documents)))
_LAST = (
    select(inbox.c.reply, _DOCUMENTS.label("documents"))
    .select_from(turns)
    .join(conversations, conversations.c.id == turns.c.conversation_id)
    .join(inbox, inbox.c.id == turns.c.inbox_id)
    .where(*_REMEMBERED)
    .order_by(turns.c.id.desc())
    .limit(1)
)
_OF_MESSAGE = (
    select(inbox.c.reply, inbox.c.message, _DOCUMENTS.label("documents"))
    .select_from(inbox)
    .outerjoin(turns, turns.c.inbox_id == inbox.c.id)
    .where(inbox.c.id == bindparam("inbox"), inbox.c.person_id == bindparam("person"), inbox.c.reply.is_not(None))
)
_LIKE = (
    update(turns)
    .where(
        turns.c.inbox_id == bindparam("inbox"),
        turns.c.conversation_id.in_(select(conversations.c.id).where(conversations.c.person_id == bindparam("person"))),
    )
    .values(liked=bindparam("what"))
)
_BEGIN_AT = (
    update(conversations)
    .where(conversations.c.id == bindparam("conversation"), conversations.c.person_id == bindparam("person"))
    .values(first_turn=func.max(conversations.c.first_turn, bindparam("first")))
)


@dataclass(frozen=True, slots=True)
class Kept:
    """A message with its reply, and the ids of the documents that it was made from."""

    message: Message
    reply: Reply
    documents: frozenset[int]


class _Turn(NamedTuple):
    """A turn as the database has it, `documents` as their ids joined by commas."""

    id: int
    question: str
    answer: str
    documents: str | None


class Memory:
    """The turns of all conversations, each reached with its person and its conversation alone."""

    def __init__(self, sql: Sql) -> None:
        self._sql = sql
        self._tokens: dict[int, int] = {}

    async def turns(
        self,
        person_id: int,
        conversation_id: int,
        *,
        budget_tokens: int,
        count: Callable[[str], int],
        readable: Readable,
        without: int | None = None,
    ) -> list[PastTurn]:
        """The turns that enter the next prompt, oldest first, within the budget.

        They only grow at their end, so that the prompt's beginning stays the same, until they exceed the budget: then the oldest
        are left out, for good, down to half of it. `without` is a turn that is about to be replaced.
        """
        key = {"person": person_id, "conversation": conversation_id}
        kept, full = await self._sql.read(lambda connection: _remembered(connection, key, readable, without))
        sizes = [self._size(id_, turn, count) for id_, turn in kept]
        cut = _cut(sizes, budget_tokens, full=full)
        if cut:
            first = kept[cut][0] if cut < len(kept) else kept[-1][0] + 1
            await self._sql.write(lambda connection: connection.execute(_BEGIN_AT, {**key, "first": first}))
        return [turn for _, turn in kept[cut:]]

    async def reset(self, person_id: int, conversation_id: int) -> None:
        """Start the conversation anew: nothing said so far enters a prompt again."""

        def work(connection: Connection) -> None:
            newest = connection.execute(select(func.coalesce(func.max(turns.c.id), 0))).scalar_one()
            connection.execute(_BEGIN_AT, {"person": person_id, "conversation": conversation_id, "first": newest + 1})

        await self._sql.write(work)

    async def last_reply(self, person_id: int, conversation_id: int, *, readable: Readable) -> Reply | None:
        """The reply of the last turn, with its sources; None without one, or when not all of them may be read any more."""
        key = {"person": person_id, "conversation": conversation_id}
        reply = await self._sql.read(lambda connection: _last_reply(connection, key, readable))
        return load_reply(reply) if reply else None

    async def reply_to(self, person_id: int, inbox_id: int) -> Kept | None:
        """The reply to a message of this person, None when there is none, or none any more."""
        key = {"person": person_id, "inbox": inbox_id}
        row = await self._sql.read(lambda connection: connection.execute(_OF_MESSAGE, key).first())
        return Kept(load_message(row.message), load_reply(row.reply), _ids(row.documents)) if row else None

    async def may_read(self, kept: Kept, readable: Readable) -> bool:
        """Whether all documents that a reply was made from may be read."""
        documents = kept.documents
        return not documents or documents <= await self._sql.read(lambda connection: readable(connection, documents))

    async def like(self, person_id: int, inbox_id: int, *, liked: bool) -> bool:
        """Keep with a turn what its person thought of it. False when there is no such turn."""
        values = {"person": person_id, "inbox": inbox_id, "what": liked}
        return bool(await self._sql.write(lambda connection: connection.execute(_LIKE, values).rowcount))

    def _size(self, id_: int, turn: PastTurn, count: Callable[[str], int]) -> int:
        size = self._tokens.get(id_)
        if size is None:
            if len(self._tokens) >= _COUNTED:
                self._tokens.clear()
            size = self._tokens[id_] = count(turn.question) + count(turn.answer)
        return size


def _remembered(
    connection: Connection, key: dict[str, int], readable: Readable, without: int | None
) -> tuple[list[tuple[int, PastTurn]], bool]:
    """The turns with their ids, oldest first, all of whose documents may be read; and whether there may be older ones."""
    rows = [_Turn(*row) for row in orjson.loads(connection.execute(_TURNS, key).scalar_one())]
    found = [(row.id, PastTurn(row.question, row.answer, _ids(row.documents))) for row in reversed(rows) if row.id != without]
    wanted = frozenset[int]().union(*(turn.documents for _, turn in found))
    allowed = readable(connection, wanted) if wanted else wanted
    kept = [(id_, turn) for id_, turn in found if turn.question and turn.answer and turn.documents <= allowed]
    return kept, len(rows) == _MOST


def _last_reply(connection: Connection, key: dict[str, int], readable: Readable) -> str | None:
    row = connection.execute(_LAST, key).first()
    documents = _ids(row.documents) if row else frozenset[int]()
    return row.reply if row and (not documents or documents <= readable(connection, documents)) else None


def _ids(joined: str | None) -> frozenset[int]:
    return frozenset(map(int, joined.split(","))) if joined else frozenset()


def _cut(sizes: Sequence[int], budget: int, *, full: bool) -> int:
    """How many of the oldest are left out. The newest stays whenever it fits by itself."""
    total, cut = sum(sizes), 0
    if total <= budget and not full:
        return 0
    while cut < len(sizes) and (total > budget // 2 or len(sizes) - cut > _MOST // 2):
        total -= sizes[cut]
        cut += 1
    return cut - 1 if cut == len(sizes) and cut and sizes[-1] <= budget else cut
