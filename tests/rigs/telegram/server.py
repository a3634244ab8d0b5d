"""A Telegram Bot API stand-in on a real socket, with people who talk to the bot and a ledger of what they see.

`async with Telegram() as rig:` serves; the daemon's settings are `telegram.token = rig.token` and `telegram.base_url =
rig.base_url`. `rig.person(…)` and `rig.group(…)` make people and groups to script, `rig.ledger` tells what they saw,
`rig.faults.add(…)` orders trouble, `async with rig.offline():` takes the network away. Instant unless told otherwise.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Self

from aiohttp import web

from tests.rigs.telegram.door import Door, reset
from tests.rigs.telegram.faults import Faults
from tests.rigs.telegram.groups import Group
from tests.rigs.telegram.limits import Budget, Limits
from tests.rigs.telegram.people import Person
from tests.rigs.telegram.world import World

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from types import TracebackType

TOKEN = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"


class Telegram:
    """The stand-in. `privacy`: the bot's privacy mode in groups. `seed`: of the faults' probabilities."""

    def __init__(
        self,
        *,
        port: int = 0,
        token: str = TOKEN,
        username: str = "grillon_bot",
        privacy: bool = True,
        limits: Limits | None = None,
        seed: int = 0,
    ) -> None:
        self.token = token
        self.port = port
        self.world = World(token, username, privacy=privacy)
        self.ledger = self.world.ledger
        self.updates = self.world.updates
        self.faults = Faults(seed)
        self.budget = Budget(limits or Limits(), self.ledger)
        self._runner: web.AppRunner | None = None
        self._site: web.TCPSite | None = None
        self._pushing: asyncio.Task[None] | None = None

    @property
    def address(self) -> str:
        """`http://127.0.0.1:PORT`."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def base_url(self) -> str:
        """What python-telegram-bot calls `base_url`: the token follows."""
        return f"{self.address}/bot"

    @property
    def base_file_url(self) -> str:
        """Likewise for downloads."""
        return f"{self.address}/file/bot"

    @property
    def limits(self) -> Limits:
        return self.budget.limits

    @limits.setter
    def limits(self, limits: Limits) -> None:
        self.budget.limits = limits
        self.budget.forgive()

    async def start(self) -> Self:
        """Serve."""
        app = Door(self.world, self.token, self.faults, self.budget).app()
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        await self.online()
        self._pushing = asyncio.create_task(self.updates.push(), name="telegram rig webhook")
        return self

    async def stop(self) -> None:
        """Stop; what the ledger knows stays."""
        if self._pushing is not None:
            self._pushing.cancel()
            await asyncio.wait([self._pushing])
        await self.go_offline()
        if self._runner is not None:
            await self._runner.cleanup()
        self._runner = self._pushing = None

    async def online(self) -> None:
        """Listen, again on the same port."""
        if self._site is not None or self._runner is None:
            return
        self._site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await self._site.start()
        self.port = self._runner.addresses[-1][1]
        self.updates.reach(offline=False)

    async def go_offline(self) -> None:
        """The network goes: nobody listens, all connections are reset."""
        if self._site is None or self._runner is None:
            return
        site, self._site = self._site, None
        self.updates.reach(offline=True)
        await site.stop()
        self.reset_connections()

    def reset_connections(self) -> None:
        """Reset all connections; new ones may come."""
        server = None if self._runner is None else self._runner.server
        for connection in [] if server is None else server.connections:
            if connection.transport is not None:
                reset(connection.transport)

    @contextlib.asynccontextmanager
    async def offline(self) -> AsyncIterator[None]:
        """No network inside."""
        await self.go_offline()
        try:
            yield
        finally:
            await self.online()

    def person(self, name: str, *, username: str | None = None, language: str | None = "en", started: bool = True) -> Person:
        """Somebody with a private chat with the bot. `started`: they wrote to it before, so that it may write to them."""
        return Person(self.world, self.world.add_user(name, username, language), started=started)

    def group(self, title: str, *members: Person) -> Group:
        """A basic group with the bot in it."""
        return Group.made(self.world, "group", title, members)

    def supergroup(self, title: str, *members: Person, topics: tuple[str, ...] = ()) -> Group:
        """A supergroup with the bot in it; with topics it is a forum."""
        group = Group.made(self.world, "supergroup", title, members)
        for topic in topics:
            group.topic(topic)
        return group

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.stop()
