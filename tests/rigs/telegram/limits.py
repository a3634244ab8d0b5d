"""The platform's limits: calls per chat and overall, and the waiting that a 429 imposes."""

from __future__ import annotations

import math
import time
from collections import defaultdict, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.rigs.telegram.errors import too_many

if TYPE_CHECKING:
    from tests.rigs.telegram.ledger import Ledger

Window = tuple[int, float]
COUNTED = frozenset({"sendmessage", "senddocument", "sendmessagedraft", "editmessagetext", "editmessagereplymarkup"})


@dataclass(frozen=True, slots=True)
class Limits:
    """Calls within seconds; None: no limit. Sends, edits and drafts count; a chat action, a reaction, a deletion does not."""

    private: Window | None = None
    group: Window | None = None
    overall: Window | None = None

    @classmethod
    def real(cls) -> Limits:
        """About those of the platform: one a second in a private chat, 20 a minute in a group, 30 a second in all."""
        return cls(private=(3, 3.0), group=(20, 60.0), overall=(30, 1.0))


class Budget:
    """What was called, and until when each chat has to be left alone."""

    def __init__(self, limits: Limits, ledger: Ledger) -> None:
        self.limits = limits
        self._ledger = ledger
        self._calls: defaultdict[int | None, deque[float]] = defaultdict(deque)
        self._until: dict[tuple[int | None, str], float] = {}

    def forgive(self) -> None:
        """Forget all calls and waits."""
        self._calls.clear()
        self._until.clear()

    def wait(self, chat: int | None, method: str, retry_after: float) -> None:
        """A 429 was answered: the chat, or where there is none the method, has to be left alone for so many seconds."""
        self._until[_key(chat, method)] = time.monotonic() + retry_after

    def check(self, chat: int | None, method: str) -> None:
        """Raises 429 when the call comes too early or is one too many."""
        left = self._until.get(_key(chat, method), 0.0) - time.monotonic()
        if left > 0:
            self._ledger.violate("impatient", method, chat, f"{left:.3f} s before its retry_after has passed")
            raise too_many(math.ceil(left))
        if method.lower() in COUNTED and chat is not None:
            self._count(chat, method)

    def _count(self, chat: int, method: str) -> None:
        now = time.monotonic()
        windows = ((chat, self.limits.private if chat > 0 else self.limits.group), (None, self.limits.overall))
        for key, window in windows:
            if window is not None and (left := _left(self._calls[key], window, now)) > 0:
                self._ledger.violate("limit", method, chat, f"more than {window[0]} calls in {window[1]:g} s")
                retry_after = max(1, math.ceil(left))
                self.wait(chat, method, retry_after)
                raise too_many(retry_after)
        for key, window in windows:
            if window is not None:
                self._calls[key].append(now)


def _key(chat: int | None, method: str) -> tuple[int | None, str]:
    return chat, "" if chat is not None else method


def _left(calls: deque[float], window: Window, now: float) -> float:
    """Seconds until one more call fits."""
    count, seconds = window
    while calls and calls[0] <= now - seconds:
        calls.popleft()
    return 0.0 if len(calls) < count else calls[-count] + seconds - now
