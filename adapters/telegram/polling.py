"""Long polling: the offset moves only behind what is committed.

An update that is held (a piece of a paste), or failed, or waits behind one that failed, keeps the offset where it is: it is
fetched again, with whatever came meanwhile. What was done with beyond the offset is remembered here until the offset passes it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any, NoReturn

from adapters.telegram import updates as native
from adapters.telegram.client import CallError
from adapters.telegram.connection import insist

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from adapters.telegram.client import Client
    from adapters.telegram.config import TelegramConfig
    from adapters.telegram.connection import Health
    from adapters.telegram.intake import Intake

_LOOK_S = 0.2
"""While something keeps the offset, what came meanwhile is looked for that often; after a while more rarely."""
_RARELY_S = 1.0
_LONGEST_S = 10.0
"""A chat whose update fails is tried again that often at least."""

_log = logging.getLogger(__name__)


class Polling:
    """One run of polling. `point` is called with `fetch` when updates have come, with `confirm` before the offset moves."""

    def __init__(
        self, client: Client, intake: Intake, config: TelegramConfig, health: Health, point: Callable[[str], None]
    ) -> None:
        self._client, self._intake, self._health, self._point = client, intake, health, point
        self._poll_s = config.poll_timeout_s
        self._offset = 0
        self._done: set[int] = set()
        self._left: set[int] = set()
        self._failed: dict[str, tuple[float, float]] = {}
        self._looks = 0

    async def run(self) -> NoReturn:
        """Poll until cancelled. Raises `StoppedError`."""
        await insist(self._client, self._health, "deleteWebhook", dict)
        while True:
            updates = await insist(self._client, self._health, "getUpdates", self._question)
            if not isinstance(updates, list):
                await self._health.bad(CallError("updates that are no list", 200))
                continue
            await self._take(updates)
            await self._rest()

    def _question(self) -> dict[str, Any]:
        waits = 0 if self._left else self._poll_s
        return {"offset": self._offset or None, "timeout": waits, "limit": 100, "allowed_updates": native.ALLOWED}

    async def _take(self, updates: Sequence[Any]) -> None:
        if updates:
            self._point("fetch")
        numbered = dict(self._numbered(updates))
        chats = {number: native.chat_of(update) for number, update in numbered.items()}
        fresh = {number: update for number, update in numbered.items() if self._is_fresh(number, chats[number])}
        self._done |= await self._intake.batch(list(fresh.values()))
        for bundle in self._intake.due():
            self._done |= await self._intake.flush(bundle)
        self._note(chats, set(fresh))
        self._move(set(numbered))
        if updates and not numbered:
            await asyncio.sleep(_RARELY_S)  # nothing of it can be confirmed: it comes back at once

    def _numbered(self, updates: Sequence[Any]) -> list[tuple[int, dict[str, Any]]]:
        found = []
        for update in updates:
            try:
                found.append((native.update_id(update), update))
            except native.MalformedError as error:
                _log.warning("telegram: %s is left out", error)
        return found

    def _is_fresh(self, number: int, chat: str) -> bool:
        until, _ = self._failed.get(chat, (0.0, 0.0))
        return number not in self._done and not self._intake.holds(number) and time.monotonic() >= until

    def _is_failed(self, number: int) -> bool:
        return number not in self._done and not self._intake.holds(number)

    def _note(self, chats: dict[int, str], tried: set[int]) -> None:
        """A chat whose update failed waits, twice as long each time nothing of it was taken; the others go on."""
        for number in tried:
            if not self._is_failed(number):
                self._failed.pop(chats[number], None)
        for chat in {chats[number] for number in tried if self._is_failed(number)}:
            _, wait_s = self._failed.get(chat, (0.0, 0.0))
            wait_s = min(2 * wait_s or self._health.patience_s, _LONGEST_S)
            self._failed[chat] = time.monotonic() + wait_s, wait_s

    def _move(self, fetched: set[int]) -> None:
        self._left = fetched - self._done
        offset = min(self._left) if self._left else max(fetched, default=self._offset - 1) + 1
        if fetched and offset != self._offset:
            self._point("confirm")
            self._offset = offset
            self._done = {number for number in self._done if number >= offset}

    async def _rest(self) -> None:
        """Before the next look at what keeps the offset."""
        self._looks = self._looks + 1 if self._left else 0
        if self._left:
            rest_s = _LOOK_S if self._looks < 20 else _RARELY_S
            due_s = self._intake.due_s()
            await asyncio.sleep(rest_s if due_s is None else min(rest_s, due_s))
