"""Bearer tokens of the HTTP door: shown once, stored hashed, each belonging to a person."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, select
from sqlalchemy.dialects.sqlite import insert

from bot.errors import SettingsError
from bot.people.people import PERSON, Person, as_person
from bot.tables import people, tokens

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from knowledge.types import Sql

PREFIX = "grn_"
_NAME = re.compile(r"[\w.@-]{1,64}")
_LONGEST = 200
"""Characters of a secret that are looked at."""


@dataclass(frozen=True, slots=True)
class Token:
    """What is known of a token: all but the secret. `person` is None once that person is not declared any more, or blocked."""

    name: str
    person: Person | None
    created_at: float


class Tokens:
    """The tokens in force. They are few, so that all are kept in memory; `load` reads them again."""

    def __init__(self, sql: Sql) -> None:
        self._sql = sql
        self._people: dict[bytes, Person] = {}

    async def load(self) -> None:
        """Read the tokens in force from the database: at start, and whenever people change."""
        self._people = await self._sql.read(_in_force)

    async def create(self, name: str, person: Person) -> str:
        """A new token, returned this once. Raises `SettingsError` when the name is taken or not a name."""
        if not _NAME.fullmatch(name):
            raise SettingsError(f"{name!r} cannot name a token: 1 to 64 letters, digits, and . @ - _")
        secret = PREFIX + secrets.token_urlsafe(32)
        values = {"name": name, "digest": _digest(secret), "person_id": person.id, "created_at": time.time()}
        statement = insert(tokens).values(values).on_conflict_do_nothing(index_elements=["name"])
        if not await self._sql.write(lambda connection: connection.execute(statement).rowcount):
            raise SettingsError(f"There is a token called {name} already: revoke it with “grillon token revoke {name}” first.")
        await self.load()
        return secret

    async def person(self, secret: str) -> Person | None:
        """The person a secret belongs to. The same work whether it is unknown, revoked, malformed or right.

        A secret has 256 random bits, so a fast hash is enough; every stored digest is compared in constant time.
        """
        digest, found = _digest(secret), None
        for stored, person in self._people.items():
            if hmac.compare_digest(stored, digest):
                found = person
        return found

    async def revoke(self, name: str) -> bool:
        """End a token, effective with the next request. False when there is none of that name."""
        statement = delete(tokens).where(tokens.c.name == name)
        revoked = await self._sql.write(lambda connection: connection.execute(statement).rowcount)
        await self.load()
        return bool(revoked)

    async def list(self) -> list[Token]:
        """All tokens, by name."""
        return await self._sql.read(_all)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret[:_LONGEST].encode(errors="surrogatepass")).digest()


_IN_FORCE = (people.c.active & ~people.c.blocked).label("in_force")
_JOINED = select(tokens.c.name.label("token"), tokens.c.digest, tokens.c.created_at, _IN_FORCE).join(people)
_JOINED = _JOINED.add_columns(*PERSON).order_by(tokens.c.name)


def _in_force(connection: Connection) -> dict[bytes, Person]:
    return {row.digest: as_person(row) for row in connection.execute(_JOINED) if row.in_force}


def _all(connection: Connection) -> list[Token]:
    rows = connection.execute(_JOINED)
    return [Token(row.token, as_person(row) if row.in_force else None, row.created_at) for row in rows]
