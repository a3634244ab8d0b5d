"""Answers that are seen while they are written: a sign of life, one's place in the line, then the words."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from adapters.types import DeliveryError, Live
from bot.errors import DatabaseError, told
from bot.live import Finished, Restarted, Step, Waiting, Words
from bot.speech.chosen_language import language_for
from bot.speech.sentences import say

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from adapters.types import Button
    from bot.doors import Door
    from bot.inbox_rows import Pending
    from bot.live import Event
    from bot.speech.sentences import Language

    Follow = Callable[[int], AsyncGenerator[Event]]

_PATIENCE_S = 0.1
"""An answer that is there by then needs no sign of life: it is one."""

_MOMENT_S = 0.04
"""What is over a moment after its first words is said once, not shown and then said."""

_AGAIN_S = 3.5
"""A sign of life fades on every platform, on the quickest after five seconds."""
_SLOW_S = 3.0
"""Without a word after that long, the model is said to be busy getting ready."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Answer:
    """How far one answer has come."""

    pending: Pending
    language: Language
    stop: Button | None
    words: list[str] = field(default_factory=list)
    waiting: Waiting | None = None
    writing_since: float | None = None
    over: bool = False
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def live(self) -> Live | None:
        """What is to be seen of it now."""
        if self.over:
            return None
        return Live("".join(self.words), _note(self), self.stop)

    def see(self, event: Event) -> None:
        """Take in what happened."""
        match event:
            case Words(text):
                self.words.append(text)
                self.waiting = None
            case Waiting():
                self.waiting = event
            case Step(name):
                self.waiting = None
                self.writing_since = time.monotonic() if name == "generate" else None
            case Restarted():
                self.words.clear()
            case Finished():
                self.over = True
        self.changed.set()


class Showing:
    """Shows each answer that is on its way. `shown` keeps the id of the message that shows it, for after a crash."""

    def __init__(
        self,
        follow: Follow,
        shown: Callable[[int, str], Awaitable[None]],
        stop: Callable[[Pending, Language], Button | None],
        language: Language,
    ) -> None:
        self._follow = follow
        self._shown = shown
        self._stop = stop
        self._language: Language = language
        self._tasks: dict[int, tuple[asyncio.Task[None], Pending, Door]] = {}

    def begin(self, pending: Pending, door: Door) -> None:
        """Show an answer until `end`. Nothing that goes wrong here stops it."""
        if pending.id not in self._tasks:
            work = self._guarded(pending, lambda: self._show(pending, door))
            self._tasks[pending.id] = asyncio.create_task(work, name=f"show {pending.id}"), pending, door

    async def end(self, id_: int, *, withdrawn: bool = False) -> None:
        """Show no more of it: when this returns, no call is in flight that could come after the final text.

        `withdrawn`: there will be none, unless a message shows something already, be it the one that was on its way.
        """
        if id_ not in self._tasks:
            return
        task, pending, door = self._tasks[id_]
        if not task.cancelling():  # a second time it would leave the call that it waits for
            task.cancel()
        await asyncio.wait({task})
        self._tasks.pop(id_, None)
        if withdrawn:
            over = _Answer(pending, self._language, None, over=True)
            await self._guarded(pending, lambda: self._show_now(over, door))

    async def stop(self) -> None:
        """Show nothing more."""
        for id_ in list(self._tasks):
            await self.end(id_)

    async def _guarded(self, pending: Pending, show: Callable[[], Awaitable[None]]) -> None:
        try:
            await show()
        except (DeliveryError, DatabaseError) as error:  # the answer itself is delivered all the same
            _log.info("not shown while it is written message=%d error=%s", pending.id, type(error).__name__)
        except Exception as error:  # noqa: BLE001 -- a fault of the door's own, where nothing depends on it
            _log.error("showing failed message=%d error=%s", pending.id, told(error))

    async def _show(self, pending: Pending, door: Door) -> None:
        language = language_for(pending.message, pending.person, self._language)
        answer = _Answer(pending, language, self._stop(pending, language))
        seeing = asyncio.create_task(self._see(answer), name=f"see {pending.id}")
        try:
            await asyncio.sleep(_PATIENCE_S)
            while not answer.over:
                answer.changed.clear()
                await self._show_now(answer, door)
                with suppress(TimeoutError):
                    async with asyncio.timeout(_AGAIN_S):  # `wait_for` of Python 3.11 now and then swallows a cancellation
                        await answer.changed.wait()
                await asyncio.sleep(_MOMENT_S)
        finally:
            seeing.cancel()
            await asyncio.wait({seeing})

    async def _show_now(self, answer: _Answer, door: Door) -> None:
        live = await door.show(answer.pending.origin, answer.live)
        if live is not None and live != answer.pending.live:
            answer.pending.live = live
            await self._shown(answer.pending.id, live)

    async def _see(self, answer: _Answer) -> None:
        while not answer.over:
            try:
                async with aclosing(self._follow(answer.pending.id)) as events:
                    async for event in events:
                        answer.see(event)
            except DatabaseError:  # the disk refuses: the question goes on when there is room
                await asyncio.sleep(_AGAIN_S)
                answer.words.clear()


def _note(answer: _Answer) -> str | None:
    if answer.waiting is None:
        slow = answer.writing_since is not None and time.monotonic() - answer.writing_since > _SLOW_S
        return say("waiting_model", answer.language) if slow and not answer.words else None
    if answer.waiting.reason != "queue":
        return say(f"waiting_{answer.waiting.reason}", answer.language)
    return say("waiting_queue", answer.language, place=answer.waiting.position)
