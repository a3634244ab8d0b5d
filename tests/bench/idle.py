"""A process that does nothing but sleep: how late it wakes is what the machine adds to every stall, whoever measures it."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_EVERY_S = 0.005


class Idle:
    """`longest_s` is the longest delay in seconds, once `idle` has ended."""

    longest_s = 0.0


@asynccontextmanager
async def idle() -> AsyncIterator[Idle]:
    """Run it beside whatever is measured inside."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", __name__, stdin=pipe, stdout=pipe)
    found = Idle()
    yield found
    out, _ = await process.communicate(b"")  # which closes its input: without any, Python 3.11 leaves it open
    found.longest_s = float(out)


def _serve() -> None:
    """Sleep until the input is closed, then say the longest delay."""
    ended = threading.Thread(target=sys.stdin.read, daemon=True)
    ended.start()
    longest = 0.0
    while ended.is_alive():
        before = time.monotonic()
        time.sleep(_EVERY_S)
        longest = max(longest, time.monotonic() - before - _EVERY_S)
    print(longest)


if __name__ == "__main__":
    _serve()
