"""A message on its way from its channel to the house, and what happens to it afterwards: edits, deletions, failures."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from adapters.discord.aside import set_aside
from adapters.discord.errors import AnsweredError
from adapters.discord.messages import NAME, Me, Where, message_of
from adapters.discord.places import THREADS
from adapters.types import Said

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.discord.lane import Heard, Lane
    from adapters.discord.members import Members
    from adapters.discord.payloads import Json
    from adapters.discord.places import Places
    from adapters.discord.rest import Rest
    from adapters.types import Host, Ledger, Message

_MOST_JOINED = 50

_log = logging.getLogger(__name__)


class Storing:
    """Does what lanes ask for. `say_at_once` sends what the house answers without storing a message."""

    def __init__(
        self,
        ledger: Ledger,
        places: Places,
        members: Members,
        rest: Rest,
        host: Host,
        me: Me,
        *,
        say_at_once: Callable[[Message, Said], None],
        point: Callable[[str], None],
    ) -> None:
        self._ledger = ledger
        self._places = places
        self._members = members
        self._rest = rest
        self._host = host
        self._me = me
        self._say_at_once = say_at_once
        self._point = point
        self._joined: dict[str, list[Json]] = {}

    def joined(self, id_: str) -> bool:
        """Whether a message was stored as a piece of a paste."""
        return id_ in self._joined

    async def store(self, lane: Lane, pieces: list[Heard], last: int) -> None:
        """Store a message, a cut paste as one; `last` is the id up to which the channel is stored then. Raises as the host does."""
        message = await self._message(lane, [piece.told for piece in pieces])
        if lane.kept is None:  # else a message that is refused now would be lost to the next process
            lane.kept = pieces[0].id - 1
            await self._ledger.put(lane.key, str(lane.kept))
        taken = await self._host.receive(message, (lane.key, str(last)))
        self._point("confirm")
        if len(pieces) > 1:
            self._note_joined([piece.told for piece in pieces])
        if isinstance(taken, Said):
            self._say_at_once(message, taken)

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

    async def change(self, lane: Lane, heard: Heard) -> None:
        """Tell of an edit or a deletion. One that fails is told once more, then left: the message itself is kept in any case."""
        for last in (False, True):
            try:
                if heard.kind == "delete":
                    await self._host.deleted(NAME, self._me.user, [str(heard.id)])
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
        while len(self._joined) > _MOST_JOINED:
            self._joined.pop(next(iter(self._joined)))
        self._joined.update({str(piece["id"]): pieces for piece in pieces})

    async def failed(self, lane: Lane, heard: Heard) -> bool:
        """Count a try of a message that cannot be stored; True: it is set aside."""
        return await set_aside(self._ledger, heard.id, lane.channel, lane.key)
