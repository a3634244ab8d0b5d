"""From a committed reply to its last acknowledged part: in order, and never a second time what may have arrived.

A notice alone, which says that an answer may not have arrived, goes once more when it may be lost itself: read twice it does no
harm, and without it a person would wait for ever.
"""

from __future__ import annotations

import asyncio
import logging
import time
from itertools import chain, repeat
from typing import TYPE_CHECKING, TypeVar

from adapters.types import NotSentError, RefusedError, Reply, UnknownError
from bot.errors import DatabaseError, told
from bot.speech.chosen_language import language_for
from bot.speech.sentences import say
from knowledge.failpoints import failpoint

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from adapters.types import Part
    from bot.doors import Door
    from bot.inbox_rows import Pending
    from bot.outbox import Outbox, Outgoing
    from bot.speech.sentences import Language

T = TypeVar("T")

RETRY_S = (1.0, 5.0, 30.0, 120.0)
"""Seconds before each further try; the last one again and again."""

_PATIENCE_S = 3600.0
"""What expired is tried that long all the same: after a night without power the platforms are not even connected yet."""

_LONGEST_S = 5.0
"""Between two tries to send what surely did not arrive, unless the platform asks for more: an outage may be over any moment."""

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
    """Sends the parts of committed replies. `language`: that of its own sentences, where nothing says another.

    `sent` is told the platform and how the sending of each part ended; `patience_s`: how long each part is tried at least.
    """

    def __init__(
        self,
        outbox: Outbox,
        retry_s: Sequence[float] = RETRY_S,
        *,
        language: Language = "en",
        sent: Callable[[str, str], None] | None = None,
        patience_s: float = _PATIENCE_S,
    ) -> None:
        self._outbox = outbox
        self._retry_s = retry_s
        self._patience_s = patience_s
        self._language: Language = language
        self._sent = sent

    async def deliver(self, pending: Pending, door: Door) -> None:
        """Send what is not acknowledged yet, with the same key each time: after a crash, too."""
        noticed = True
        while noticed:
            noticed = False
            for outgoing in await self._insist(lambda: self._outbox.parts(pending.id)):
                state, platform_id = await self._send(pending, door, outgoing)
                notice = await self._notice(pending, door) if state == "unknown" and not outgoing.notice else ()
                noticed = noticed or bool(notice)
                await self._close(pending.id, outgoing.ordinal, state, platform_id, notice)
                if self._sent is not None:
                    self._sent(pending.message.platform, state)
                if state == "refused":
                    return

    async def _send(self, pending: Pending, door: Door, outgoing: Outgoing) -> tuple[str, str | None]:
        """How it ended: `sent` and the platform's id, `unknown`, or `refused`."""
        tried_at, once_more = outgoing.tried_at, outgoing.notice
        patient_until = time.monotonic() + self._patience_s
        for wait in _waits(self._retry_s):
            await self._insist(lambda: self._outbox.begin(pending.id, outgoing.ordinal))
            try:
                return "sent", await self._try(pending, door, outgoing, tried_at)
            except NotSentError as error:
                if time.time() > pending.expires_at and time.monotonic() > patient_until:
                    _log.warning("gave up sending message=%d: %s", pending.id, error)
                    return "refused", None
                if tried_at is None:
                    await self._insist(lambda: self._outbox.put_back(pending.id, outgoing.ordinal))
                await asyncio.sleep(max(min(wait, _LONGEST_S), error.retry_after or 0))
            except RefusedError as error:
                _log.warning("reply refused message=%d: %s", pending.id, error)
                return "refused", None
            except UnknownError as error:
                _log.warning("reply may not have arrived message=%d: %s", pending.id, error)
                if not once_more:
                    return "unknown", None
                tried_at, once_more = None, False
                await asyncio.sleep(wait)
            except Exception as error:  # noqa: BLE001 -- a door's own fault must not stop the lane; what it had sent by then, nobody knows
                _log.error("sending failed message=%d error=%s", pending.id, told(error))
                return "unknown", None
        raise AssertionError("the waits never end")

    async def _try(self, pending: Pending, door: Door, outgoing: Outgoing, tried_at: float | None) -> str | None:
        failpoint("send.before")
        key = f"{pending.id}.{outgoing.ordinal}"
        tried_s = None if tried_at is None else max(time.time() - tried_at, 0.0)
        sent = await door.send(pending.origin, outgoing.part, key, tried_s=tried_s)
        failpoint("send.after")
        return sent

    async def _notice(self, pending: Pending, door: Door) -> Sequence[Part]:
        """The parts that say, once, that something may not have arrived."""
        language = language_for(pending.message, pending.person, self._language)
        reply = Reply(say("may_not_have_arrived", language), language=language, error="may_not_have_arrived")
        return await cut(pending, door, reply)

    async def _close(self, id_: int, ordinal: int, state: str, platform_id: str | None, notice: Sequence[Part]) -> None:
        await self._insist(lambda: self._outbox.close(id_, ordinal, state, platform_id, notice=notice))

    async def _insist(self, write: Callable[[], Awaitable[T]]) -> T:
        return await insist(write, self._retry_s, _untold)


async def cut(pending: Pending, door: Door, reply: Reply) -> Sequence[Part]:
    """The parts of a reply. Without any it can still be fetched."""
    try:
        return await asyncio.to_thread(door.parts, pending.origin, reply)
    except Exception as error:  # noqa: BLE001 -- a fault of the door's own: the reply is kept, and the lane goes on
        _log.error("reply could not be cut message=%d error=%s", pending.id, told(error))
        return ()


def _waits(retry_s: Sequence[float]) -> Iterator[float]:
    return chain(retry_s, repeat(retry_s[-1]))


def _untold(error: DatabaseError) -> None:
    _log.error("cannot write down what was sent: %s", error)
