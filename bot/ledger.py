"""What a platform has to know again after a restart: cursors, counters, waits. A few short texts by key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import bindparam, delete, select
from sqlalchemy.dialects.sqlite import insert

from bot.tables import ledger

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from knowledge.types import Sql

_GET = select(ledger.c.value).where(ledger.c.platform == bindparam("of"), ledger.c.key == bindparam("named"))
_ALL = select(ledger.c.key, ledger.c.value).where(
    ledger.c.platform == bindparam("of"), ledger.c.key.startswith(bindparam("begins"), autoescape=False)
)
_REMOVE = delete(ledger).where(ledger.c.platform == bindparam("of"), ledger.c.key == bindparam("named"))


class Ledger:
    """The ledger of one platform."""

    def __init__(self, sql: Sql, platform: str) -> None:
        self._sql = sql
        self._platform = platform

    async def get(self, key: str) -> str | None:
        """The value of a key, None when it has none."""
        values = {"of": self._platform, "named": key}
        return await self._sql.read(lambda connection: connection.execute(_GET, values).scalar())

    async def put(self, key: str, value: str | None) -> None:
        """Set a value, lasting; None removes it."""
        await self._sql.write(lambda connection: write_mark(connection, self._platform, key, value))

    async def all(self, prefix: str) -> dict[str, str]:
        """All keys that begin so, with their values."""
        rows = await self._sql.read(lambda connection: connection.execute(_ALL, {"of": self._platform, "begins": prefix}).all())
        return {row.key: row.value for row in rows if row.key.startswith(prefix)}


def write_mark(connection: Connection, platform: str, key: str, value: str | None) -> None:
    """Set or remove a value, in the transaction of something else."""
    if value is None:
        connection.execute(_REMOVE, {"of": platform, "named": key})
        return
    statement = insert(ledger).values(platform=platform, key=key, value=value)
    connection.execute(statement.on_conflict_do_update(index_elements=["platform", "key"], set_={"value": value}))
