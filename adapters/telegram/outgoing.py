"""Every call to a chat: in its turn within the chat's budget, one at a time, at the chat's present id.

A 429 makes that chat alone wait. A call that was begun comes to its end: cancelling who waits for it leaves nothing in
flight.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from adapters.calls import to_its_end
from adapters.limits import Budgets, Priority, Rate, Rule
from adapters.telegram.client import CallError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    from adapters.telegram.client import Client, Json
    from adapters.telegram.config import TelegramConfig

Call = tuple[str, dict[str, Any]]

_BURST = 3
"""So many calls to a private chat may follow each other at once, if the mean is kept."""
_GRACE_S = 0.05


class Outgoing:
    """The way out. `client` and `moved` are set by each run; `chats` maps former ids of groups to present ones."""

    def __init__(self, config: TelegramConfig) -> None:
        self.client: Client | None = None
        self.chats: dict[str, str] = {}
        self.moved: Callable[[str, str], Awaitable[None]] | None = None
        self._budgets = _budgets(config)

    @property
    def limited(self) -> int:
        """How many calls were answered 429."""
        return self._budgets.pauses

    async def call(self, chat: str, method: str, data: dict[str, Any], priority: Priority = Priority.FINAL) -> Json:
        """Call a method for a chat, in its turn. Raises `CallError`."""
        async with self._turn(chat, priority):
            return await to_its_end(self._called(chat, method, data))

    async def sign(self, chat: str, method: str, data: dict[str, Any]) -> None:
        """A sign of life. In a private chat it takes nothing from the words' rate: they follow it at once. Raises `CallError`."""
        async with self._turn(chat, Priority.TYPING if _is_group(self.at(chat)) else Priority.SIGN):
            await to_its_end(self._called(chat, method, data))

    async def live(self, chat: str, make: Callable[[], Awaitable[Call | None]], done: Callable[[Json], Awaitable[None]]) -> None:
        """Wait for the turn of something live, then ask what to call; None: nothing. `done` is told the result.

        Raises `CallError`.
        """
        async with self._turn(chat, Priority.LIVE):
            made = await make()
            if made is not None:
                await to_its_end(self._told(chat, made, done))

    def reserve(self, chat: str, calls: int, holder: int) -> None:
        """Keep so many calls of a chat for the parts of an answer."""
        self._budgets.reserve(self.at(chat), calls, holder)

    def _turn(self, chat: str, priority: Priority) -> AbstractAsyncContextManager[None]:
        to = self.at(chat)
        return self._budgets.turn(to, "group" if _is_group(to) else "private", priority)

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
                self._budgets.pause(to, (error.retry_after or 1.0) + _GRACE_S)
            raise


def _is_group(chat: str) -> bool:
    return chat.startswith("-")


def _budgets(config: TelegramConfig) -> Budgets:
    """The settings' rates; 0 lifts one."""
    per_s, group, whole = config.chat_per_second, config.group_per_minute, config.global_per_second
    rules = {
        "private": Rule((Rate(_BURST, _BURST / per_s),) if per_s else ()),
        "group": Rule((Rate(group, 60.0),) if group else ()),
    }
    return Budgets(rules, (Rate(whole, 1.0),) if whole else ())
