"""Telegram's limits: calls to one chat in its own turn, one at a time; a chat that was told to wait waits alone."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from adapters.telegram.config import TelegramConfig

_BURST_S = 3.0
_MINUTE_S = 60.0
_GROUP_LIVE_S = 4.0
_IDLE = 5000
_GRACE_S = 0.05


@dataclass(slots=True)
class Window:
    """At most `most` calls within any `seconds`; 0: any number."""

    most: int
    seconds: float
    calls: deque[float] = field(default_factory=deque)

    def wait_s(self, now: float, keep: int = 0) -> float:
        """Seconds until there is room for one call and `keep` further ones."""
        if not self.most:
            return 0.0
        while self.calls and self.calls[0] <= now - self.seconds:
            self.calls.popleft()
        room = max(1, self.most - keep)
        return 0.0 if len(self.calls) < room else self.calls[-room] + self.seconds - now


@dataclass(slots=True)
class Chat:
    """What one chat was told. Times are of the monotonic clock."""

    window: Window
    live_s: float
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    until: float = 0.0
    live_at: float = 0.0
    users: int = 0


@dataclass(slots=True)
class Spent:
    """One call's place in the windows."""

    windows: tuple[Window, ...]
    at: float

    def give_back(self) -> None:
        """It was not used."""
        for window in self.windows:
            with contextlib.suppress(ValueError):
                window.calls.remove(self.at)


class Budget:
    """All chats of one bot."""

    def __init__(self, config: TelegramConfig) -> None:
        self._rate, self._group = config.chat_per_second, int(config.group_per_minute)
        self._all = Window(int(config.global_per_second), 1.0)
        self._chats: dict[str, Chat] = {}

    def pause(self, chat: str, seconds: float) -> None:
        """Nothing more to this chat for so long."""
        self._chat(chat).until = time.monotonic() + seconds + _GRACE_S

    @contextlib.asynccontextmanager
    async def turn(self, chat: str, *, live: bool = False, keep: int = 0) -> AsyncIterator[Spent]:
        """Wait for a chat's turn and hold it. `live` calls come at their pace, and leave room for `keep` further calls."""
        of = self._chat(chat)
        of.users += 1
        try:
            while True:
                await self._patience(of, live=live, keep=keep)
                async with of.lock:
                    now = time.monotonic()
                    if self._wait_s(of, now, live=live, keep=keep) > 0:
                        continue
                    spent = Spent((of.window, self._all), now)
                    for window in spent.windows:
                        window.calls.append(now)
                    of.live_at = now if live else of.live_at
                    yield spent
                    return
        finally:
            of.users -= 1
            self._tidy()

    async def _patience(self, of: Chat, *, live: bool, keep: int) -> None:
        while (wait_s := self._wait_s(of, time.monotonic(), live=live, keep=keep)) > 0:  # noqa: ASYNC110 -- for the clock
            await asyncio.sleep(wait_s)

    def _wait_s(self, of: Chat, now: float, *, live: bool, keep: int) -> float:
        pace = of.live_at + of.live_s - now if live else 0.0
        return max(of.until - now, of.window.wait_s(now, keep), self._all.wait_s(now), pace)

    def _chat(self, chat: str) -> Chat:
        found = self._chats.get(chat)
        if found is None:
            found = self._chats[chat] = self._new(group=chat.startswith("-"))
        return found

    def _new(self, *, group: bool) -> Chat:
        if group:
            return Chat(Window(self._group, _MINUTE_S), _GROUP_LIVE_S if self._group else 0.0)
        rate = self._rate
        return Chat(Window(int(_BURST_S), _BURST_S / rate) if rate else Window(0, 0.0), 1 / rate if rate else 0.0)

    def _tidy(self) -> None:
        """Forget chats that nobody calls and that need not wait."""
        if len(self._chats) < _IDLE:
            return
        now = time.monotonic()
        for name, of in list(self._chats.items()):
            if not of.users and of.until < now and of.window.wait_s(now, of.window.most - 1) <= 0:
                del self._chats[name]
