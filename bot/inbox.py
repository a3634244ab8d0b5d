"""No message lost, none answered twice: what the database knows of each message, from its arrival until its reply is sent.

received -> running -> answered -> sent, with failed (waits for its next try) beside running. Each arrow is one transaction. The
reply and what is remembered of it are in the one that says answered; so are its parts, each of which is then sent and
acknowledged by itself. The outcome says how it ended: answered, dead (tried too often), expired, cancelled.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, update

from bot import inbox_rows as sql
from bot.errors import RejectedError
from bot.forget import DAY_S, erase_finished, handled_digest, salt_of
from bot.ledger import write_mark
from bot.outbox import Outbox, store_parts
from bot.people.conversations import make_room
from bot.schedule.prune import prune
from bot.stored import dump, load_reply
from bot.tables import inbox
from knowledge.failpoints import failpoint

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy import Connection

    from adapters.types import Message, Part, Reply
    from bot.database.database import Database
    from bot.inbox_rows import Pending
    from bot.live import NewTurn
    from bot.people.people import Person
    from bot.settings.fields import LimitsConfig

LEASE_S = 30.0
"""An attempt proves within that time that it still runs."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """Where a message is kept. `fresh` is false when it had come before; `id` is 0 when it was answered and then forgotten."""

    id: int
    conversation_id: int = 0
    fresh: bool = False


def space_of(message: Message) -> str:
    """Where a conversation is held: all private chats of a person are one space, but for those with a name of their own."""
    parts = ["private"] if message.private else [message.platform, message.chat]
    return ":".join([*parts, message.thread] if message.thread else parts)


class Inbox:
    """The inbox, and the turns that answers add to the memory. `bot.dispatch` decides what happens when."""

    def __init__(self, database: Database, limits: LimitsConfig) -> None:
        self._database = database
        self._handled_s = limits.handled_days * DAY_S
        self._salt = b""
        self.outbox = Outbox(database, limits)

    async def receive(self, message: Message, person: Person, expires_at: float, mark: tuple[str, str] | None = None) -> Arrived:
        """Store a message once, however often it is delivered, and `mark` in the ledger of its platform.

        Raises `RejectedError` (`conflict`, `binary`), `DatabaseError`.
        """
        row = sql.row_of(message, person, expires_at)
        failpoint("inbox.receive.before")

        def work(connection: Connection) -> Arrived:
            if mark is not None:
                write_mark(connection, message.platform, *mark)
            return self._receive(connection, row, space_of(message))

        arrived = await self._database.write(work)
        failpoint("inbox.receive.committed")
        return arrived

    async def known(self, message: Message, person: Person) -> int | None:
        """The id of a message that had come before. Raises `RejectedError` as `receive` does."""
        row = sql.row_of(message, person, 0)
        found = await self._database.read(lambda connection: self._before(connection, row))
        return found.id if found else None

    async def lease(self, id_: int) -> bool:
        """Begin an attempt. False when the message is not to be answered any more: it was erased."""
        values = {"inbox_id": id_, "until": time.time() + LEASE_S}
        leased = await self._database.write(lambda connection: connection.execute(sql.LEASE, values).rowcount)
        failpoint("inbox.leased")
        return bool(leased)

    async def beat(self, ids: Collection[int]) -> set[int]:
        """Prove that these attempts still run. Returns those whose messages were erased meanwhile."""

        def work(connection: Connection) -> set[int]:
            ours = inbox.c.id.in_(ids), inbox.c.state == "running"
            connection.execute(update(inbox).where(*ours).values(lease_until=time.time() + LEASE_S))
            return set(ids) - set(connection.scalars(select(inbox.c.id).where(*ours)))

        return await self._database.write(work)

    async def close(self, id_: int, outcome: str, reply: Reply, parts: Sequence[Part], turn: NewTurn | None = None) -> bool:
        """Commit how a message ended: its reply, its parts, its turn, all or nothing. Without parts it is sent: it is fetched.

        False when it was erased, or answered before.
        """
        values = {"inbox_id": id_, "new_outcome": outcome, "new_reply": dump(reply), "at": time.time()}
        values["new_state"] = "answered" if parts else "sent"
        failpoint("answer.commit.before")
        closed = await self._database.write(lambda connection: self._close(connection, values, parts, turn))
        failpoint("answer.committed")
        if closed is None:
            return False
        await self._leave_no_trace(erased=closed)
        return True

    async def shown(self, id_: int, live: str) -> None:
        """The answer is shown in that message of the platform while it is written."""
        await self._database.write(lambda connection: connection.execute(sql.SHOWN, {"inbox_id": id_, "new_live": live}))

    async def replace(self, message: Message) -> int | None:
        """A message was edited before it was answered: keep what it says now. Its inbox id, None when it is too late."""
        values = {**sql.key_of(message), "new_message": sql.dumped(message)}
        found = await self._database.write(lambda connection: connection.execute(sql.REPLACE, values).first())
        return found.id if found else None

    async def find(self, platform: str, account: str, message_id: str) -> int | None:
        """The inbox id of a message, None when it is unknown."""
        key = {"platform": platform, "account": account, "message_id": message_id}
        found = await self._database.read(lambda connection: connection.execute(sql.FIND, key).first())
        return found.id if found else None

    async def fail(self, id_: int, due_at: float) -> None:
        """An attempt failed: the next one not before `due_at`. It did not take the process with it, so it need not run alone."""
        values = {"state": "failed", "due_at": due_at, "alone": False, "lease_until": None}
        statement = update(inbox).where(inbox.c.id == id_, inbox.c.state == "running").values(**values)
        await self._database.write(lambda connection: connection.execute(statement))

    async def give_back(self, ids: Collection[int]) -> None:
        """Attempts were interrupted by the end of the daemon: they do not count."""
        ours = inbox.c.id.in_(ids), inbox.c.state == "running"
        statement = update(inbox).where(*ours).values(state="received", attempts=inbox.c.attempts - 1, lease_until=None)
        await self._database.write(lambda connection: connection.execute(statement))

    async def recover(self) -> list[Pending]:
        """At start: every lease is void, and all that is not sent is to be gone on with, oldest first.

        The death of the process counts as an attempt of what was running alone. Of several it is not known which one it was: each
        is to run alone once.
        """
        return await self._database.write(sql.recover)

    async def reply(self, id_: int) -> Reply | None:
        """The reply to a message, None when there is none (yet, or any more)."""
        text = await self._database.read(lambda connection: connection.execute(sql.REPLY, {"inbox_id": id_}).scalar())
        return load_reply(text) if text else None

    async def prune(self, memory_days: float) -> int:
        """Remove what is out of date, turns older than `memory_days` among it; return how many rows."""
        return await prune(self._database, memory_s=memory_days * DAY_S, handled_s=self._handled_s)

    def _receive(self, connection: Connection, row: dict[str, Any], space: str) -> Arrived:
        before = self._before(connection, row)
        if before is not None:
            return before
        key = {"person_id": row["person_id"], "space": space}
        conversation = connection.execute(sql.CONVERSATION, key).scalar()
        if conversation is None:
            make_room(connection, row["person_id"], space)
            created = connection.execute(sql.NEW_CONVERSATION, {**key, "created_at": row["received_at"]})
            conversation = created.lastrowid
        # As it is now: what the door knows of the person may be older than their /private.
        erase = row["erase"] or connection.execute(sql.PRIVATE, {"person": row["person_id"]}).scalar()
        stored = connection.execute(sql.NEW, {**row, "conversation_id": conversation, "erase": erase})
        return Arrived(stored.lastrowid, conversation, fresh=True)

    def _before(self, connection: Connection, row: dict[str, Any]) -> Arrived | None:
        key = {name: row[name] for name in sql.KEY}
        found = connection.execute(sql.FIND, key).first()
        if found is None:
            self._salt = self._salt or salt_of(connection)
            digest = handled_digest(self._salt, *key.values())
            return Arrived(0) if connection.execute(sql.HANDLED, {"digest": digest}).first() else None
        if (found.person_id, found.body_hash) != (row["person_id"], row["body_hash"]):
            raise RejectedError("conflict", "This key was used for another message: choose a new one.", 422)
        return Arrived(found.id)

    def _close(self, connection: Connection, values: dict[str, Any], parts: Sequence[Part], turn: NewTurn | None) -> bool | None:
        """None when there is nothing to close, else whether the message was erased."""
        found = connection.execute(sql.CLOSE, values).first()
        if found is None:
            return None
        if parts:
            store_parts(connection, values["inbox_id"], parts)
        if turn is not None and not found.erase:
            sql.remember(connection, turn, values["inbox_id"], found.conversation_id)
        return bool(found.erase and not parts and erase_finished(connection, values["inbox_id"], self._handled_s))

    async def _leave_no_trace(self, *, erased: bool) -> None:
        if erased:
            await self._database.empty_log()
