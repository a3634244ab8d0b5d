"""One attempt at a message: lease it, let the answerer work, commit how it ended. A failed one says when to try again."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import aclosing
from typing import TYPE_CHECKING, Protocol

from adapters.types import Reply
from bot.delivery import cut, insist
from bot.doors import PullDoor
from bot.errors import DatabaseError, told
from bot.live import Finished, NewTurn, Outcome, Received, Restarted, Step, Waiting, Words
from bot.speech.chosen_language import language_for
from bot.speech.sentences import Language, say
from knowledge.failpoints import failpoint

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping, Sequence

    from adapters.types import Message, Part
    from bot.doors import Door
    from bot.follow import Live
    from bot.inbox import Inbox
    from bot.inbox_rows import Pending
    from bot.people.people import Person

    Dress = Callable[[Pending, Reply], Reply]

_log = logging.getLogger(__name__)


class Answerer(Protocol):
    """Makes the reply to a message."""

    def answer(self, received: Received) -> AsyncGenerator[Step | Words | Waiting | Restarted | Outcome]:
        """Yield signs of life and words, and last the `Outcome`.

        Closing it, or cancelling the task, closes the model's request. An exception is a fault of ours: the attempt counts, and
        another follows.
        """


class _InterruptedError(Exception):
    """The person stopped the attempt."""


class _EditedError(Exception):
    """The person edited the question meanwhile: it is offered again."""


class Attempts:
    """The attempts that run. `most`: how many one message gets; `retry_s`: seconds before the second, the third, …

    `dress` adds to a reply what a platform shows with it.
    """

    def __init__(
        self,
        inbox: Inbox,
        answerer: Answerer,
        doors: Mapping[str, Door],
        *,
        most: int,
        retry_s: Sequence[float],
        language: Language,
        dress: Dress | None = None,
    ) -> None:
        self._inbox = inbox
        self._dress = dress
        self._answerer = answerer
        self._doors = doors
        self._most = most
        self._retry_s = retry_s
        self._language: Language = language
        self._answering: dict[int, asyncio.Task[None]] = {}
        self._leasing: set[int] = set()
        self._interrupted: set[int] = set()
        self._edited: set[int] = set()

    async def make(self, pending: Pending, live: Live) -> float | None:
        """Answer a message. None when it is closed, or was erased; else the seconds before it is to be tried again."""
        hopeless = self._hopeless(pending)
        if hopeless is not None:
            await self.close(pending, live, hopeless[0], self.said(hopeless[1], pending.message, pending.person))
            return None
        self._leasing.add(pending.id)
        try:
            if not await self._lease(pending, live):
                live.publish(Finished(self.said("forgotten", pending.message, pending.person)))
                return None
            return await self._try(pending, live)
        finally:
            self._leasing.discard(pending.id)
            self._interrupted.discard(pending.id)
            self._edited.discard(pending.id)

    async def close(self, pending: Pending, live: Live, outcome: str, reply: Reply, turn: NewTurn | None = None) -> None:
        """Commit how a message ended, then let its followers see it. To a question that was withdrawn nothing is said."""
        silent = outcome == "withdrawn" and pending.live is None
        parts = () if silent else await self._parts(pending, reply)

        async def commit() -> bool:
            return await self._inbox.close(pending.id, outcome, reply, parts, turn)

        closed = await insist(commit, self._retry_s, live.fail)
        live.recover()
        live.publish(Finished(reply if closed else self.said("forgotten", pending.message, pending.person)))

    def interrupt(self, id_: int) -> bool:
        """Stop the attempt at a message. False when there is none, or when its end is being committed."""
        task = self._answering.get(id_)
        if task is None and id_ not in self._leasing:
            return False
        if task is not None and id_ not in self._interrupted | self._edited:  # a second one would look like the end of the daemon
            task.cancel()
        self._interrupted.add(id_)
        return True

    def again(self, id_: int) -> bool:
        """Offer a message again whose words have changed. False when there is no attempt, or when its end is being committed."""
        task = self._answering.get(id_)
        if task is None:
            return id_ in self._leasing
        if id_ not in self._interrupted | self._edited:
            task.cancel()
        self._edited.add(id_)
        return True

    async def beat(self) -> None:
        """Prove that the attempts run, and stop those whose message was erased meanwhile."""
        if not self._answering:
            return
        try:
            for erased in await self._inbox.beat(list(self._answering)):
                self.interrupt(erased)
        except DatabaseError as error:
            _log.warning("no heartbeat: %s", error)

    def said(self, sentence: str, message: Message | None, person: Person | None = None) -> Reply:
        """A sentence of ours as a reply, in the language of the message."""
        language = language_for(message, person, self._language)
        return Reply(say(sentence, language), error=sentence, language=language)

    def _hopeless(self, pending: Pending) -> tuple[str, str] | None:
        """Outcome and sentence for what is not to be tried any more."""
        if pending.attempts >= self._most:
            return "dead", "gave_up"
        if time.time() > pending.expires_at or pending.message.platform not in self._doors:
            return "expired", "expired"
        return None

    async def _lease(self, pending: Pending, live: Live) -> bool:
        leased = await insist(lambda: self._inbox.lease(pending.id), self._retry_s, live.fail)
        live.recover()
        pending.attempts += 1
        return leased

    async def _try(self, pending: Pending, live: Live) -> float | None:
        try:
            outcome = await self._interruptible(pending, live)
        except _InterruptedError:
            await self.close(pending, live, pending.end, self.said("cancelled", pending.message, pending.person))
        except _EditedError:
            await insist(lambda: self._inbox.give_back([pending.id]), self._retry_s, live.fail)
            pending.attempts -= 1
            live.publish(Restarted())
            return 0.0
        except Exception as error:  # noqa: BLE001 -- whatever the answerer may raise: the message must be answered all the same
            _log.error("attempt failed message=%d attempt=%d error=%s", pending.id, pending.attempts, told(error))
            return await self._failed(pending, live)
        else:
            await self.close(pending, live, "answered", outcome.reply, outcome.turn)
        return None

    async def _failed(self, pending: Pending, live: Live) -> float | None:
        if pending.attempts >= self._most:
            await self.close(pending, live, "dead", self.said("gave_up", pending.message, pending.person))
            return None
        wait = self._retry_s[min(pending.attempts, len(self._retry_s)) - 1]
        await insist(lambda: self._inbox.fail(pending.id, time.time() + wait), self._retry_s, live.fail)
        live.recover()
        pending.alone = False
        live.publish(Restarted())
        return wait

    async def _interruptible(self, pending: Pending, live: Live) -> Outcome:
        """The outcome; `_InterruptedError` when a person, not the end of the daemon, cancelled this task meanwhile."""
        task = asyncio.current_task()
        assert task is not None
        self._leasing.discard(pending.id)
        if pending.id in self._interrupted:
            raise _InterruptedError
        self._answering[pending.id] = task
        try:
            return await self._answer(pending, live)
        except asyncio.CancelledError:
            if pending.id not in self._interrupted | self._edited or task.uncancel():
                raise
            raise (_InterruptedError if pending.id in self._interrupted else _EditedError) from None
        finally:
            del self._answering[pending.id]

    async def _answer(self, pending: Pending, live: Live) -> Outcome:
        received = Received(
            pending.id,
            pending.message,
            pending.person,
            pending.conversation_id,
            pending.space,
            pending.attempts,
            pending.received_at,
        )
        point = "answer.first_words"
        async with aclosing(self._answerer.answer(received)) as events:
            async for event in events:
                if isinstance(event, Outcome):
                    return event
                live.publish(event)
                if isinstance(event, Words):
                    failpoint(point)
                    point = "answer.mid_stream"
        raise RuntimeError("the answerer ended without an outcome")

    async def _parts(self, pending: Pending, reply: Reply) -> Sequence[Part]:
        door = self._doors.get(pending.message.platform)
        if door is None or isinstance(door, PullDoor):
            return ()
        return await cut(pending, door, self._dress(pending, reply) if self._dress else reply)
