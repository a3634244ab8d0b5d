"""The queue of updates of the bot: fetched by long polling with an offset, or pushed to a webhook."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson

from tests.rigs.telegram.errors import ApiError, other_poller, webhook_active

if TYPE_CHECKING:
    from collections.abc import Callable

UNASKED = frozenset({"chat_member", "message_reaction", "message_reaction_count"})


@dataclass(slots=True)
class Webhook:
    """Where updates are pushed to. `failed_at` is in seconds since the epoch."""

    url: str = ""
    secret: str | None = None
    allowed: list[str] | None = None
    failed_at: int | None = None
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class Poll:
    """One call of getUpdates."""

    offset: int | None
    at: float = field(default_factory=time.monotonic)


class Updates:
    """What the bot was told or will be. An update is gone once a later offset was asked, or a webhook took it."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self.next_id = 710_000_001
        self._changed = changed
        self.webhook = Webhook()
        self.polls: list[Poll] = []
        self.retry_s = 0.05
        self.offline = False
        self.pushes: list[tuple[int, int]] = []
        self._pending: dict[int, dict[str, Any]] = {}
        self._waiting: asyncio.Future[None] | None = None
        self._more = asyncio.Event()
        self._allowed: list[str] = []

    def add(self, kind: str, payload: dict[str, Any]) -> int | None:
        """Queue an update and return its id, None when the bot did not ask for this kind."""
        if (self._allowed and kind not in self._allowed) or (not self._allowed and kind in UNASKED):
            return None
        number, self.next_id = self.next_id, self.next_id + 1
        self._pending[number] = {"update_id": number, kind: payload}
        self._more.set()
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)
        return number

    @property
    def waiting(self) -> bool:
        """Whether somebody polls now."""
        return self._waiting is not None and not self._waiting.done()

    def pending(self) -> list[dict[str, Any]]:
        """What still can be fetched."""
        return list(self._pending.values())

    def fetchable(self, number: int) -> bool:
        """Whether this update was not confirmed yet."""
        return number in self._pending

    def allow(self, kinds: list[str] | None) -> None:
        """Choose the kinds from now on: empty, all but those that must be asked for; None, as before."""
        if kinds is not None:
            self._allowed = kinds

    def drop(self) -> None:
        """Forget what waits."""
        self._pending.clear()

    async def poll(self, offset: int | None, limit: int, timeout_s: float) -> list[dict[str, Any]]:
        """getUpdates. Raises 409 in the older of two polls, and while there is a webhook."""
        self.polls.append(Poll(offset))
        if self.webhook.url:
            raise webhook_active()
        self._end(other_poller())
        self._confirm(offset)
        if not self._pending and timeout_s > 0:
            await self._wait(timeout_s)
        return list(self._pending.values())[:limit]

    async def _wait(self, timeout_s: float) -> None:
        waiting = self._waiting = asyncio.get_running_loop().create_future()
        self._changed()
        try:
            async with asyncio.timeout(timeout_s):
                await waiting
        except TimeoutError:
            return
        finally:
            if self._waiting is waiting:
                self._waiting = None
            self._changed()

    def _end(self, error: ApiError) -> None:
        """Let the poll that waits fail."""
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(error)

    def _confirm(self, offset: int | None) -> None:
        if offset is None or offset == 0:
            return
        first = offset if offset > 0 else min([*self._pending][offset:], default=self.next_id)
        self._pending = {number: update for number, update in self._pending.items() if number >= first}

    async def push(self) -> None:
        """Push to the webhook, one update after the other, each until the receiver answers 2xx. Runs until cancelled."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
            while True:
                self._more.clear()
                if self.offline or not self.webhook.url or not self._pending:
                    await self._more.wait()
                    continue
                number = next(iter(self._pending))
                if await self._pushed(session, number):
                    self._pending.pop(number, None)
                    self._changed()
                else:
                    await asyncio.sleep(self.retry_s)

    async def _pushed(self, session: aiohttp.ClientSession, number: int) -> bool:
        headers = {"Content-Type": "application/json"}
        if self.webhook.secret:
            headers["X-Telegram-Bot-Api-Secret-Token"] = self.webhook.secret
        try:
            async with session.post(self.webhook.url, data=orjson.dumps(self._pending[number]), headers=headers) as response:
                self.pushes.append((number, response.status))
                failure = None if response.ok else f"Wrong response from the webhook: {response.status} {response.reason}"
        except (aiohttp.ClientError, TimeoutError):
            failure = "Connection failed"
        if failure:
            self.webhook.failed_at, self.webhook.failure = int(time.time()), failure
        return failure is None

    def reach(self, *, offline: bool) -> None:
        """Whether the network is gone, for a webhook too."""
        self.offline = offline
        self._more.set()

    def set_webhook(self, webhook: Webhook) -> None:
        """Push from now on, or with an empty address be polled again."""
        self.webhook = webhook
        self.allow(webhook.allowed)
        if webhook.url:
            self._end(webhook_active())
        self._more.set()
