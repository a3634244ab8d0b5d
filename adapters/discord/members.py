"""The roles of a person, as they are at this moment: what a removed role granted is gone with the next message."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from adapters.discord.errors import AnsweredError

if TYPE_CHECKING:
    from adapters.discord.calls import Calls
    from adapters.discord.payloads import Json
    from adapters.discord.places import Places


class Members:
    """Looks people up. `counts`: the roles that the settings name; when there are none, nobody is looked up."""

    def __init__(self, calls: Calls, places: Places, counts: frozenset[str]) -> None:
        self._calls = calls
        self._places = places
        self._counts = counts

    async def roles(self, user: str, guild: str | None, member: Json | None) -> tuple[str, ...]:
        """The roles that a message is sent with: those of its server, or, in private, all that count. Raises `RestError`."""
        if member is not None and "roles" in member:
            return tuple(str(role) for role in member["roles"])
        if not self._counts:
            return ()
        guilds = [guild] if guild is not None else self._places.guilds_with_roles()
        found = await asyncio.gather(*(self._of(guild, user) for guild in guilds))
        return tuple(role for roles in found for role in roles if guild is not None or role in self._counts)

    async def _of(self, guild: str, user: str) -> tuple[str, ...]:
        try:
            member = await self._calls.look(f"/guilds/{guild}/members/{user}")
        except AnsweredError:  # not a member there, or we are not any more
            return ()
        return tuple(str(role) for role in member.get("roles", ()))
