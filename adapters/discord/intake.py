"""From the gateway's events to the house: who is meant, what was missed, what failed, and the cursors that say where to go on."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from typing import TYPE_CHECKING

from adapters.discord.errors import UNKNOWN_CHANNEL, AnsweredError
from adapters.discord.history import missed
from adapters.discord.lane import Heard, Lane, Takers, same_paste
from adapters.discord.messages import (
    Me,
    Where,
    holds_anything,
    message_of,
    pings,
    written_by_person,
)
from adapters.discord.payloads import snowflake_at
from adapters.discord.places import THREADS
from adapters.types import Said

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from adapters.discord.config import DiscordConfig
    from adapters.discord.members import Members
    from adapters.discord.payloads import Json
    from adapters.discord.places import Place, Places
    from adapters.discord.rest import Rest
    from adapters.types import Host, Ledger, Message

_TRIES = 5
_POISON = "poison:"
_SEEN = "seen"

_log = logging.getLogger(__name__)


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
        say_at_once: Callable[[Message, Said], Awaitable[None]],
        foreign: Callable[[Json], None],
        point: Callable[[str], None],
    ) -> None:
        self._config = config
        self._ledger = ledger
        self._places = places
        self._members = members
        self._rest = rest
        self._host = host
        self._me = me
        self._say_at_once = say_at_once
        self._foreign = foreign
        self._point = point
        self._free = frozenset(config.free_chats)
        self._lanes: dict[str, Lane] = {}
        self._cursors: dict[str, tuple[str | None, int]] = {}
        self._joined: dict[str, list[Json]] = {}
        self._seen = 0
        self._fresh, self._verify = False, False
        self._tasks: set[asyncio.Task[None]] = set()
        self._takers = Takers(self._store, self._change, self._missed, self._failed)

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
        wanted = self._wanted(data, lane) or (lane.continues(data) and written_by_person(data))
        self._hear(lane, Heard(int(data["id"]), data if wanted else None))

    def message_update(self, data: Json) -> None:
        """MESSAGE_UPDATE: a person changed the text. Discord tells of link previews in the same way: those do not count."""
        if not data.get("edited_timestamp") or not data.get("author"):
            return
        lane = self._lane(str(data["channel_id"]), data.get("guild_id"))
        if self._wanted(data, lane) or str(data["id"]) in self._joined:
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

    def _wanted(self, data: Json, lane: Lane) -> bool:
        """Whether it is for the bot, and more than its name."""
        if not written_by_person(data) or not holds_anything(data, self._me):
            return False
        return lane.guild is None or pings(data, self._me) or self._is_free(lane.channel)

    def _is_free(self, channel: str) -> bool:
        place = self._places.get(channel)
        return channel in self._free or (place is not None and place.parent in self._free)

    async def _missed(self, lane: Lane) -> list[Heard]:
        """The history behind a lane's cursor, through the same gate."""
        if self._free and lane.guild is not None:
            await self._places.look_up(lane.channel, self._rest)
        found: list[Heard] = []
        before: Json = {}
        try:
            told = await missed(self._rest, self._config, lane.channel, lane.cursor or 0)
        except AnsweredError as error:
            if error.code == UNKNOWN_CHANNEL:
                await self._ledger.put(lane.key, None)
            raise
        for data in told:
            self._point("fetch")
            sender = data["author"]["id"]
            half = sender in before and same_paste(before[sender], data) and written_by_person(data)
            wanted = self._wanted(data, lane) or (half and holds_anything(data, self._me))
            before.pop(sender, None)
            if wanted:
                before[sender] = data
            found.append(Heard(int(data["id"]), data if wanted else None))
        return found

    async def _store(self, lane: Lane, pieces: list[Heard], last: int) -> None:
        message = await self._message(lane, [piece.told for piece in pieces])
        if lane.kept is None:  # else a message that is refused now would be lost to the next process
            lane.kept = pieces[0].id - 1
            await self._ledger.put(lane.key, str(lane.kept))
        taken = await self._host.receive(message, (lane.key, str(last)))
        self._point("confirm")
        if len(pieces) > 1:
            self._note_joined([piece.told for piece in pieces])
        if isinstance(taken, Said):
            await self._say_at_once(message, taken)

    async def _message(self, lane: Lane, pieces: list[Json]) -> Message:
        chat, thread = lane.channel, None
        if lane.guild is not None:
            chat, thread = await self._chat(lane.channel)
        roles = await self._members.roles(pieces[0]["author"]["id"], lane.guild, pieces[0].get("member"))
        return message_of(pieces, Where(chat, thread, lane.guild), roles, self._me)

    async def _chat(self, channel: str) -> tuple[str, str | None]:
        try:
            place = await self._places.look_up(channel, self._rest)
        except AnsweredError:
            return channel, None
        return (place.parent, channel) if place.kind in THREADS and place.parent else (channel, None)

    async def _change(self, lane: Lane, heard: Heard) -> None:
        """Tell of an edit or a deletion. One that fails is told once more, then left: the message itself is kept in any case."""
        for last in (False, True):
            try:
                if heard.kind == "delete":
                    await self._host.deleted("discord", self._me.user, [str(heard.id)])
                else:
                    await self._host.edited(await self._message(lane, self._pieces(heard)))
            except Exception as error:  # noqa: BLE001 -- logged; a change that nobody can take must not stop the channel
                _log.error("discord: change not taken id=%d kind=%s error=%s", heard.id, heard.kind, type(error).__name__)
                if not last:
                    await asyncio.sleep(0.5)
            else:
                return

    def _pieces(self, heard: Heard) -> list[Json]:
        """An edited message; where it is a piece of a paste, with the others."""
        pieces = self._joined.get(str(heard.id))
        if pieces is None:
            return [heard.told]
        n = next(n for n, piece in enumerate(pieces) if str(piece["id"]) == str(heard.id))
        pieces[n] = {**pieces[n], **heard.told}
        return pieces

    def _note_joined(self, pieces: list[Json]) -> None:
        while len(self._joined) > 50:
            self._joined.pop(next(iter(self._joined)))
        self._joined.update({str(piece["id"]): pieces for piece in pieces})

    async def _failed(self, lane: Lane, heard: Heard) -> bool:
        """Count a try, lasting; after the fifth the message is set aside. What cannot be counted was not the message's fault."""
        key = f"{_POISON}{heard.id}"
        try:
            tries = json.loads(await self._ledger.get(key) or "0") + 1
            await self._ledger.put(key, json.dumps(tries))
            if tries < _TRIES:
                return False
            await self._ledger.put(f"aside:{heard.id}", lane.channel)
            await self._ledger.put(lane.key, str(heard.id))
            await self._ledger.put(key, None)
        except Exception as error:  # noqa: BLE001 -- the store is down: everything waits until it is back
            _log.error("discord: nothing can be stored error=%s", type(error).__name__)
            return False
        _log.error("discord: message set aside after %d tries id=%d channel=%s", tries, heard.id, lane.channel)
        return True
