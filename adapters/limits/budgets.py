"""Turns at a platform: one call at a time in each chat, within the chat's rates and the global one, the final texts first."""

from __future__ import annotations

import asyncio
import heapq
import math
from contextlib import asynccontextmanager
from enum import IntEnum
from typing import TYPE_CHECKING, Protocol

from adapters.limits.rates import Log, Rule

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Hashable, Mapping

    from adapters.limits.rates import Rate

_STALE_S = 3600.0
"""Calls are kept for so long: an answer that was erased while it was shown never sends its parts."""

_FEW = 64
"""Chats that are remembered without looking which of them are idle."""


class Priority(IntEnum):
    """Who goes first. All but `FINAL` leave alone what is reserved for final parts.

    A `SIGN` is a call that takes nothing from its chat's rates; it waits for pauses, and for the call that is on its way there.
    """

    SIGN = -1
    FINAL = 0
    ACTION = 1
    LIVE = 2
    TYPING = 3


class Clock(Protocol):
    """Time and its timers, in seconds: what an event loop has."""

    def time(self) -> float:
        """Now."""

    def call_later(self, delay: float, callback: Callable[[], object], /) -> Handle:
        """Call back once, so many seconds from now."""


class Handle(Protocol):
    """A timer that was set."""

    def cancel(self) -> None:
        """Do not call."""


class _Waiter:
    """Somebody who waits for a turn. Ordered: the more urgent first, then who came first."""

    def __init__(self, priority: Priority, number: int, turn: asyncio.Future[None]) -> None:
        self.rank = (priority, number)
        self.turn = turn

    def __lt__(self, other: _Waiter) -> bool:
        return self.rank < other.rank


class _Chat:
    def __init__(self) -> None:
        self.rule = Rule()
        self.calls, self.live = Log(), Log()
        self.waiting: list[_Waiter] = []
        self.reserved: dict[Hashable, tuple[int, float]] = {}
        """Calls that are kept for each holder, and until when."""
        self.paused_until = -math.inf

    def ready_at(self, priority: Priority, now: float) -> float:
        """When a call of that priority may begin, this chat alone considered."""
        if self.calls.flying:
            return math.inf
        if priority is Priority.SIGN:
            return self.paused_until
        if priority is Priority.FINAL:
            return max(self.paused_until, self.calls.ready_at(self.rule.calls))
        kept = sum(calls for calls, until in self.reserved.values() if until > now)
        return max(self.paused_until, self.calls.ready_at(self.rule.calls, kept), self.live.ready_at(self.rule.live))

    def idle(self, now: float) -> bool:
        """Whether nothing would be lost with it."""
        logs = self.calls.forget(now, self.rule.calls) and self.live.forget(now, self.rule.live)
        kept = any(until > now for _, until in self.reserved.values())
        return logs and not kept and not self.waiting and self.paused_until <= now


