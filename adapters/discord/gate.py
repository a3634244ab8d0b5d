"""Which messages are for the bot: all others are never looked at again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.discord.lane import same_paste
from adapters.discord.messages import Me, holds_anything, pings, written_by_person

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from adapters.discord.payloads import Json
    from adapters.discord.places import Places


class Gate:
    """The gate. `free`: channels in which everything counts, their threads too."""

    def __init__(self, me: Me, places: Places, free: frozenset[str]) -> None:
        self._me = me
        self._places = places
        self._free = free

    def wanted(self, data: Json, channel: str, guild: str | None) -> bool:
        """Whether a message is for the bot, and more than its name."""
        if not written_by_person(data) or not holds_anything(data, self._me):
            return False
        return guild is None or pings(data, self._me) or self._is_free(channel)

    def sift(self, told: Sequence[Json], channel: str, guild: str | None) -> Iterator[tuple[Json, bool]]:
        """Each message of a history, oldest first, and whether it is for the bot: the rest of a paste is."""
        before: dict[str, Json] = {}
        for data in told:
            first = before.pop(data["author"]["id"], None)
            half = first is not None and same_paste(first, data) and written_by_person(data)
            wanted = self.wanted(data, channel, guild) or (half and holds_anything(data, self._me))
            if wanted:
                before[data["author"]["id"]] = data
            yield data, wanted

    def _is_free(self, channel: str) -> bool:
        place = self._places.get(channel)
        return channel in self._free or (place is not None and place.parent in self._free)
