"""Every call to a chat: in its turn within the chat's budget, one at a time, at the chat's present id.

A 429 makes that chat alone wait. A call that was begun comes to its end: cancelling who waits for it leaves nothing in
flight.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from adapters.telegram.client import CallError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from adapters.telegram.budget import Budget
    from adapters.telegram.client import Client, Json

Call = tuple[str, dict[str, Any]]


class Outgoing:
    """The way out. `client` and `moved` are set by each run; `chats` maps former ids of groups to present ones."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.client: Client | None = None
        self.chats: dict[str, str] = {}
        self.moved: Callable[[str, str], Awaitable[None]] | None = None

    async def call(self, chat: str, method: str, data: dict[str, Any]) -> Json:
        """Call a method for a chat, in its turn. Raises `CallError`."""
        async with self.budget.turn(self.at(chat)):
            return await self._to_the_end(self._called(chat, method, data))

    async def live(
        self, chat: str, make: Callable[[], Awaitable[Call | None]], done: Callable[[Json], Awaitable[None]], *, keep: int
    ) -> None:
        """Wait for the turn of something live, then ask what to call; None: nothing. `done` is told the result.

        `keep` calls are left for later. Raises `CallError`.
        """
        async with self.budget.turn(self.at(chat), live=True, keep=keep) as spent:
            made = await make()
            if made is None:
                spent.give_back()
            else:
                await self._to_the_end(self._told(chat, made, done))

    async def _told(self, chat: str, made: Call, done: Callable[[Json], Awaitable[None]]) -> None:
        await done(await self._called(chat, *made))

    def at(self, chat: str) -> str:
        """The present id of a chat."""
        for _ in range(len(self.chats)):
            if chat not in self.chats:
                break
            chat = self.chats[chat]
        return chat

    async def _called(self, chat: str, method: str, data: dict[str, Any]) -> Json:
        try:
            return await self._once(chat, method, data)
        except CallError as error:
            if error.moved_to is None or self.moved is None:
                raise
            await self.moved(self.at(chat), str(error.moved_to))
            return await self._once(chat, method, data)

    async def _once(self, chat: str, method: str, data: dict[str, Any]) -> Json:
        if self.client is None:
            raise CallError("not connected to Telegram")
        to = self.at(chat)
        try:
            return await self.client.call(method, {"chat_id": int(to), **data})
        except CallError as error:
            if error.code == 429:
                self.budget.pause(to, error.retry_after or 1.0)
            raise

    async def _to_the_end(self, work: Awaitable[Json]) -> Json:
        task = asyncio.ensure_future(work)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait({task})
            if not task.cancelled():
                task.exception()
            raise