class Budgets:
    """The turns of one platform. `rules` by kind of chat, `whole` for all chats together; what is not limited has no rate.

    For one event loop. `clock` is the running loop when None.
    """

    def __init__(self, rules: Mapping[str, Rule], whole: tuple[Rate, ...] = (), *, clock: Clock | None = None) -> None:
        self._rules = dict(rules)
        self.pauses = 0
        self._rates = whole
        self._whole = Log()
        self._given_clock = clock
        self._chats: dict[str, _Chat] = {}
        self._waiting: dict[str, _Chat] = {}
        self._number = 0
        self._paused_until = -math.inf
        self._timer: tuple[float, Handle] | None = None
        self._sweep_at = _FEW

    def __len__(self) -> int:
        """How many chats are remembered."""
        return len(self._chats)

    @asynccontextmanager
    async def turn(self, chat: str, kind: str, priority: Priority) -> AsyncGenerator[None]:
        """Wait for a turn in a chat; the call is made within. `kind` names the chat's rule. May be cancelled at any moment."""
        state = self._state(chat)
        state.rule = self._rules[kind]
        await self._granted(chat, state, priority)
        try:
            yield
        finally:
            now = self._clock.time()
            for log in self._logs(state, priority):
                if priority is Priority.SIGN and log is state.calls:
                    log.drop()
                else:
                    log.end(now)
            self._go_on()

    def reserve(self, chat: str, calls: int, holder: Hashable = "") -> None:
        """Keep so many calls of a chat for the final parts of `holder` (an answer); 0: none any more."""
        state = self._state(chat)
        if calls:
            state.reserved[holder] = calls, self._clock.time() + _STALE_S
        else:
            state.reserved.pop(holder, None)
        self._go_on()

    def pause(self, chat: str, seconds: float) -> None:
        """The platform put a call off: no other to this chat before so many seconds have passed; others go on."""
        self.pauses += 1
        state = self._state(chat)
        state.paused_until = max(state.paused_until, self._clock.time() + seconds)

    def pause_all(self, seconds: float) -> None:
        """No call to any chat before so many seconds have passed."""
        self._paused_until = max(self._paused_until, self._clock.time() + seconds)

    @property
    def _clock(self) -> Clock:
        return self._given_clock or asyncio.get_running_loop()

    def _state(self, chat: str) -> _Chat:
        state = self._chats.get(chat)
        if state is None:
            self._sweep()
            state = self._chats[chat] = _Chat()
        return state

    def _sweep(self) -> None:
        """Forget idle chats, whenever there are twice as many as were left the last time."""
        if len(self._chats) < self._sweep_at:
            return
        now = self._clock.time()
        self._chats = {chat: state for chat, state in self._chats.items() if not state.idle(now)}
        self._sweep_at = max(_FEW, 2 * len(self._chats))

    async def _granted(self, chat: str, state: _Chat, priority: Priority) -> None:
        self._number += 1
        number = self._number
        while True:
            waiter = _Waiter(priority, number, asyncio.get_running_loop().create_future())
            heapq.heappush(state.waiting, waiter)
            self._waiting[chat] = state
            self._go_on()
            try:
                await waiter.turn
            except asyncio.CancelledError:
                self._leave(state, waiter, priority)
                raise
            if max(state.paused_until, self._paused_until) <= self._clock.time():
                return
            self._drop(state, priority)  # the pause began after the turn was given, and before it was taken

    def _leave(self, state: _Chat, waiter: _Waiter, priority: Priority) -> None:
        """Somebody does not wait any more, or was cancelled with the turn already given: then no call is made."""
        if not waiter.turn.cancelled():
            self._drop(state, priority)
        elif waiter in state.waiting:
            state.waiting.remove(waiter)
            heapq.heapify(state.waiting)
        self._go_on()

    def _drop(self, state: _Chat, priority: Priority) -> None:
        for log in self._logs(state, priority):
            log.drop()

    def _logs(self, state: _Chat, priority: Priority) -> list[Log]:
        return [self._whole, state.calls] + ([state.live] if priority > Priority.FINAL else [])

    def _go_on(self) -> None:
        """Give the turns that can be given now, the most urgent first; wake up when the next one can be."""
        now = self._clock.time()
        self._whole.forget(now, self._rates)
        ready, wake = self._ready(now)
        for waiter, state in sorted(ready, key=lambda entry: entry[0].rank):
            whole_at = max(self._paused_until, self._whole.ready_at(self._rates))
            if whole_at > now:
                wake = min(wake, whole_at)
                break
            self._give(waiter, state)
        self._wake(wake)

    def _ready(self, now: float) -> tuple[list[tuple[_Waiter, _Chat]], float]:
        """Whose turn it could be in each chat, and when that of the others comes."""
        ready, wake = [], math.inf
        for state in self._waiting.values():
            while state.waiting and state.waiting[0].turn.cancelled():  # who waited was cancelled, and does not run before we do
                heapq.heappop(state.waiting)
        self._waiting = {chat: state for chat, state in self._waiting.items() if state.waiting}
        for state in self._waiting.values():
            state.calls.forget(now, state.rule.calls)
            state.live.forget(now, state.rule.live)
            at = state.ready_at(state.waiting[0].rank[0], now)
            if at <= now:
                ready.append((state.waiting[0], state))
            else:
                wake = min(wake, at)
        return ready, wake

    def _give(self, waiter: _Waiter, state: _Chat) -> None:
        heapq.heappop(state.waiting)
        for log in self._logs(state, waiter.rank[0]):
            log.begin()
        if not waiter.turn.done():  # else it was cancelled a moment ago, and gives its turn back when it leaves
            waiter.turn.set_result(None)

    def _wake(self, at: float) -> None:
        if self._timer is not None:
            if self._timer[0] == at:
                return
            self._timer[1].cancel()
            self._timer = None
        if at < math.inf:
            self._timer = at, self._clock.call_later(max(0.0, at - self._clock.time()), self._rang)

    def _rang(self) -> None:
        self._timer = None
        self._go_on()
