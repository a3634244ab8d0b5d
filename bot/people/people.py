"""Who may talk here, as whom, and who reads the reply: people, their identities, and the audience of a message."""

from __future__ import annotations

import asyncio
import os
import pwd
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

from sqlalchemy import Row, bindparam, select, update

from bot.errors import SettingsError
from bot.people import identities as accounts
from bot.people import roster
from bot.people.chats import Chats
from bot.people.declared import declare
from bot.people.identities import Identity
from bot.tables import identities, inbox, people
from knowledge.scope import EVERYONE, OWNER

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from sqlalchemy import Connection

    from adapters.types import Message
    from bot.settings.fields import PersonConfig
    from knowledge.types import Sql

PERSON = (people.c.id, people.c.name, people.c.owner, people.c.language, people.c.private)
"""The columns that `as_person` reads."""

_KNOWN = (
    select(*PERSON, people.c.active, people.c.blocked, identities.c.way)
    .join(identities)
    .where(identities.c.platform == bindparam("platform"), identities.c.user == bindparam("user"))
)
_OPAQUE = re.compile(r"discord-role:[^\s:]+|chat:[a-z]+:\S+")
"""Readers that are not people: they are handed to `knowledge` as they stand."""


@dataclass(frozen=True, slots=True)
class Person:
    """A human being. `name` is None unless the settings declare one; `language` is None unless the person chose one.

    `private`: nothing of what is said with them is kept once it is sent.
    """

    id: int
    name: str | None
    owner: bool
    language: Literal["en", "fr"] | None = None
    private: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of an account. `way` is how it got in; not `active`: the settings do not declare its person any more."""

    person: Person
    way: accounts.Way
    active: bool
    blocked: bool


class People:
    """The people of this house. Those of the settings are known once `declare` was called."""

    def __init__(self, sql: Sql) -> None:
        self._sql = sql
        self.chats = Chats(sql)
        self._declared: Sequence[PersonConfig] = ()
        self._by_name: dict[str, Person] = {}
        self._by_account: dict[str, Person | None] = {}
        self._owner: Person | None = None
        self._watchers: list[Callable[[], Awaitable[object]]] = []
        self._silencers: list[Callable[[Person], Awaitable[object]]] = []

    async def declare(self, declared: Sequence[PersonConfig]) -> None:
        """Make the stored people agree with the settings. Who is not declared any more loses access, not what is stored.

        Without a declared owner there is an unnamed one, so that a fresh installation can be used by whoever installed it.
        """
        await self._sql.write(lambda connection: declare(connection, declared))
        self._declared = declared
        await self.chats.load()
        await self.changed()

    def watch(self, changed: Callable[[], Awaitable[object]]) -> None:
        """Have this called whenever people changed: blocked, or what they chose."""
        self._watchers.append(changed)

    def watch_blocks(self, silence: Callable[[Person], Awaitable[object]]) -> None:
        """Have this called with everybody who is blocked, once they can send nothing more."""
        self._silencers.append(silence)

    async def changed(self) -> None:
        """People changed: read anew what is kept in memory of people, here and where somebody watches."""
        rows = await self._sql.read(lambda connection: connection.execute(_SETTLED).all())
        found = {row.name: row for row in rows if row.name is not None}
        declared = [(config, found[config.name]) for config in self._declared]
        self._by_name = {config.name: as_person(row) for config, row in declared}
        self._by_account = {
            config.unix_user: None if row.blocked else as_person(row) for config, row in declared if config.unix_user
        }
        unnamed = [row for row in rows if row.name is None]
        self._owner = next((as_person(row) for row in [*(row for _, row in declared), *unnamed] if row.owner), None)
        for watcher in self._watchers:
            await watcher()

    @property
    def owner(self) -> Person:
        """The first owner that the settings declare, else the unnamed one."""
        if self._owner is None:
            raise RuntimeError("people are not declared yet")
        return self._owner

    def named(self, name: str) -> Person | None:
        """The declared person of that name."""
        return self._by_name.get(name)

    async def known(self, identity: Identity) -> Known | None:
        """What is known of an account, None for a stranger. One read."""
        row = await self._sql.read(lambda connection: connection.execute(_KNOWN, identity._asdict()).first())
        return Known(as_person(row), row.way, row.active, row.blocked) if row else None

    async def of_unix(self, uid: int) -> Person | None:
        """The person behind an account of this machine: as declared; the owner for root and the account of this process."""
        name = await asyncio.to_thread(_account, uid)  # it may ask a directory server
        if name in self._by_account:
            return self._by_account[name]
        return self.owner if uid in {0, os.geteuid()} else None

    async def enter(self, identity: Identity, way: accounts.Way) -> Person:
        """Let an account in: as who it is, else as a new unnamed person."""
        return await self._sql.write(lambda connection: one(connection, accounts.enter(connection, identity, way)))

    async def link(self, platform: str, user: str, person: Person) -> None:
        """Let a platform's user id be this person's, and no one else's."""
        identity = Identity(platform, user)
        await self._sql.write(lambda connection: accounts.attach(connection, identity, person.id, "approved"))

    async def unlink(self, identity: Identity) -> tuple[Person, tuple[Identity, ...]]:
        """Let an account be a new unnamed person's, that still may talk. Returns it, and the accounts that keep the memory.

        Raises `CannotError`.
        """

        def work(connection: Connection) -> tuple[Person, tuple[Identity, ...]]:
            alone, kept = accounts.separate(connection, identity)
            return one(connection, alone), kept

        return await self._sql.write(work)

    async def list(self) -> Sequence[roster.Listed]:
        """Everybody, blocked ones too, by number."""
        return await self._sql.read(roster.everybody)

    async def find(self, who: str) -> Person:
        """A person by name, by `platform:id`, or by number. Raises `CannotError`."""
        return await self._sql.read(lambda connection: one(connection, roster.find(connection, who)))

    async def block(self, who: str) -> Person:
        """Let a person talk no more; an account that nobody knows yet may be named as well. Raises `CannotError`."""
        blocked = await self._sql.write(lambda connection: one(connection, roster.block(connection, who, self.owner.id)))
        await self.changed()
        for silence in self._silencers:
            await silence(blocked)
        return blocked

    async def unblock(self, who: str) -> Person:
        """Let a person talk again. Raises `CannotError`."""
        freed = await self._sql.write(lambda connection: one(connection, roster.unblock(connection, who)))
        await self.changed()
        return freed

    async def set_language(self, person: Person, language: Literal["en", "fr"] | None) -> None:
        """What a person is answered in; None: as they write."""
        chosen = update(people).where(people.c.id == person.id).values(language=language)
        await self._sql.write(lambda connection: connection.execute(chosen))
        await self.changed()

    async def set_private(self, person: Person, *, private: bool) -> None:
        """Whether nothing of what is said with a person is kept, what waits behind the command included."""
        unanswered = inbox.c.person_id == person.id, inbox.c.outcome.is_(None)

        def work(connection: Connection) -> None:
            connection.execute(update(people).where(people.c.id == person.id).values(private=private))
            if private:
                connection.execute(update(inbox).where(*unanswered).values(erase=True))

        await self._sql.write(work)
        await self.changed()

    async def moved(self, platform: str, chat: str, to: str) -> None:
        """A shared chat got a new id: conversations and rights go with it. Saying it again changes nothing."""
        await self.chats.moved(platform, chat, to)

    def audience(self, person: Person, message: Message) -> frozenset[str]:
        """Who reads the reply. A shared chat is a reader of its own, with nothing of any one person's, whoever asks."""
        if not message.private:
            names = self.chats.names(message.platform, message.chat)
            return frozenset({EVERYONE, *(f"chat:{message.platform}:{name}" for name in names)})
        readers = {EVERYONE, f"person:{person.id}"}
        if message.platform == "discord":
            readers |= {f"discord-role:{role}" for role in message.roles}
        return frozenset(readers | {OWNER} if person.owner else readers)

    def resolve_readers(self, names: Sequence[str]) -> frozenset[str]:
        """The reader strings of a collection's `readers`. Raises `SettingsError` for a person that is not declared."""
        return frozenset(self._resolve(name) for name in names)

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
    """A person from the columns `PERSON`."""
    return Person(row.id, row.name, row.owner, cast("Literal['en', 'fr'] | None", row.language), row.private)


def one(connection: Connection, person: int) -> Person:
    """The person of that number."""
    return as_person(connection.execute(_ONE, {"person": person}).one())


_ONE = select(*PERSON).where(people.c.id == bindparam("person"))
_SETTLED = select(*PERSON, people.c.blocked).where(people.c.name.is_not(None) | people.c.owner).order_by(people.c.id)


def _account(uid: int) -> str | None:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return None
