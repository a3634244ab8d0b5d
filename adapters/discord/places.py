"""The servers, channels and threads that the bot can see, as the gateway tells of them: no more than what is needed."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from adapters.discord.calls import Calls
    from adapters.discord.payloads import Json
    from adapters.types import Ledger

THREADS = frozenset({10, 11, 12})
DM = 1
_ROLES = "roles:"
_MOST = 20_000

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """A channel or thread. `guild` and `parent` are None where there is none; `newest`: its last message's id, or 0."""

    id: str
    kind: int
    guild: str | None = None
    parent: str | None = None
    newest: int = 0


class Places:
    """What is known of each channel, and which servers have a role that the settings name."""

    def __init__(self, ledger: Ledger, role_ids: frozenset[str]) -> None:
        self._ledger = ledger
        self._role_ids = role_ids
        self._places: dict[str, Place] = {}
        self._roles: dict[str, frozenset[str]] = {}
        self._stale_roles: set[str] = set()

    async def load(self) -> None:
        """The roles as they were last seen: a session that is resumed does not tell of them again."""
        kept = await self._ledger.all(_ROLES)
        for key, value in kept.items():
            self._roles.setdefault(key.removeprefix(_ROLES), frozenset(value.split(",")) & self._role_ids)

    async def keep(self) -> None:
        """Write down which servers have roles that count."""
        for guild in list(self._stale_roles):
            roles = self._roles.get(guild, frozenset())
            await self._ledger.put(_ROLES + guild, ",".join(sorted(roles)) or None)
            self._stale_roles.discard(guild)

    def forget_roles(self, present: set[str]) -> None:
        """Of the servers that a new session does not tell of, nothing counts any more."""
        for guild in set(self._roles) - present:
            self._set_roles(guild, frozenset())

    def of_guild(self, guild: str) -> Iterator[Place]:
        """All channels and threads of a server."""
        return (place for place in list(self._places.values()) if place.guild == guild)

    def get(self, channel: str) -> Place | None:
        """What is known of a channel."""
        return self._places.get(channel)

    def guilds_with_roles(self) -> list[str]:
        """The servers in which a role stands that the settings name."""
        return [guild for guild, roles in self._roles.items() if roles]

    async def look_up(self, channel: str, calls: Calls) -> Place:
        """What a channel is; asks Discord when it was never told. Raises `RestError`."""
        place = self._places.get(channel)
        if place is None:
            place = self.learn(await calls.look(f"/channels/{channel}"))
        return place

    def learn(self, data: Json, guild: str | None = None) -> Place:
        """Take in a channel or thread, as Discord describes it."""
        kind = int(data.get("type", 0))
        place = Place(
            str(data["id"]),
            kind,
            data.get("guild_id") or guild,
            data.get("parent_id") if kind in THREADS else None,
            int(data.get("last_message_id") or 0),
        )
        if len(self._places) >= _MOST:
            self._places.pop(next(iter(self._places)))
        self._places[place.id] = place
        return place

    def guild_create(self, data: Json) -> list[Place]:
        """A server, whole: its channels and threads."""
        if data.get("unavailable"):
            return []
        guild = str(data["id"])
        self._set_roles(guild, frozenset(str(role["id"]) for role in data.get("roles", ())) & self._role_ids)
        return [self.learn(channel, guild) for channel in (*data.get("channels", ()), *data.get("threads", ()))]

    def guild_delete(self, data: Json) -> None:
        """The bot left a server, or was put out of it. One that is unavailable comes back."""
        if not data.get("unavailable"):
            guild = str(data["id"])
            self._set_roles(guild, frozenset())
            for place in list(self.of_guild(guild)):
                del self._places[place.id]

    def channel_delete(self, data: Json) -> None:
        """A channel or thread is gone."""
        self._places.pop(str(data["id"]), None)

    def role_create(self, data: Json) -> None:
        """A new role, which the settings may name already."""
        guild, role = str(data["guild_id"]), str(data["role"]["id"])
        if role in self._role_ids:
            self._set_roles(guild, self._roles.get(guild, frozenset()) | {role})

    def role_delete(self, data: Json) -> None:
        """A role is gone."""
        guild = str(data["guild_id"])
        self._set_roles(guild, self._roles.get(guild, frozenset()) - {str(data["role_id"])})

    def _set_roles(self, guild: str, roles: frozenset[str]) -> None:
        if self._roles.get(guild, frozenset()) != roles:
            self._roles[guild] = roles
            self._stale_roles.add(guild)
