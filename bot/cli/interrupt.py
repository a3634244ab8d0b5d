"""Ctrl-C while an answer is written: once cancels the answer, twice leaves."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from bot.errors import GrillonError

if TYPE_CHECKING:
    from types import FrameType

    from bot.local.client import LocalClient


@contextmanager
def cancelling(client: LocalClient) -> Iterator[None]:
    """Have the first Ctrl-C cancel the request in progress; where the daemon is away it leaves, like the second.

    The handler does not raise: an exception in the middle of a read would lose the half line that was read.
    """
    pressed = 0

    def interrupted(number: int, frame: FrameType | None) -> None:
        nonlocal pressed
        pressed += 1
        if pressed == 1:
            with suppress(OSError, GrillonError):  # the daemon went away, and we wait for it: nobody hears us
                client.cancel()
                return
        signal.default_int_handler(number, frame)

    if threading.current_thread() is not threading.main_thread():
        yield  # Python gives signals to the main thread alone
        return
    before = signal.signal(signal.SIGINT, interrupted)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
