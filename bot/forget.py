"""`/forget`: erases what is stored of a person, so that no byte of it is left in the state folder, after a restore neither.

What stays: digests of the ids of handled messages, until no platform can deliver them again; a digest of the person's random key,
so that a restored backup is known to hold someone who was forgotten; and what the settings say (a declared person comes back as a
new one, with the tokens the owner made). Backups are not touched: they go by their retention.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import delete, exists, func, select, update
from sqlalchemy.dialects.sqlite import insert

from bot.people.identities import JOINED, new_key
from bot.stored import dump, load_message
from bot.tables import codes, conversations, forgotten, handled, identities, inbox, meta, people, strangers, tokens, turns

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sqlalchemy import ColumnElement, Connection, Select

    from bot.database.database import Database

_SLICE = 200
"""Rows erased in one transaction: a few milliseconds."""

_LOG_WAIT_S = 4.0
"""How long the reply waits for a reader that still looks at an older state, before the log is emptied behind it."""

DAY_S = 86_400.0
_MARK = "erase:"


class Forget:
    """Erases people. `folder` is the state folder. `resume` at start finishes what a crash interrupted."""

    def __init__(self, database: Database, folder: Path, *, handled_days: float = 30) -> None:
        self._database = database
        self._journal = journal_path(folder)
        self._handled_s = handled_days * DAY_S

    async def person(self, person_id: int, *, but: int | None = None) -> None:
        """Erase what is stored of a person: turns, messages, replies, conversations, identities.

        `but` is the inbox id of the message that asks for it: what came after it stays; it goes once its reply is sent.
        """
        erased = await self._database.write(lambda connection: begin_erasing(connection, person_id, but))
        await self._go_on(erased, but)

    async def resume(self) -> None:
        """Finish what was begun, and bring journal and database together."""
        marks = select(meta.c.key, meta.c.value).where(meta.c.key.startswith(_MARK))
        for key, but in await self._database.read(lambda connection: connection.execute(marks).all()):
            await self._go_on(int(key.removeprefix(_MARK)), int(but) or None)
        await self._write_journal()

    async def _go_on(self, person_id: int, but: int | None) -> None:
        while await self._database.write(lambda connection: erase_slice(connection, person_id, but, self._handled_s)):
            pass
        await self._write_journal()
        await self._database.write(lambda connection: end_erasing(connection, person_id))
        await self._database.empty_log(_LOG_WAIT_S)

    async def _write_journal(self) -> None:
        digests = await self._database.read(lambda connection: {row.digest: row.at for row in connection.execute(_FORGOTTEN)})
        await asyncio.to_thread(write_journal, self._journal, digests)


_FORGOTTEN = select(forgotten.c.digest, forgotten.c.at)
_SALT = select(meta.c.value).where(meta.c.key == "salt")
_MESSAGES = select(inbox.c.id, inbox.c.platform, inbox.c.account, inbox.c.message_id)


def journal_path(folder: Path) -> Path:
    """Where the digests of forgotten people are kept outside of the database, for restores."""
    return folder / "forgotten.json"


def read_journal(path: Path) -> dict[str, float]:
    """Digest and time of each forgotten person."""
    return dict(orjson.loads(path.read_bytes())) if path.exists() else {}


def write_journal(path: Path, digests: Mapping[str, float]) -> None:
    """Add people to the journal, in one step that lasts."""
    known = read_journal(path)
    if digests.keys() <= known.keys():
        return
    made = path.with_suffix(".partial")
    with open(os.open(made, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as file:  # noqa: PTH123 -- a descriptor
        file.write(orjson.dumps({**known, **digests}))
        file.flush()
        os.fsync(file.fileno())
    made.replace(path)


def person_digest(key: str) -> str:
    """What a person is known by in the journal. The key is 128 random bits, and a salt by itself."""
    return hashlib.sha256(f"grillon forgot {key}".encode()).hexdigest()


def handled_digest(salt: bytes, platform: str, account: str, message_id: str) -> bytes:
    """What a handled message is known by once it was erased."""
    return hashlib.sha256(b"\0".join((salt, platform.encode(), account.encode(), message_id.encode()))).digest()


def salt_of(connection: Connection) -> bytes:
    """The salt of this database."""
    return bytes.fromhex(connection.execute(_SALT).scalar_one())


def begin_erasing(connection: Connection, person_id: int, but: int | None) -> int:
    """Make a person a new one, of whom nothing is remembered, in one short transaction; the rows follow in slices.

    Returns whose rows these are: who asks for it by the message `but` may have become one with somebody else since.
    """
    if but is not None:
        person_id = connection.execute(select(inbox.c.person_id).where(inbox.c.id == but)).scalar() or person_id
    person = connection.execute(select(people).where(people.c.id == person_id)).one()
    lasting = person.name is not None or person.owner
    _note(connection, person_id, person.key)
    renewed = {"key": new_key(), "active": person.active and lasting, "language": None}
    connection.execute(update(people).where(people.c.id == person_id).values(renewed))
    _erase_accounts(connection, person_id, blocked=person.blocked)
    if not lasting:
        connection.execute(delete(tokens).where(tokens.c.person_id == person_id))
    newest = select(func.coalesce(func.max(turns.c.id), 0) + 1).scalar_subquery()
    connection.execute(update(conversations).where(conversations.c.person_id == person_id).values(first_turn=newest))
    if but is not None:
        _strip(connection, but)
    mark = insert(meta).values(key=f"{_MARK}{person_id}", value=str(but or 0))
    connection.execute(mark.on_conflict_do_update(index_elements=["key"], set_={"value": mark.excluded.value}))
    return person_id


def _note(connection: Connection, person_id: int, key: str) -> None:
    """Note that this person was forgotten, with those that became one with them: an older backup may hold each."""
    became = meta.c.key.startswith(JOINED), meta.c.value == str(person_id)
    keys = [key, *(one.removeprefix(JOINED) for one in connection.scalars(select(meta.c.key).where(*became)))]
    connection.execute(forgotten.insert(), [{"digest": person_digest(one), "at": time.time()} for one in keys])
    connection.execute(delete(meta).where(*became))


def _erase_accounts(connection: Connection, person_id: int, *, blocked: bool) -> None:
    """Erase the accounts of a person, but for what the settings say, and what says that somebody is blocked."""
    theirs = identities.c.person_id == person_id
    for row in connection.execute(select(identities.c.platform, identities.c.user).where(theirs)).all():
        for table in (strangers, codes):
            connection.execute(delete(table).where(table.c.platform == row.platform, table.c.user == row.user))
    connection.execute(delete(codes).where(codes.c.person_id == person_id))
    if not blocked:
        connection.execute(delete(identities).where(theirs, identities.c.way != "settings"))


def erase_slice(connection: Connection, person_id: int, but: int | None, handled_s: float) -> bool:
    """Erase some rows. False when there are none left."""
    before = but if but is not None else 2**62
    old = turns.c.inbox_id.is_(None) | (turns.c.inbox_id < before)
    mine = select(conversations.c.id).where(conversations.c.person_id == person_id)
    some = select(turns.c.id).where(turns.c.conversation_id.in_(mine), old).limit(_SLICE)
    gone = connection.execute(delete(turns).where(turns.c.id.in_(some))).rowcount
    if gone:
        return True
    messages = _MESSAGES.where(inbox.c.person_id == person_id, inbox.c.id < before).limit(_SLICE)
    return _erase_messages(connection, messages, handled_s)


def erase_finished(connection: Connection, inbox_id: int, handled_s: float) -> bool:
    """Erase the message that asked for it, now that its reply is sent."""
    conversation = connection.execute(select(inbox.c.conversation_id).where(inbox.c.id == inbox_id)).scalar()
    _erase_messages(connection, _MESSAGES.where(inbox.c.id == inbox_id), handled_s)
    _erase_empty(connection, conversations.c.id == conversation)
    return True


def end_erasing(connection: Connection, person_id: int) -> None:
    """Erase the conversations that hold nothing any more, and the mark that says that this is to be done."""
    _erase_empty(connection, conversations.c.person_id == person_id)
    connection.execute(delete(meta).where(meta.c.key == f"{_MARK}{person_id}"))


def _erase_empty(connection: Connection, which: ColumnElement[bool]) -> None:
    held = exists().where(inbox.c.conversation_id == conversations.c.id) | exists().where(
        turns.c.conversation_id == conversations.c.id
    )
    connection.execute(delete(conversations).where(which, ~held))


def _erase_messages(connection: Connection, which: Select[*tuple[Any, ...]], handled_s: float) -> bool:
    rows = connection.execute(which).all()
    if not rows:
        return False
    salt, until = salt_of(connection), time.time() + handled_s
    kept = [{"digest": handled_digest(salt, row.platform, row.account, row.message_id), "until": until} for row in rows]
    connection.execute(insert(handled).on_conflict_do_nothing(), kept)
    connection.execute(delete(inbox).where(inbox.c.id.in_([row.id for row in rows])))
    return True


def _strip(connection: Connection, inbox_id: int) -> None:
    """Leave of the message that asks for it what is needed to deliver its reply, and to ask again after a crash."""
    text = connection.execute(select(inbox.c.message).where(inbox.c.id == inbox_id)).scalar_one()
    message = load_message(text)
    stripped = {name: getattr(message, name) for name in message.__slots__}
    stripped.update(text="/forget", sender_name=None, reply_to=None, attachments=())
    connection.execute(update(inbox).where(inbox.c.id == inbox_id).values(message=dump(type(message)(**stripped)), erase=True))
