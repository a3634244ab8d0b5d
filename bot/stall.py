"""How long the event loop was held up: a thread asks it to answer, and measures how late it does.

A probe that sleeps on the loop itself would miss most of a freeze. A thread that could not run either (the interpreter lock was
held) counts its own lateness.
"""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_LONG = 0.05
"""Seconds: what counts as a stall."""


class StallWatch:
    """Watches the running loop from a thread. `longest_s` is the longest stall, `stalled_s` the sum of all over 50 ms.

    `answered_at` is when the loop answered last, on the monotonic clock: what the service's watchdog asks for. `listener` is told
    of every wait, in the thread.
    """

    def __init__(self, every_s: float) -> None:
        self.longest_s = 0.0
        self.stalled_s = 0.0
        self.answered_at = time.monotonic()
        self.listener: Callable[[float], None] | None = None
        self._every_s = every_s
        self._loop = asyncio.get_running_loop()
        self._stopped = threading.Event()
        self._answered = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="stall watch", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopped.set()
        self._answered.set()
        self._thread.join()

    def forget(self) -> None:
        """Count from now on: what was loaded at the start held the loop up once, and does not again."""
        self.longest_s = self.stalled_s = 0.0

    def age_s(self) -> float:
        """Seconds since the loop answered last."""
        return time.monotonic() - self.answered_at

    def _watch(self) -> None:
        while not self._stopped.is_set():
            asked = time.monotonic()
            self._answered.clear()
            try:
                self._loop.call_soon_threadsafe(self._answer)
            except RuntimeError:
                return  # the loop is closed: nothing is left to watch
            self._answered.wait()
            self._count(time.monotonic() - asked)
            slept = time.monotonic()
            self._stopped.wait(self._every_s)
            self._count(time.monotonic() - slept - self._every_s)

    def _answer(self) -> None:
        self.answered_at = time.monotonic()
        self._answered.set()

    def _count(self, late_s: float) -> None:
        self.longest_s = max(self.longest_s, late_s)
        if late_s >= _LONG:
            self.stalled_s += late_s
        if self.listener is not None:
            self.listener(late_s)
