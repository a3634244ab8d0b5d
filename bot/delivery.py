"""From a committed reply to its last acknowledged part: in order, and never a second time what may have arrived."""

from __future__ import annotations

import asyncio
import logging
import time
from itertools import chain, repeat
from typing import TYPE_CHECKING, TypeVar

from adapters.types import NotSentError, RefusedError, UnknownError
from bot.errors import DatabaseError, told
from knowledge.failpoints import failpoint

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from adapters.types import Part
    from bot.doors import Door
    from bot.inbox import Inbox
    from bot.inbox_rows import Pending

T = TypeVar("T")

RETRY_S = (1.0, 5.0, 30.0, 120.0)
"""Seconds before each further try; the last one again and again."""

_log = logging.getLogger(__name__)


async def insist(write: Callable[[], Awaitable[T]], retry_s: Sequence[float], told: Callable[[DatabaseError], None]) -> T:
    """Write until the disk takes it: what was done must not be done again because it could not be written down."""
    for wait in _waits(retry_s):
        try:
            return await write()
        except DatabaseError as error:
            told(error)
            await asyncio.sleep(wait)
    raise AssertionError("the waits never end")


class Delivery:
    """Sends the parts of committed replies."""

    def __init__(self, inbox: Inbox, retry_s: Sequence[float] = RETRY_S) -> None:
        self._inbox = inbox
        self._retry_s = retry_s

    async def deliver(self, pending: Pending, door: Door) -> None:
        """Send what is not acknowledged yet, with the same key each time: after a crash, too."""
        waiting = await insist(lambda: self._inbox.parts(pending.id), self._retry_s, _untold)
        for place, (ordinal, part) in enumerate(waiting, 1):
            state, platform_id = await self._send(pending, door, part, f"{pending.id}.{ordinal}")
            last = place == len(waiting) or state == "refused"
            await self._acknowledge(pending.id, ordinal, state, platform_id, last=last)
            if last:
                return

    async def _send(self, pending: Pending, door: Door, part: Part, key: str) -> tuple[str, str | None]:
        """How it ended: `sent` and the platform's id, `unknown`, or `refused`."""
        for wait in _waits(self._retry_s):
            failpoint("send.before")
            try:
                sent = await door.send(pending.message, part, key)
            except NotSentError as error:
                if time.time() > pending.expires_at:
                    _log.warning("gave up sending message=%d: %s", pending.id, error)
                    return "refused", None
                await asyncio.sleep(max(wait, error.retry_after or 0))
            except RefusedError as error:
                _log.warning("reply refused message=%d: %s", pending.id, error)
                return "refused", None
            except UnknownError as error:
                _log.warning("reply may not have arrived message=%d: %s", pending.id, error)
                return "unknown", None
            except Exception as error:  # noqa: BLE001 -- a door's own fault must not stop the lane; what it had sent by then, nobody knows
                _log.error("sending failed message=%d error=%s", pending.id, told(error))
                return "unknown", None
            else:
                failpoint("send.after")
                return "sent", sent
        raise AssertionError("the waits never end")

    async def _acknowledge(self, id_: int, ordinal: int, state: str, platform_id: str | None, *, last: bool) -> None:
        await insist(lambda: self._inbox.close_part(id_, ordinal, state, platform_id, last=last), self._retry_s, _untold)


def _waits(retry_s: Sequence[float]) -> Iterator[float]:
    return chain(retry_s, repeat(retry_s[-1]))


def _untold(error: DatabaseError) -> None:
    _log.error("cannot write down what was sent: %s", error)
