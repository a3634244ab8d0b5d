"""Where people talk: guilds with their roles, members, channels and threads; private chats; group chats."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.rigs.discord import events
from tests.rigs.discord.world import PRIVATE, TEXT, THREAD

if TYPE_CHECKING:
    from tests.rigs.discord.house import House
    from tests.rigs.discord.people import Person
    from tests.rigs.discord.world import Post


@dataclass(eq=False, slots=True)
class Channel:
    """A channel, thread, private or group chat. `reads` and `writes` are the bot's rights."""

    id: str
    kind: int
    name: str
    house: House = field(repr=False)
    guild: Guild | None = None
    parent: Channel | None = None
    people: list[Person] = field(default_factory=list)
    reads: bool = True
    writes: bool = True
    history: bool = True
    posts: list[Post] = field(default_factory=list, repr=False)

    @property
    def private(self) -> bool:
        """Whether it is the private chat of one person with the bot."""
        return self.kind == PRIVATE

    @property
    def has_bot(self) -> bool:
        """Whether the bot can see it at all."""
        return self.guild.has_bot if self.guild is not None else self.private

    def thread(self, name: str, by: Person | None = None) -> Channel:
        """Open a thread in it."""
        channel = self.house.place(THREAD, name, guild=self.guild, parent=self)
        channel.people = [by] if by is not None else []
        channel.reads, channel.writes, channel.history = self.reads, self.writes, self.history
        events.thread_created(self.house, channel)
        return channel

    def allow(self, *, reads: bool = True, writes: bool = True, history: bool = True) -> None:
        """Change what the bot may do there."""
        self.reads, self.writes, self.history = reads, writes, history
        events.channel_updated(self.house, self)


@dataclass(eq=False, slots=True)
class Role:
    """A role of a guild."""

    id: str
    name: str


@dataclass(eq=False, slots=True)
class Member:
    """A person in a guild. `roles` are ids."""

    person: Person
    roles: list[str] = field(default_factory=list)
    nick: str | None = None


@dataclass(eq=False, slots=True)
class Guild:
    """A server. Without `has_bot` only a person who installed the app can use it there."""

    id: str
    name: str
    house: House = field(repr=False)
    has_bot: bool = True
    locale: str = "en-US"
    roles: list[Role] = field(default_factory=list)
    members: dict[str, Member] = field(default_factory=dict, repr=False)
    channels: list[Channel] = field(default_factory=list, repr=False)
    threads: list[Channel] = field(default_factory=list, repr=False)

    def channel(self, name: str) -> Channel:
        """Open a text channel."""
        channel = self.house.place(TEXT, name, guild=self)
        events.channel_created(self.house, channel)
        return channel

    def role(self, name: str) -> Role:
        """Make a role."""
        role = Role(self.house.world.ids.next(), name)
        self.roles.append(role)
        events.role_created(self.house, self, role)
        return role

    def join(self, person: Person, *roles: Role) -> None:
        """Let a person in, with roles."""
        self.members[person.id] = Member(person, [role.id for role in roles])
        events.member_joined(self.house, self, self.members[person.id])

    def leave(self, person: Person) -> None:
        """Let a person go."""
        del self.members[person.id]
        events.member_left(self.house, self, person)

    def give(self, person: Person, role: Role) -> None:
        """Give a role."""
        self.members[person.id].roles.append(role.id)
        events.member_updated(self.house, self, self.members[person.id])

    def take(self, person: Person, role: Role) -> None:
        """Take a role away."""
        self.members[person.id].roles.remove(role.id)
        events.member_updated(self.house, self, self.members[person.id])
