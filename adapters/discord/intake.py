"""From the gateway's events to the house: who is meant, what was missed, what failed, and the cursors that say where to go on."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from adapters.discord.errors import UNKNOWN_CHANNEL, AnsweredError
from adapters.discord.gate import Gate
from adapters.discord.history import missed
from adapters.discord.lane import Heard, Lane, Takers
from adapters.discord.messages import Me, written_by_person
from adapters.discord.payloads import snowflake_at
from adapters.discord.storing import Storing

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.discord.config import DiscordConfig
    from adapters.discord.members import Members
    from adapters.discord.payloads import Json
    from adapters.discord.places import Place, Places
    from adapters.discord.rest import Rest
    from adapters.types import Host, Ledger, Message, Said

_SEEN = "seen"


class Intake:
    """The lanes of one `run`.

    `say_at_once` sends what the house answers without storing a message; `foreign` is told of messages of our own.
    """

    def __init__(
        self,
        config: DiscordConfig,
        ledger: Ledger,
        places: Places,
        members: Members,
        rest: Rest,
        host: Host,
        me: Me,
        *,
        say_at_once: Callable[[Message, Said], None],
        foreign: Callable[[Json], None],
        point: Callable[[str], None],
    ) -> None:
        self._config = config
        self._ledger = ledger
        self._places = places
        self._rest = rest
        self._me = me
        self._foreign = foreign
        self._point = point
        self._gate = Gate(me, places, frozenset(config.free_chats))
        self._lanes: dict[str, Lane] = {}
        self._cursors: dict[str, tuple[str | None, int]] = {}
        self._seen = 0
        self._fresh, self._verify = False, False
        self._tasks: set[asyncio.Task[None]] = set()
        self._storing = Storing(ledger, places, members, rest, host, me, say_at_once=say_at_once, point=point)
        self._takers = Takers(self._storing.store, self._storing.change, self._missed, self._storing.failed)

    async def load(self) -> None:
        """Where a former process was. Of a fresh install nothing is read back: it has seen all there was."""
        for key, value in (await self._ledger.all("cursor:")).items():
            _, guild, channel = key.split(":")
            self._cursors[channel] = (None if guild == "dm" else guild, int(value))
        kept = await self._ledger.get(_SEEN)
        self._seen = int(kept) if kept else snowflake_at(time.time())
        self._fresh = not kept
        if self._fresh:
            await self._ledger.put(_SEEN, str(self._seen))

    def message_create(self, data: Json) -> None:
        """MESSAGE_CREATE."""
        self._point("fetch")
        if str(data["author"]["id"]) == self._me.user:
            self._foreign(data)
        lane = self._lane(str(data["channel_id"]), data.get("guild_id"))
        wanted = self._gate.wanted(data, lane.channel, lane.guild) or (lane.continues(data) and written_by_person(data))
        self._hear(lane, Heard(int(data["id"]), data if wanted else None))

    def message_update(self, data: Json) -> None:
        """MESSAGE_UPDATE: a person changed the text. Discord tells of link previews in the same way: those do not count."""
        if not data.get("edited_timestamp") or not data.get("author"):
            return
        lane = self._lane(str(data["channel_id"]), data.get("guild_id"))
        if self._gate.wanted(data, lane.channel, lane.guild) or self._storing.joined(str(data["id"])):
            self._hear(lane, Heard(int(data["id"]), data, "edit"))

    def message_delete(self, data: Json) -> None:
        """MESSAGE_DELETE and MESSAGE_DELETE_BULK."""
        lane = self._lane(str(data["channel_id"]), data.get("guild_id"))
        for id_ in data.get("ids") or [data["id"]]:
            lane.withdraw(int(id_))
            self._hear(lane, Heard(int(id_), {}, "delete"))

    def began(self, guilds: set[str]) -> None:
        """A new session: what was written meanwhile is not told, so each channel is read before it goes on.

        Private channels now; servers when they are told of, or when somebody writes there.
        """
        if self._fresh:
            self._fresh = False
            return
        self._verify = True
        for lane in list(self._lanes.values()):
            self._cursors[lane.channel] = (lane.guild, lane.cursor or self._seen)
            self._catch_up(lane)
        for channel, (guild, _) in self._cursors.items():
            if channel not in self._lanes and (guild is None or guild not in guilds):
                self._catch_up(self._lane(channel, guild))

    def told_of(self, guild: str, places: list[Place]) -> None:
        """A server with its channels: those in which something was written behind the cursor are read, old threads too."""
        if not self._verify:
            return
        for place in places:
            known = self._cursors.get(place.id)
            if place.newest > (known[1] if known else self._seen):
                self._catch_up(self._lane(place.id, guild))
        told = {place.id for place in places}
        for channel, (of, _) in self._cursors.items():
            if of == guild and channel not in told:
                self._catch_up(self._lane(channel, guild))

    @property
    def idle(self) -> bool:
        """Whether nothing waits: all that was told is stored."""
        return all(lane.idle for lane in self._lanes.values())

    async def keep(self) -> None:
        """Write down the cursors that only ignored talk moved."""
        newest = max((lane.cursor or 0 for lane in self._lanes.values()), default=0)
        idle = self.idle
        for lane in list(self._lanes.values()):
            if lane.cursor is not None and lane.kept is not None and lane.cursor > lane.kept:
                lane.kept = lane.cursor
                await self._ledger.put(lane.key, str(lane.kept))
        if idle and newest > self._seen:
            self._seen = newest
            await self._ledger.put(_SEEN, str(newest))

    async def close(self) -> None:
        """End what is being handled: it is not acknowledged, and comes again."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _lane(self, channel: str, guild: str | None) -> Lane:
        lane = self._lanes.get(channel)
        if lane is None:
            cursor = self._cursors.get(channel, (None, None))[1]
            lane = Lane(channel, guild, self._takers, paste_s=self._config.deadlines.paste_s, cursor=cursor)
            self._lanes[channel] = lane
            if self._verify:
                lane.miss(self._seen)
        return lane

    def _catch_up(self, lane: Lane) -> None:
        lane.miss(self._seen)
        self._start(lane)

    def _hear(self, lane: Lane, heard: Heard) -> None:
        lane.hear(heard)
        self._start(lane)

    def _start(self, lane: Lane) -> None:
        if lane.busy or lane.idle:
            return
        lane.busy = True
        task = asyncio.get_running_loop().create_task(self._work(lane), name=f"discord channel {lane.channel}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work(self, lane: Lane) -> None:
        try:
            await lane.work()
        finally:
            lane.busy = False

    async def _missed(self, lane: Lane) -> list[Heard]:
        """The history behind a lane's cursor, through the same gate."""
        if self._config.free_chats and lane.guild is not None:
            await self._places.look_up(lane.channel, self._rest)
        try:
            told = await missed(self._rest, self._config, lane.channel, lane.cursor or 0)
        except AnsweredError as error:
            if error.code == UNKNOWN_CHANNEL:
                await self._ledger.put(lane.key, None)
            raise
        for _ in told:
            self._point("fetch")
        return [
            Heard(int(data["id"]), data if wanted else None) for data, wanted in self._gate.sift(told, lane.channel, lane.guild)
        ]
