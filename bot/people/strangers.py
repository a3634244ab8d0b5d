"""Who is not let in: told so once a day, with a code that the owner may approve; nothing but the account's id is kept of them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import exists, select, true
from sqlalchemy.dialects.sqlite import insert

from bot.people.codes import MOST_STRANGERS, VALID_S, issue
from bot.people.newest import keep_newest
from bot.tables import codes, strangers

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from bot.people.identities import Identity
    from knowledge.types import Sql

AGAIN_S = VALID_S["pair"]
"""Seconds until a stranger is told again: their code is worth nothing from then on."""


@dataclass(frozen=True, slots=True)
class Met:
    """A stranger who is to be told. `code` is theirs to give to the owner, None when there is none."""

    code: str | None


class Strangers:
    """The strangers of the last day, at most `MOST_STRANGERS` of them: who is new pushes out who came first."""

    def __init__(self, sql: Sql, clock: Callable[[], float] = time.time) -> None:
        self._sql = sql
        self._clock = clock

    async def meet(self, identity: Identity, *, code: bool) -> Met | None:
        """A stranger wrote; with `code` they are to get one. None when they were told already: then nothing is written."""
        now = self._clock()
        if not await self._sql.read(lambda connection: _due(connection, identity, now, code=code)):
            return None
        return await self._sql.write(lambda connection: _meet(connection, identity, now, code=code))


def _due(connection: Connection, identity: Identity, now: float, *, code: bool) -> bool:
    """Whether a stranger is told. Who was told in a shared chat still gets a code in a private one."""
    ours = codes.c.platform == identity.platform, codes.c.user == identity.user
    if code:
        held = exists().where(codes.c.purpose == "pair", *ours, codes.c.expires_at > now)
        return not connection.execute(select(held)).scalar()
    told = select(strangers.c.told_at).where(strangers.c.platform == identity.platform, strangers.c.user == identity.user)
    told_at = connection.execute(told).scalar()
    return told_at is None or told_at <= now - AGAIN_S


def _meet(connection: Connection, identity: Identity, now: float, *, code: bool) -> Met | None:
    if not _due(connection, identity, now, code=code):
        return None
    statement = insert(strangers).values(platform=identity.platform, user=identity.user, told_at=now)
    statement = statement.on_conflict_do_update(index_elements=["platform", "user"], set_={"told_at": now})
    connection.execute(statement)
    keep_newest(connection, strangers, MOST_STRANGERS, by=strangers.c.told_at, of=true())
    return Met(issue(connection, "pair", now, identity) if code else None)
