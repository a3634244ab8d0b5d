"""How long a model may take, step by step, and the timer that ends what takes longer."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import aiohttp

    from knowledge.config import ChatModelConfig


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds a streamed answer may take, step by step, and the most bytes it may have."""

    load_s: float
    first_token_s: float
    next_token_s: float
    answer_s: float
    answer_bytes: int

    @classmethod
    def of(cls, config: ChatModelConfig) -> Deadlines:
        """The deadlines of the settings; 2 KiB a token is ten times what a line of any server takes."""
        return cls(
            config.load_s, config.first_token_s, config.next_token_s, config.answer_s, 65_536 + 2048 * config.answer_tokens
        )


class Watch:
    """Ends a read that is overdue. One timer for a whole answer: a timeout of its own for each token doubles what a stream costs.

    It looks at least every `next_token_s`, so that no deadline set by `wait` falls between two looks.
    """

    __slots__ = ("_content", "_due", "_end", "_loop", "_next_s", "_timer")

    def __init__(self, content: aiohttp.StreamReader, due: float, end: float, next_s: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._content = content
        self._end = end
        self._next_s = next_s
        self._due = min(due, end)
        self._arm()

    def wait(self) -> None:
        """We wait for data now."""
        self._due = min(self._loop.time() + self._next_s, self._end)

    def rest(self) -> None:
        """There was data; whoever asked for it may take until the end of the whole answer."""
        self._due = self._end

    def stop(self) -> None:
        """The answer is over."""
        self._timer.cancel()

    def _arm(self) -> None:
        self._timer = self._loop.call_at(min(self._due, self._loop.time() + self._next_s), self._look)

    def _look(self) -> None:
        if self._loop.time() >= self._due:
            self._content.set_exception(TimeoutError())
        else:
            self._arm()


async def judge(limit: asyncio.Timeout, loading: Callable[[], Awaitable[bool]]) -> None:
    """The first token is late: unless the model still loads, the wait ends now."""
    if not await loading():
        limit.reschedule(asyncio.get_running_loop().time())
