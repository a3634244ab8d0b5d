"""Everybody the house knows, as the owner sees them: listed, found by what they are called, blocked and let back in."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, select, update

from bot.errors import CannotError
from bot.people import identities as accounts
from bot.people.identities import Identity, Way
from bot.tables import codes, identities, people

if TYPE_CHECKING:
    from sqlalchemy import Connection

_NUMBER_DIGITS = 18


@dataclass(frozen=True, slots=True)
class Listed:
    """A person as the owner sees them. `ways` says how each of the identities got in, in their order."""

    id: int
    name: str | None
    owner: bool
    active: bool
    blocked: bool
    identities: tuple[Identity, ...]
    ways: tuple[Way, ...]


def everybody(connection: Connection) -> list[Listed]:
    """All people, by number; those without anything left are not shown."""
    theirs: defaultdict[int, list[tuple[Identity, Way]]] = defaultdict(list)
    for row in connection.execute(select(identities).order_by(identities.c.platform, identities.c.user)):
        theirs[row.person_id].append((Identity(row.platform, row.user), row.way))
    columns = people.c.id, people.c.name, people.c.owner, people.c.active, people.c.blocked
    return [
        Listed(*row, tuple(one for one, _ in theirs[row.id]), tuple(way for _, way in theirs[row.id]))
        for row in connection.execute(select(*columns).order_by(people.c.id))
        if row.active or row.blocked or theirs[row.id]
    ]


def find(connection: Connection, who: str) -> int:
    """The number of a person by name, by `platform:id`, or by number. Raises `CannotError`."""
    found = _find(connection, who)
    if found is None:
        raise CannotError("nobody", who=who)
    return found


def block(connection: Connection, who: str, owner: int) -> int:
    """Block a person, or an account that nobody knows yet; codes of theirs are void. Raises `CannotError` for the owner."""
    identity, number = accounts.parsed(who), _find(connection, who)
    if number is None and identity is not None:
        number = accounts.newcomer(connection)
        accounts.attach(connection, identity, number, "allowed")
    if number is None:
        raise CannotError("nobody", who=who)
    row = connection.execute(select(people).where(people.c.id == number)).one()
    if number == owner or (row.owner and row.name is not None):
        raise CannotError("block_owner")
    for one in accounts.of_person(connection, number):
        connection.execute(delete(codes).where(codes.c.platform == one.platform, codes.c.user == one.user))
    connection.execute(delete(codes).where(codes.c.person_id == number))
    connection.execute(update(people).where(people.c.id == number).values(blocked=True))
    return number


def unblock(connection: Connection, who: str) -> int:
    """Let a person talk again, as far as they might before. Raises `CannotError`."""
    number = find(connection, who)
    connection.execute(update(people).where(people.c.id == number).values(blocked=False))
    return number


def _find(connection: Connection, who: str) -> int | None:
    who = who.strip()
    named = connection.execute(select(people.c.id).where(people.c.name == who)).scalar()
    if named is not None:
        return int(named)
    identity = accounts.parsed(who)
    if identity is not None:
        held = accounts.holder(connection, identity)
        return int(held.person_id) if held else None
    number = who.removeprefix("#")
    if not (number.isascii() and number.isdigit() and len(number) <= _NUMBER_DIGITS):
        return None
    return connection.execute(select(people.c.id).where(people.c.id == int(number))).scalar()
