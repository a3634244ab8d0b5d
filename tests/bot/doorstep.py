"""A gate with its people and codes on a real database, and a clock that is put forward by hand."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from pydantic import Field

from adapters.config import Id, PlatformConfig
from adapters.types import Message, Said
from bot.database.database import Database
from bot.inbox import Inbox, space_of
from bot.inbox_rows import Pending
from bot.people.codes import Codes
from bot.people.gate import Gate
from bot.people.identities import Identity
from bot.people.people import People, Person
from bot.settings.fields import LimitsConfig, PersonConfig

ANNA, BEN = PersonConfig(name="anna", owner=True), PersonConfig(name="ben")
_CODE = re.compile(r"\b[0-9A-Z]{5}-[0-9A-Z]{5}-[0-9A-Z]{5}\b")
_numbers = count(1)


class Guilds(PlatformConfig):
    """The settings of a platform with guilds and roles."""

    allow_guilds: list[Id] = Field(default=[])
    allow_roles: list[Id] = Field(default=[])


@dataclass
class Clock:
    now: float = field(default_factory=time.time)

    def __call__(self) -> float:
        return self.now


def message(user: str, text: str = "hello", **more: Any) -> Message:
    fields = {"platform": "telegram", "private": True, "chat": user, **more}
    return Message(account="bot", id=str(next(_numbers)), sender=user, text=text, **fields)


def code_of(said: object) -> str:
    """The code in what was said."""
    assert isinstance(said, Said), said
    found = _CODE.search(said.text)
    assert found is not None, said.text
    return found[0]


@dataclass
class Doorstep:
    database: Database
    people: People
    codes: Codes
    gate: Gate
    clock: Clock
    inbox: Inbox

    async def says(self, user: str, text: str = "hello", **more: Any) -> Person | Said | None:
        return await self.gate.admit(message(user, text, **more))

    async def person(self, user: str, **more: Any) -> Person:
        """Who this account is let in as."""
        found = await self.says(user, **more)
        assert isinstance(found, Person), found
        return found

    async def paired(self, user: str, **more: Any) -> Person:
        """Let a stranger in by their code."""
        await self.codes.approve(code_of(await self.says(user, **more)), "owner")
        return await self.person(user, **more)

    async def stored(self, person: Person, text: str, **more: Any) -> Pending:
        """A message of this person, in the inbox."""
        one = message(more.pop("user", "7"), text, **more)
        arrived = await self.inbox.receive(one, person, self.clock() + 60)
        return Pending(arrived.id, one, person, arrived.conversation_id, space_of(one), 0, 0)

    async def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        found = await self.database.read(lambda connection: connection.exec_driver_sql(sql, values).all())
        return [tuple(row) for row in found]

    def named(self, name: str) -> Person:
        found = self.people.named(name)
        assert found is not None
        return found

    async def owner_of(self, user: str, platform: str = "telegram") -> int | None:
        known = await self.people.known(Identity(platform, user))
        return known.person.id if known else None


async def person_of(people: People, platform: str, user: str) -> Person | None:
    """The person behind a platform's user id, None for a stranger and for who is blocked."""
    known = await people.known(Identity(platform, user))
    return known.person if known and known.active and not known.blocked else None


@asynccontextmanager
async def opened(
    folder: Path, declared: Sequence[PersonConfig] = (ANNA, BEN), *, limits: dict[str, int] | None = None, **config: Any
) -> AsyncIterator[Doorstep]:
    """`config` is that of Telegram and of Discord; Discord alone has `allow_guilds` and `allow_roles`."""
    common = {name: value for name, value in config.items() if name not in {"allow_guilds", "allow_roles"}}
    platforms = {"telegram": PlatformConfig(**common), "discord": Guilds(**config)}
    database, clock = await Database.open(folder / "grillon.db"), Clock()
    people, told = People(database), LimitsConfig.model_validate(limits or {"person_minute": 10_000, "person_day": 10_000})
    codes = Codes(database, people, clock)
    gate = Gate(database, people, codes, platforms, told, clock=clock)
    await people.declare(declared)
    try:
        yield Doorstep(database, people, codes, gate, clock, Inbox(database, told))
    finally:
        await database.close()
