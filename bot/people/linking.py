"""Who becomes one person with whom, when an account sends a code; in the transaction that uses the code up.

People that the settings declare, and owners, are never made one, and make the code themselves. Whoever is let in by a code of
/link is let in by somebody whom the owner, or the settings, let in before: an allow-list vouches for nobody else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, select

from bot.errors import CannotError
from bot.people import identities as accounts
from bot.people.identities import Identity
from bot.tables import codes, people, strangers

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

    from bot.people.people import Person


@dataclass(frozen=True, slots=True)
class Party:
    """Who sent or made a code. `stored`: as the account of a platform, not as an account of this machine or a token."""

    person: int
    settled: bool
    stored: bool


def sender_of(connection: Connection, sender: Identity, person: Person | None) -> Party | None:
    """Who sent a code, None for a stranger. Raises `CannotError` for who is blocked."""
    held = accounts.holder(connection, sender)
    if held is not None and held.blocked:
        raise CannotError("code_wrong")
    if held is not None:
        return Party(held.person_id, held.settled, stored=True) if held.active else None
    return Party(person.id, person.owner or person.name is not None, stored=False) if person else None


def maker_of(connection: Connection, code: Row[Any]) -> Party:
    """Who made a code of /link, as long as it is still the same person, who may talk. Raises `CannotError`."""
    row = connection.execute(select(people).where(people.c.id == code.person_id, people.c.active, ~people.c.blocked)).first()
    held = accounts.holder(connection, Identity(code.platform, code.user))
    settled = row is not None and (row.owner or row.name is not None)
    if row is None or (held.person_id != row.id if held is not None else not settled):
        raise CannotError("code_wrong")
    return Party(row.id, settled, stored=held is not None)


def join(connection: Connection, sender: Identity, former: Party | None, maker: Party) -> int:
    """Let who sends a code be the person who made it. Returns who that is. Raises `CannotError`.

    Never the other way round: else whoever makes a code and talks an owner into sending it would be the owner.
    """
    if former is None:
        _let_in(connection, sender, maker.person)
    elif former.person == maker.person:
        pass
    elif former.settled and maker.settled:
        raise CannotError("link_declared")
    elif former.settled:
        raise CannotError("link_named")
    elif former.stored:
        accounts.join(connection, sender, maker.person)
    else:
        raise CannotError("code_wrong")
    return maker.person


def _let_in(connection: Connection, stranger: Identity, person: int) -> None:
    if not accounts.vouched(connection, person):
        raise CannotError("link_unknown")
    accounts.attach(connection, stranger, person, "approved")
    known_now(connection, stranger)


def known_now(connection: Connection, identity: Identity) -> None:
    """Who was let in is no stranger any more."""
    connection.execute(delete(strangers).where(strangers.c.platform == identity.platform, strangers.c.user == identity.user))
    theirs = codes.c.platform == identity.platform, codes.c.user == identity.user
    connection.execute(delete(codes).where(codes.c.purpose == "pair", *theirs))
