"""What a connection's failures mean, how it is now, and the small work that ends with it."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

from adapters.telegram.client import CallError
from adapters.types import Status, StoppedError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from types import TracebackType

    from adapters.telegram.client import Client, Json

_CONFLICTS = 3
_LONGEST_S = 5.0
_RENEW = 3
_MOST_ERRANDS = 1000
_REFUSED = "Telegram refuses the bot's token: take the right one from @BotFather (or telegram.base_url is no Bot API)."

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Health:
    """How the connection is. `patience_s`: seconds before the first further try; they double, up to five."""

    patience_s: float = 0.5
    status: Status = field(default_factory=lambda: Status("starting"))
    failures: int = 0
    conflicts: int = 0

    def start(self) -> None:
        """A run begins."""
        self.failures = self.conflicts = 0
        self.status = replace(self.status, state="starting", detail="")

    def good(self) -> None:
        """A call went well: it serves."""
        if self.status.state != "serving":
            _log.info("telegram: connected")
        self.failures = self.conflicts = 0
        self.status = Status("serving", time.time())

    async def bad(self, error: CallError) -> None:
        """A call failed: wait, then return; raises `StoppedError` when waiting does not help."""
        if error.code in {401, 404}:
            raise StoppedError(self.stopped(_REFUSED)) from error
        if error.code == 409:
            self.conflicts += 1
            if self.conflicts >= _CONFLICTS:
                reason = "Another program receives this bot's messages: two must not use one token. Stop one of them."
                raise StoppedError(self.stopped(reason)) from error
        self.failures += 1
        self.status = replace(self.status, state="waiting", detail=f"Telegram does not answer: {error}")
        wait_s = error.retry_after or min(self.patience_s * 2 ** min(self.failures - 1, 10), _LONGEST_S)
        _log.warning("telegram: failures=%d next try in %.1f s: %s", self.failures, wait_s, error)
        await asyncio.sleep(wait_s * random.uniform(1, 1.2))  # noqa: S311 -- spreads, does not hide

    def stopped(self, reason: str) -> str:
        """A person must mend it. Returns the reason."""
        self.status = replace(self.status, state="stopped", detail=reason)
        return reason


async def insist(client: Client, health: Health, method: str, data: Callable[[], dict[str, Any]]) -> Json:
    """Call until it goes well, with new connections after some failures. Raises `StoppedError`."""
    while True:
        try:
            result = await client.call(method, data())
        except CallError as error:
            await health.bad(error)
            if health.failures % _RENEW == 0:
                await client.renew()
        else:
            health.good()
            return result


class Errands:
    """A bounded set of tasks; those that are under way when it closes are cancelled."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Begin some work; it is dropped when there is too much of it already."""
        if len(self._tasks) >= _MOST_ERRANDS:
            _log.warning("telegram: too many errands, one is dropped")
            work.close()
            return
        task = asyncio.create_task(work, name="telegram errand")
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("telegram: an errand failed error=%s", type(error).__name__)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
