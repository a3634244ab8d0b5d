"""Which account of a platform is whose. Everything here happens in a transaction of its caller, and knows people by number.

An account got in by a way: the `settings` name it, its code was `approved`, or an allow-list has it `allowed`: that alone is
looked up again with every message. People that the settings declare, and owners, are settled: they are never made one.
"""

from __future__ import annotations

import re
import secrets
import time
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from sqlalchemy import Row, bindparam, delete, exists, func, or_, select, update
from sqlalchemy.dialects.sqlite import insert

from bot.errors import CannotError
from bot.people.conversations import give_all
from bot.tables import identities, meta, people

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import ColumnElement, Connection

Way = Literal["settings", "approved", "allowed"]

JOINED = "joined:"
"""Begins the keys of `meta` that say whose a person became, by that person's random key."""

_WRITTEN = re.compile(r"([a-z]+):(\S+)")
_SETTLED = (people.c.owner | people.c.name.is_not(None)).label("settled")
_OURS = identities.c.platform == bindparam("p"), identities.c.user == bindparam("u")
_HOLDER = select(identities.c.person_id, identities.c.way, people.c.active, people.c.blocked, _SETTLED).join(people).where(*_OURS)


class Identity(NamedTuple):
    """An account of a platform. `user` is the platform's own id."""

    platform: str
    user: str

    def __str__(self) -> str:
        return f"{self.platform}:{self.user}"


def parsed(text: str) -> Identity | None:
    """The identity in `telegram:123`, None where there is none."""
    match = _WRITTEN.fullmatch(text.strip())
    return Identity(match[1], match[2]) if match else None


def new_key() -> str:
    """A random key: what a person is remembered by, once forgotten, without saying who it was."""
    return secrets.token_hex(16)


def holder(connection: Connection, identity: Identity) -> Row[Any] | None:
    """Whose an account is: `person_id`, `way`, `active`, `blocked`, `settled`. None when it is nobody's."""
    return connection.execute(_HOLDER, {"p": identity.platform, "u": identity.user}).first()


def of_person(connection: Connection, person: int) -> tuple[Identity, ...]:
    """The accounts of a person."""
    found = select(identities.c.platform, identities.c.user).where(identities.c.person_id == person)
    return tuple(Identity(*row) for row in connection.execute(found.order_by(identities.c.platform, identities.c.user)))


def newcomer(connection: Connection, **chosen: object) -> int:
    """A new unnamed person."""
    values = {"owner": False, "key": new_key(), "active": True, "created_at": time.time(), **chosen}
    return int(connection.execute(people.insert().values(values)).lastrowid)


def attach(connection: Connection, identity: Identity, person: int, way: Way) -> None:
    """Let an account be this person's, and no one else's."""
    values = {"platform": identity.platform, "user": identity.user, "created_at": time.time()}
    set_ = {"person_id": person, "way": way}
    statement = insert(identities).values(values | set_)
    connection.execute(statement.on_conflict_do_update(index_elements=["platform", "user"], set_=set_))
    _vouch(connection, person)


def enter(connection: Connection, identity: Identity, way: Way) -> int:
    """Let an account in: as who it is, else as a new unnamed person. Returns the person's number.

    Whom the settings do not declare any more comes back as somebody new.
    """
    held = holder(connection, identity)
    if held is not None and held.active:
        if held.way == "allowed":
            attach(connection, identity, held.person_id, way)
        return int(held.person_id)
    person = newcomer(connection)
    attach(connection, identity, person, way)
    return person


def vouched(connection: Connection, person: int) -> bool:
    """Whether somebody said of this person that they may talk here; else an allow-list alone lets them in."""
    settled = exists().where(people.c.id == person, _SETTLED.element)
    said = exists().where(identities.c.person_id == person, identities.c.way != "allowed")
    return bool(connection.execute(select(or_(settled, said))).scalar())


def join(connection: Connection, identity: Identity, into: int) -> None:
    """Let a known account be that person's. When it was all that its former person had, the two become one."""
    held = holder(connection, identity)
    if held is None or held.person_id == into:
        return
    if held.settled or len(of_person(connection, held.person_id)) > 1:
        connection.execute(_of(identity, person_id=into))
    else:
        _merge(connection, held.person_id, into)
    _vouch(connection, into)


def separate(connection: Connection, identity: Identity) -> tuple[int, tuple[Identity, ...]]:
    """Let an account be a new unnamed person's, with what the former one chose and nothing of what was said.

    Returns the new person and the accounts that the former one keeps. Raises `CannotError`.
    """
    held = holder(connection, identity)
    if held is None or held.way == "settings":
        raise CannotError("unlink_settings" if held else "unlink_unknown")
    kept = tuple(other for other in of_person(connection, held.person_id) if other != identity)
    if not kept and not held.settled:
        raise CannotError("unlink_alone")
    chosen = connection.execute(select(people.c.language, people.c.private).where(people.c.id == held.person_id)).one()
    alone = newcomer(connection, language=chosen.language, private=chosen.private)
    connection.execute(_of(identity, person_id=alone))
    return alone, kept


def declare(connection: Connection, declared: Mapping[Identity, int]) -> None:
    """Make the accounts that the settings name agree with them. One that they do not name any more is nobody's.

    Where its person was blocked it stays so, as somebody without a name.
    """
    named = select(identities.c.platform, identities.c.user, people.c.blocked).join(people).where(identities.c.way == "settings")
    for row in connection.execute(named).all():
        identity = Identity(row.platform, row.user)
        if identity not in declared and row.blocked:
            attach(connection, identity, newcomer(connection, blocked=True), "allowed")
        elif identity not in declared:
            connection.execute(delete(identities).where(*_is(identity)))
    for identity, person in declared.items():
        join(connection, identity, person)
        attach(connection, identity, person, "settings")


def _vouch(connection: Connection, person: int) -> None:
    """Let whoever somebody vouched for talk by every account they have."""
    if vouched(connection, person):
        allowed = identities.c.person_id == person, identities.c.way == "allowed"
        connection.execute(update(identities).where(*allowed).values(way="approved"))


def _merge(connection: Connection, former: int, into: int) -> None:
    """Make two people one: accounts, conversations, messages. The one that goes is found when the other is forgotten."""
    gone = connection.execute(select(people).where(people.c.id == former)).one()
    connection.execute(update(identities).where(identities.c.person_id == former).values(person_id=into))
    give_all(connection, former, into)
    language = func.coalesce(people.c.language, gone.language)
    chosen = {"language": language, "private": people.c.private | gone.private}
    connection.execute(update(people).where(people.c.id == into).values(chosen))
    connection.execute(update(meta).where(meta.c.key.startswith(JOINED), meta.c.value == str(former)).values(value=str(into)))
    connection.execute(meta.insert().values(key=f"{JOINED}{gone.key}", value=str(into)))
    connection.execute(delete(people).where(people.c.id == former))


def _is(identity: Identity) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return identities.c.platform == identity.platform, identities.c.user == identity.user


def _of(identity: Identity, **values: object) -> Any:  # noqa: ANN401 -- an update
    return update(identities).where(*_is(identity)).values(**values)
