"""What the parts of the stand-in share: the script, the world, the sessions, the limits, and what has been noted."""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import suppress
from dataclasses import dataclass, field
from fnmatch import fnmatch
from typing import TYPE_CHECKING, Any

from tests.rigs.discord import events
from tests.rigs.discord.limits import Limits
from tests.rigs.discord.people import Person, mentioned
from tests.rigs.discord.places import Channel, Guild
from tests.rigs.discord.script import Fault, Script
from tests.rigs.discord.sessions import Sessions
from tests.rigs.discord.world import PRIVATE, Json, World

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Violation:
    """What a well-behaved bot does not do. `kind`: `length`, `mentions`, `components`, `early`, …; `where` names the route."""

    kind: str
    where: str
    detail: str
    at: float


@dataclass(eq=False, slots=True)
class Called:
    """One REST call: the route's name, the channel (or interaction token) it is about, the status it was answered with."""

    name: str
    method: str
    path: str
    place: str | None
    at: float
    status: int | None = None
    body: Json = field(default_factory=dict)


class House:
    """The shared state. It outlives the daemon, and the network."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.world = World()
        self.token = "MTAwMDAwMDAwMDAwMDAwMDAw.G00000.rig-token-not-secret"
        self.address = ""
        self.sessions = Sessions(script)
        self.limits = Limits(script)
        self.faults: list[Fault] = []
        self.calls: list[Called] = []
        self.violations: list[Violation] = []
        self.released = asyncio.Event()
        self.random = random.Random(script.seed)
        self._changed: set[asyncio.Event] = set()
        self.bot = Person(self.world.ids.next(), "Grillon", self, bot=True)
        self.world.people[self.bot.id] = self.bot

    def tell(self, name: str, intents: int, body: Json | Callable[[int], Json]) -> None:
        """Send an event to every session that asked for it (0: to all); `body` may depend on the session's intents."""
        self.sessions.tell(name, intents, body)
        self.stir()

    def place(self, kind: int, name: str, *, guild: Guild | None = None, parent: Channel | None = None) -> Channel:
        """Make a channel and put it where it belongs."""
        channel = Channel(self.world.ids.next(), kind, name, self, guild, parent)
        self.world.channels[channel.id] = channel
        if guild is not None:
            (guild.channels if parent is None else guild.threads).append(channel)
        return channel

    def private(self, person: Person) -> Channel:
        """The private chat of a person with the bot, made when it is first needed."""
        for channel in self.world.channels.values():
            if channel.kind == PRIVATE and channel.people == [person]:
                return channel
        channel = self.place(PRIVATE, "")
        channel.people = [person]
        events.channel_created(self, channel)
        return channel

    def named(self, text: str) -> list[str]:
        """The ids of the people that a text mentions."""
        return [each for each in mentioned(text) if each in self.world.people]

    def violate(self, kind: str, where: str, detail: str) -> None:
        """Note what a bot should not have done."""
        self.violations.append(Violation(kind, where, detail, time.monotonic()))

    def strike(self, name: str, place: str | None, *, after: bool) -> Fault | None:
        """The fault that hits this call now, if any."""
        return next((fault for fault in self.faults if self._strikes(fault, name, place, after=after)), None)

    def _strikes(self, fault: Fault, name: str, place: str | None, *, after: bool) -> bool:
        spent = fault.times is not None and fault.struck >= fault.times
        fits = fault.after == after and fnmatch(name, fault.route) and fault.channel in {None, place}
        if spent or not fits or (fault.probability < 1 and self.random.random() >= fault.probability):
            return False
        fault.struck += 1
        return True

    def stir(self) -> None:
        """Wake whoever waits for something to be true."""
        for event in self._changed:
            event.set()

    async def until(self, true: Callable[[], Any], timeout_s: float) -> Any:
        """Wait until `true()` gives something true, and return it. Raises `TimeoutError`."""
        event = asyncio.Event()
        self._changed.add(event)
        try:
            async with asyncio.timeout(timeout_s):
                while not (value := true()):
                    event.clear()
                    # The bot's own state may be asked for, of which nobody tells. `wait_for` would now and then swallow the end.
                    with suppress(TimeoutError):
                        async with asyncio.timeout(0.02):
                            await event.wait()
                    await asyncio.sleep(0.002)  # what happens at once is looked at once
                return value
        finally:
            self._changed.discard(event)
