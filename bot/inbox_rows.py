"""The statements of the inbox, made once, so that SQLAlchemy finds them in its cache; and the rows they read and write."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import bindparam, case, delete, func, insert, select, text, update

from adapters.types import Origin
from bot.errors import RejectedError
from bot.people.people import Person
from bot.stored import SPENT, dump, load_message, load_reply
from bot.tables import conversations, handled, inbox, people, turns
from knowledge.failpoints import failpoint

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

    from adapters.types import Message, Reply
    from bot.live import NewTurn

KEY = ("platform", "account", "message_id")
"""What a message is unique on."""
FIND = select(inbox.c.id, inbox.c.person_id, inbox.c.body_hash).where(
    inbox.c.platform == bindparam("platform"),
    inbox.c.account == bindparam("account"),
    inbox.c.message_id == bindparam("message_id"),
)
HANDLED = select(handled.c.until).where(handled.c.digest == bindparam("digest"))
CONVERSATION = select(conversations.c.id).where(
    conversations.c.person_id == bindparam("person_id"), conversations.c.space == bindparam("space")
)
NEW_CONVERSATION = insert(conversations)
NEW = insert(inbox)
PRIVATE = select(people.c.private).where(people.c.id == bindparam("person"))
OPEN = ("received", "running", "failed")
LEASE = (
    update(inbox)
    .where(inbox.c.id == bindparam("inbox_id"), inbox.c.state.in_(OPEN))
    .values(state="running", attempts=inbox.c.attempts + 1, lease_until=bindparam("until"))
)
CLOSE = (
    update(inbox)
    .where(inbox.c.id == bindparam("inbox_id"), inbox.c.state.in_(OPEN))
    .values(
        state=bindparam("new_state"),
        outcome=bindparam("new_outcome"),
        reply=bindparam("new_reply"),
        finished_at=bindparam("at"),
        lease_until=None,
        message=case((bindparam("new_state") == "sent", func.json_remove(inbox.c.message, *SPENT)), else_=inbox.c.message),
    )
    .returning(inbox.c.erase, inbox.c.conversation_id)
)
SHOWN = update(inbox).where(inbox.c.id == bindparam("inbox_id")).values(live=bindparam("new_live"))
REPLACE = (
    update(inbox)
    .where(
        inbox.c.platform == bindparam("platform_"),
        inbox.c.account == bindparam("account_"),
        inbox.c.message_id == bindparam("message_id_"),
        inbox.c.state.in_(OPEN),
    )
    .values(message=bindparam("new_message"))
    .returning(inbox.c.id)
)
NEW_TURN = insert(turns)
OLD_TURN = delete(turns).where(turns.c.id == bindparam("turn"), turns.c.conversation_id == bindparam("conversation"))
NEW_TURN_DOCUMENTS = text("INSERT INTO turn_documents (turn_id, document_id) SELECT :turn, value FROM json_each(:documents)")
REPLY = select(inbox.c.reply).where(inbox.c.id == bindparam("inbox_id"))
UNSENT = (
    select(inbox, conversations.c.space, people.c.name, people.c.owner, people.c.language, people.c.private)
    .join(conversations, conversations.c.id == inbox.c.conversation_id)
    .join(people, people.c.id == inbox.c.person_id)
    .where(inbox.c.state != "sent")
    .order_by(inbox.c.id)
)


@dataclass(slots=True, eq=False)
class Pending:
    """A message on its way, as the database has it. `reply` is there once it was answered; times as in the tables.

    `end` is the outcome when a person stops it: `cancelled`, or `withdrawn` when the question itself was deleted.
    """

    id: int
    message: Message
    person: Person
    conversation_id: int
    space: str
    received_at: float
    expires_at: float
    attempts: int = 0
    due_at: float = 0
    alone: bool = False
    reply: Reply | None = None
    live: str | None = None
    end: str = "cancelled"

    @property
    def origin(self) -> Origin:
        """What its reply answers."""
        return Origin(self.id, self.message, self.received_at, self.live)


def row_of(message: Message, person: Person, expires_at: float) -> dict[str, Any]:
    """A new row of the inbox. Raises `RejectedError` for what is not text."""
    return {
        "platform": message.platform,
        "account": message.account,
        "message_id": message.id,
        "body_hash": message.options.get("body_hash"),
        "person_id": person.id,
        "state": "received",
        "message": dumped(message),
        "received_at": time.time(),
        "expires_at": expires_at,
        "erase": person.private,
    }


def dumped(message: Message) -> str:
    """A message as it is stored. Raises `RejectedError` for what is not text."""
    try:
        return dump(message)
    except TypeError as error:
        raise RejectedError("binary", "The message holds characters that are not text.") from error


def key_of(message: Message) -> dict[str, str]:
    """What `REPLACE` finds a message by."""
    return {"platform_": message.platform, "account_": message.account, "message_id_": message.id}


def remember(connection: Connection, turn: NewTurn, inbox_id: int, conversation_id: int) -> None:
    """Add a turn to the memory of a conversation, in the place of the one it replaces."""
    if turn.replaces is not None:
        connection.execute(OLD_TURN, {"turn": turn.replaces, "conversation": conversation_id})
    values = {"conversation_id": conversation_id, "inbox_id": inbox_id, "question": turn.question, "answer": turn.answer}
    made = connection.execute(NEW_TURN, {**values, "created_at": time.time()})
    if turn.documents:
        connection.execute(NEW_TURN_DOCUMENTS, {"turn": made.lastrowid, "documents": orjson.dumps(list(turn.documents)).decode()})
    failpoint("memory.write")


def recover(connection: Connection) -> list[Pending]:
    """Void the leases and read what is not sent; see `Inbox.recover`."""
    running = inbox.c.state == "running"
    among_others = connection.execute(select(func.count()).where(running)).scalar_one() > 1
    attempts = inbox.c.attempts - 1 if among_others else inbox.c.attempts
    connection.execute(update(inbox).where(running).values(state="received", attempts=attempts, alone=True, lease_until=None))
    return [_pending(row) for row in connection.execute(UNSENT)]


def _pending(row: Row[*tuple[Any, ...]]) -> Pending:
    return Pending(
        id=row.id,
        message=load_message(row.message),
        person=Person(row.person_id, row.name, row.owner, row.language, row.private),
        conversation_id=row.conversation_id,
        space=row.space,
        received_at=row.received_at,
        expires_at=row.expires_at,
        attempts=row.attempts,
        due_at=row.due_at,
        alone=row.alone,
        reply=load_reply(row.reply) if row.reply else None,
        live=row.live,
    )
