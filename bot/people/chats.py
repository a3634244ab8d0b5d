"""Shared chats that got a new id: conversations go with them, and what the settings grant to the old id holds for the new one."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.dialects.sqlite import insert

from bot.people.conversations import rename
from bot.tables import ledger

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from knowledge.types import Sql

MOVED = "moved:"
"""Begins the keys of a platform's ledger that say where a chat went, by its old id."""


class Chats:
    """The ids by which each chat was ever known. `load` reads them at start."""

    def __init__(self, sql: Sql) -> None:
        self._sql = sql
        self._former: dict[tuple[str, str], set[str]] = {}

    async def load(self) -> None:
        """Read from the database which chats moved."""
        self._former = await self._sql.read(_former)

    async def moved(self, platform: str, chat: str, to: str) -> None:
        """A chat got a new id. Saying it again changes nothing; only a platform's own event may say it."""
        if chat == to:
            return
        await self._sql.write(lambda connection: _move(connection, platform, chat, to))
        await self.load()

    def names(self, platform: str, chat: str) -> frozenset[str]:
        """All ids of a chat: this one, and those it had before."""
        found, left = {chat}, [chat]
        while left:
            older = self._former.get((platform, left.pop()), set()) - found
            found |= older
            left += older
        return frozenset(found)


def _move(connection: Connection, platform: str, chat: str, to: str) -> None:
    rename(connection, f"{platform}:{chat}", f"{platform}:{to}")
    statement = insert(ledger).values(platform=platform, key=f"{MOVED}{chat}", value=to)
    connection.execute(statement.on_conflict_do_update(index_elements=["platform", "key"], set_={"value": to}))


def _former(connection: Connection) -> dict[tuple[str, str], set[str]]:
    found: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for row in connection.execute(select(ledger).where(ledger.c.key.startswith(MOVED))):
        found[row.platform, row.value].add(row.key.removeprefix(MOVED))
    return dict(found)
