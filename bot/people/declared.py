"""Makes the stored people agree with those that the settings declare."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sqlalchemy import select, update
from sqlalchemy.dialects.sqlite import insert

from bot.people import identities as accounts
from bot.tables import people

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from bot.people.identities import Identity
    from bot.settings.fields import PersonConfig


def declare(connection: Connection, declared: Sequence[PersonConfig]) -> None:
    """Make the stored people and their accounts agree with the settings."""
    connection.execute(update(people).where(people.c.name.is_not(None)).values(active=False, owner=False, unix_user=None))
    named: dict[Identity, int] = {}
    for config in declared:
        settled = {"owner": config.owner, "unix_user": config.unix_user, "active": True}
        statement = insert(people).values(name=config.name, key=accounts.new_key(), created_at=time.time(), **settled)
        connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=settled))
        number = connection.execute(select(people.c.id).where(people.c.name == config.name)).scalar_one()
        named |= {identity: number for text in config.identities if (identity := accounts.parsed(text))}
    unnamed = select(people.c.id).where(people.c.owner, people.c.name.is_(None))
    if not any(config.owner for config in declared) and connection.execute(unnamed).first() is None:
        accounts.newcomer(connection, owner=True)
    accounts.declare(connection, named)
