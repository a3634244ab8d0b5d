"""The stand-in itself: one loopback server with the REST interface, the gateway and the files, and what a test needs of it."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Self

from aiohttp import web

from tests.rigs.discord import desk, events
from tests.rigs.discord.gateway import Gateway
from tests.rigs.discord.house import Called, House, Violation
from tests.rigs.discord.ledger import Ledger
from tests.rigs.discord.people import Person
from tests.rigs.discord.places import Channel, Guild, Member, Role
from tests.rigs.discord.script import Fault, Script
from tests.rigs.discord.trouble import broken
from tests.rigs.discord.world import GROUP, Interaction, Json, Post

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from types import TracebackType


class Discord:
    """The stand-in. The fields of `Script` may be given by name.

    Everything but the sockets outlives `stop` and `start`, on the same port.
    """

    def __init__(self, *, port: int = 0, **script: Any) -> None:
        settings = Script()
        settings.change(script)
        self.house = House(settings)
        self.gateway = Gateway(self.house)
        self.ledger = Ledger(self.house)
        self._port = port
        self._runner: web.AppRunner | None = None
        self._listener: asyncio.Server | None = None

    @property
    def script(self) -> Script:
        """How it behaves; fields may be set at any time."""
        return self.house.script

    @property
    def token(self) -> str:
        """The bot's token."""
        return self.house.token

    @property
    def bot(self) -> Person:
        """The bot."""
        return self.house.bot

    @property
    def api_base(self) -> str:
        """The address of the REST interface, for the setting `discord.api_base`."""
        return f"{self.house.address}/api/v10"

    @property
    def gateway_url(self) -> str:
        """The address of the gateway, for the setting `discord.gateway`."""
        return f"ws{self.house.address.removeprefix('http')}/"

    @property
    def calls(self) -> list[Called]:
        """Every REST call, in order."""
        return self.house.calls

    @property
    def violations(self) -> list[Violation]:
        """What a well-behaved bot would not have done."""
        return self.house.violations

    @property
    def identifies(self) -> list[float]:
        """The times of all IDENTIFYs."""
        return self.house.sessions.starts

    @property
    def resumes(self) -> list[float]:
        """The times of all RESUMEs that succeeded."""
        return self.house.sessions.resumes

    @property
    def invalid_requests(self) -> int:
        """How many calls were answered 401, 403 or 429."""
        return len(self.house.limits.invalid)

    @property
    def commands(self) -> list[Json]:
        """The commands the bot has registered."""
        return self.house.world.commands

    @property
    def interactions(self) -> list[Interaction]:
        """Every interaction, in order."""
        return list(self.house.world.interactions.values())

    def person(self, name: str, *, locale: str = "en-US", bot: bool = False, accepts_dms: bool = True) -> Person:
        """Somebody new. The first one owns the application."""
        person = Person(self.house.world.ids.next(), name, self.house, locale, bot, accepts_dms)
        self.house.world.people[person.id] = person
        return person

    def guild(self, name: str, *people: Person, has_bot: bool = True, locale: str = "en-US") -> Guild:
        """A new server with its first members."""
        world = self.house.world
        guild = Guild(world.ids.next(), name, self.house, has_bot, locale)
        world.guilds[guild.id] = guild
        guild.roles.append(Role(guild.id, "@everyone"))
        guild.members = {person.id: Member(person) for person in (*people, *([self.bot] if has_bot else []))}
        events.guild_created(self.house, guild)
        return guild

    def group(self, *people: Person) -> Channel:
        """A group chat of people; the bot is not in it."""
        channel = self.house.place(GROUP, "group")
        channel.people = list(people)
        return channel

    def elsewhere(self, channel: Channel, text: str) -> Post:
        """Another client that has the bot's token writes."""
        post = Post(self.house.world.ids.next(), channel, self.bot, text, time.monotonic(), elsewhere=True)
        self.house.world.add(post)
        events.message(self.house, "MESSAGE_CREATE", post)
        return post

    def unfurl(self, post: Post) -> None:
        """The server adds a preview to a message: it is updated though nobody edited it."""
        post.embeds = [{"type": "link", "url": "http://127.0.0.1/", "title": "A page"}]
        events.message(self.house, "MESSAGE_UPDATE", post)

    def fault(self, kind: str, route: str = "*", channel: Channel | None = None, **rest: Any) -> Fault:
        """Add a fault (the fields of `Fault` by name), and return it: `struck` counts, `times = 0` ends it."""
        fault = Fault(kind, route, None if channel is None else channel.id, **rest)  # type: ignore[arg-type]
        self.house.faults.append(fault)
        return fault

    def revoke(self) -> str:
        """Change the bot's token, end its sessions, and return the new one."""
        self.house.token += "x"
        self.gateway.close(4004)
        return self.house.token

    async def until(self, true: Callable[[], Any], timeout_s: float = 10.0) -> Any:
        """Wait until something is true of what happened, and return it. Raises `TimeoutError`."""
        return await self.house.until(true, timeout_s)

    async def answered(self, asked: Post | Interaction, text: str = "", timeout_s: float = 10.0) -> Sequence[Post]:
        """Wait for an answer that is not loading any more and contains a text; all answers to it."""

        def there() -> list[Post]:
            found = self.ledger.answers_to(asked)
            return found if any(text in post.content and not post.loading for post in found) else []

        answers: list[Post] = await self.until(there, timeout_s)
        return answers

    async def connected(self, timeout_s: float = 10.0) -> None:
        """Wait until a bot has identified or resumed."""
        await self.until(lambda: self.gateway.connected, timeout_s)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen; after a `stop` on the same port as before."""
        app = web.Application(client_max_size=64 * 2**20)
        app.add_routes(desk.routes(self.house))
        app.add_routes([web.get("/", self.gateway.serve), web.get("/resume", self.gateway.serve)])
        app.add_routes([web.get("/attachments/{channel}/{file}/{name}", self._file)])
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        self.house.released.clear()
        await self.mend()

    async def stop(self) -> None:
        """Close everything."""
        await self.cut()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def mend(self) -> None:
        """Be reachable again, on the same port."""
        assert self._runner is not None
        assert self._runner.server is not None
        self._listener = await asyncio.get_running_loop().create_server(self._runner.server, "127.0.0.1", self._port)
        self._port = self._listener.sockets[0].getsockname()[1]
        self.house.address = f"http://127.0.0.1:{self._port}"

    async def cut(self) -> None:
        """Vanish from the network: the port is closed and every connection reset; sessions and everything else stay."""
        if self._listener is None:
            return
        self._listener.close()
        self.house.released.set()
        assert self._runner is not None
        assert self._runner.server is not None
        for connection in self._runner.server.connections:
            if connection.transport is not None:
                connection.transport.abort()
        await asyncio.sleep(0)
        self._listener = None
        self.house.released.clear()

    @asynccontextmanager
    async def outage(self) -> AsyncIterator[None]:
        """The network is gone inside of the block."""
        await self.cut()
        try:
            yield
        finally:
            await self.mend()

    async def _file(self, request: web.Request) -> web.Response:
        if fault := self.house.strike("attachment", request.match_info["channel"], after=False):
            return await broken(self.house, fault, request)
        file = self.house.world.files.get(request.match_info["file"])
        if file is None or file.name != request.match_info["name"]:
            return web.Response(status=404, text="This content is no longer available.")
        file.fetched += 1
        return web.Response(body=file.data, content_type=file.media_type or "application/octet-stream")
