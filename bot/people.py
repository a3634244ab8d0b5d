"""Who may talk here, as whom, and who reads the reply: people, their identities, and the audience of a message."""

from __future__ import annotations

import asyncio
import os
import pwd
import re
import secrets
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import Row, bindparam, select, update
from sqlalchemy.dialects.sqlite import insert

from bot.errors import SettingsError
from bot.tables import identities, people
from knowledge.scope import EVERYONE, OWNER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from adapters.types import Message
    from bot.settings import PersonConfig
    from knowledge.types import Sql

_PERSON = (people.c.id, people.c.name, people.c.owner, people.c.language, people.c.private)
_BY_IDENTITY = (
    select(*_PERSON)
    .join(identities)
    .where(identities.c.platform == bindparam("platform"), identities.c.user == bindparam("user"), people.c.active)
)
_OPAQUE = re.compile(r"discord-role:[^\s:]+|chat:[a-z]+:\S+")
"""Readers that are not people: they are handed to `knowledge` as they stand."""


@dataclass(frozen=True, slots=True)
class Person:
    """A human being. `name` is None unless the settings declare one.

    `language` is the one they chose, `en` or `fr`; `private`: nothing of theirs is kept once it is sent.
    """

    id: int
    name: str | None
    owner: bool
    language: str | None = None
    private: bool = False


class People:
    """The people of this house. Those of the settings are known once `declare` was called."""

    def __init__(self, sql: Sql) -> None:
        self._sql = sql
        self._by_name: dict[str, Person] = {}
        self._by_account: dict[str, Person] = {}
        self._owner: Person | None = None

    async def declare(self, declared: Sequence[PersonConfig]) -> None:
        """Make the stored people agree with the settings. Who is not declared any more loses access, not what is stored.

        Without a declared owner there is an unnamed one, so that a fresh installation can be used by whoever installed it.
        """
        found = await self._sql.write(lambda connection: _declare(connection, declared))
        self._by_name = {config.name: found[config.name] for config in declared}
        self._by_account = {config.unix_user: found[config.name] for config in declared if config.unix_user}
        self._owner = next((person for person in found.values() if person.owner), None)

    @property
    def owner(self) -> Person:
        """The first owner that the settings declare, else the unnamed one."""
        if self._owner is None:
            raise RuntimeError("people are not declared yet")
        return self._owner

    def named(self, name: str) -> Person | None:
        """The declared person of that name."""
        return self._by_name.get(name)

    async def of_identity(self, platform: str, user: str) -> Person | None:
        """The person behind a platform's user id, None for a stranger."""
        parameters = {"platform": platform, "user": user}
        row = await self._sql.read(lambda connection: connection.execute(_BY_IDENTITY, parameters).first())
        return as_person(row) if row else None

    async def of_unix(self, uid: int) -> Person | None:
        """The person behind an account of this machine: as declared; the owner for root and the account of this process."""
        name = await asyncio.to_thread(_account, uid)  # it may ask a directory server
        person = self._by_account.get(name) if name else None
        return person or (self.owner if uid in {0, os.geteuid()} else None)

    async def link(self, platform: str, user: str, person: Person) -> None:
        """Let a platform's user id be this person's, and no one else's."""
        values = {"platform": platform, "user": user, "person_id": person.id, "created_at": time.time()}
        statement = insert(identities).values(values)
        statement = statement.on_conflict_do_update(index_elements=["platform", "user"], set_={"person_id": person.id})
        await self._sql.write(lambda connection: connection.execute(statement))

    async def set_language(self, person: Person, language: str | None) -> None:
        """In which language a person is spoken to, `en` or `fr`; None: as they write."""
        await self._prefer(replace(person, language=language))

    async def set_private(self, person: Person, *, private: bool) -> None:
        """Whether what a person says is erased as soon as its reply is sent."""
        await self._prefer(replace(person, private=private))

    def audience(self, person: Person, message: Message) -> frozenset[str]:
        """Who reads the reply. A shared chat is a reader of its own, with nothing of any one person's, whoever asks."""
        if not message.private:
            return frozenset({EVERYONE, f"chat:{message.platform}:{message.chat}"})
        readers = {EVERYONE, f"person:{person.id}"}
        return frozenset(readers | {OWNER} if person.owner else readers)

    def resolve_readers(self, names: Sequence[str]) -> frozenset[str]:
        """The reader strings of a collection's `readers`. Raises `SettingsError` for a person that is not declared."""
        return frozenset(self._resolve(name) for name in names)

    async def _prefer(self, person: Person) -> None:
        statement = update(people).where(people.c.id == person.id).values(language=person.language, private=person.private)
        await self._sql.write(lambda connection: connection.execute(statement))
        for known in (self._by_name, self._by_account):
            known.update({name: person for name, one in known.items() if one.id == person.id})
        if self._owner is not None and self._owner.id == person.id:
            self._owner = person

    def _resolve(self, name: str) -> str:
        person = self._by_name.get(name)
        if person is not None:
            return f"person:{person.id}"
        if name in {EVERYONE, OWNER} or _OPAQUE.fullmatch(name):
            return name
        known = ", ".join(sorted(self._by_name)) or "nobody is declared"
        raise SettingsError(
            f"readers: {name!r} is not known. Allowed: everyone, owner, discord-role:ID, chat:PLATFORM:ID, "
            f"or a name of [[people]] ({known})."
        )


def as_person(row: Row[*tuple[Any, ...]]) -> Person:
    """A person from its columns `id`, `name`, `owner`, `language`, `private`."""
    return Person(row.id, row.name, row.owner, row.language, row.private)


def new_key() -> str:
    """A random key: what a person is remembered by, once forgotten, without saying who it was."""
    return secrets.token_hex(16)


def _declare(connection: Connection, declared: Sequence[PersonConfig]) -> dict[str | None, Person]:
    connection.execute(update(people).where(people.c.name.is_not(None)).values(active=False, owner=False, unix_user=None))
    for config in declared:
        settled = {"owner": config.owner, "unix_user": config.unix_user, "active": True}
        statement = insert(people).values(name=config.name, key=new_key(), created_at=time.time(), **settled)
        connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=settled))
    found: dict[str | None, Person] = {config.name: _one(connection, config.name) for config in declared}
    if not any(config.owner for config in declared):
        found[None] = _unnamed_owner(connection)
    return found


def _one(connection: Connection, name: str) -> Person:
    return as_person(connection.execute(select(*_PERSON).where(people.c.name == name)).one())


def _unnamed_owner(connection: Connection) -> Person:
    statement = select(*_PERSON).where(people.c.owner, people.c.name.is_(None)).order_by(people.c.id)
    row = connection.execute(statement).first()
    if row is None:
        connection.execute(people.insert().values(owner=True, key=new_key(), active=True, created_at=time.time()))
        row = connection.execute(statement).one()
    return as_person(row)


def _account(uid: int) -> str | None:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return None
