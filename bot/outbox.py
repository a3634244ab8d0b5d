"""The parts of a reply, from the commit of the answer until each is acknowledged.

waiting -> sending -> sent, unknown or refused. Each arrow is committed, so that after a crash it is known of every part whether
it may have arrived: `sending` says so before the platform is called.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, func, insert, literal, select, update

from bot.forget import DAY_S, erase_finished
from bot.stored import SPENT, dump_part, load_part
from bot.tables import inbox, outbox
from knowledge.failpoints import failpoint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from adapters.types import Part
    from bot.database.database import Database
    from bot.settings.fields import LimitsConfig

_OF = outbox.c.inbox_id == bindparam("of")
_THIS = (_OF, outbox.c.ordinal == bindparam("place"))
_OPEN = outbox.c.state.in_(("waiting", "sending"))
_PARTS = select(outbox.c.ordinal, outbox.c.payload, outbox.c.tried_at, outbox.c.notice).where(_OF, _OPEN)
_TRY = update(outbox).where(*_THIS).values(state="sending", tried_at=func.coalesce(outbox.c.tried_at, bindparam("at")))
_PUT_BACK = update(outbox).where(*_THIS).values(state="waiting", tried_at=None)
_CLOSE = (
    update(outbox).where(*_THIS).values(state=bindparam("new_state"), platform_id=bindparam("new_id"), closed_at=bindparam("at"))
)
_REFUSE_ALL = update(outbox).where(_OF, _OPEN).values(state="refused", closed_at=bindparam("at"))
_NOTED = select(func.count()).select_from(outbox).where(_OF, outbox.c.notice)
_LAST_PLACE = select(func.max(outbox.c.ordinal)).where(_OF)
_LEFT = select(literal(1)).where(_OF, _OPEN).limit(1)
_SENT = (
    update(inbox)
    .where(inbox.c.id == bindparam("inbox_id"))
    .values(state="sent", finished_at=bindparam("at"), message=func.json_remove(inbox.c.message, *SPENT))
    .returning(inbox.c.erase)
)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A part that is not acknowledged. `tried_at`: since then it may have arrived. `notice`: it says that of another part."""

    ordinal: int
    part: Part
    tried_at: float | None = None
    notice: bool = False


class Outbox:
    """What is still to be sent of each reply."""

    def __init__(self, database: Database, limits: LimitsConfig) -> None:
        self._database = database
        self._handled_s = limits.handled_days * DAY_S

    async def parts(self, id_: int) -> list[Outgoing]:
        """The parts of a reply that are not acknowledged, in order."""
        rows = await self._database.read(lambda connection: connection.execute(_PARTS, {"of": id_}).all())
        return [Outgoing(row.ordinal, load_part(row.payload), row.tried_at, row.notice) for row in sorted(rows)]

    async def begin(self, id_: int, ordinal: int) -> None:
        """A part is about to be sent: from now on it may have arrived."""
        values = {"of": id_, "place": ordinal, "at": time.time()}
        await self._database.write(lambda connection: connection.execute(_TRY, values))
        failpoint("send.begun")

    async def put_back(self, id_: int, ordinal: int) -> None:
        """A part surely did not arrive."""
        await self._database.write(lambda connection: connection.execute(_PUT_BACK, {"of": id_, "place": ordinal}))

    async def close(
        self, id_: int, ordinal: int, state: str, platform_id: str | None = None, *, notice: Sequence[Part] = ()
    ) -> None:
        """A part was `sent`, may have been (`unknown`), or was `refused`: then so are those behind it.

        `notice` is added behind all others, unless there is one. The last one closes the message, and erases it
        where that was asked for.
        """

        def work(connection: Connection) -> bool:
            now = time.time()
            connection.execute(_CLOSE, {"of": id_, "place": ordinal, "new_state": state, "new_id": platform_id, "at": now})
            if state == "refused":
                connection.execute(_REFUSE_ALL, {"of": id_, "at": now})
            if notice and not connection.execute(_NOTED, {"of": id_}).scalar():
                _add(connection, id_, notice)
            return not connection.execute(_LEFT, {"of": id_}).first() and self._sent(connection, id_, now)

        if await self._database.write(work):
            await self._database.empty_log()
        failpoint("send.acknowledged")

    def _sent(self, connection: Connection, id_: int, now: float) -> bool:
        found = connection.execute(_SENT, {"inbox_id": id_, "at": now}).first()
        return bool(found and found.erase and erase_finished(connection, id_, self._handled_s))


def store_parts(connection: Connection, id_: int, parts: Sequence[Part]) -> None:
    """Put the parts of a reply in, in the transaction that answers the message."""
    connection.execute(insert(outbox), [_row(id_, place, part) for place, part in enumerate(parts)])


def _add(connection: Connection, id_: int, notice: Sequence[Part]) -> None:
    last = connection.execute(_LAST_PLACE, {"of": id_}).scalar()
    if last is None:
        return  # the message was erased while its part was on its way
    rows = [{**_row(id_, place, part), "notice": True} for place, part in enumerate(notice, last + 1)]
    connection.execute(insert(outbox), rows)


def _row(id_: int, place: int, part: Part) -> dict[str, object]:
    return {"inbox_id": id_, "ordinal": place, "payload": dump_part(part), "state": "waiting"}
