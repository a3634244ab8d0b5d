"""What the gateway tells when something happens, and to whom: by intents, without the words where they are not granted."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.rigs.discord import message_payloads, payloads
from tests.rigs.discord.world import PRIVATE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.rigs.discord.house import House
    from tests.rigs.discord.people import Person
    from tests.rigs.discord.places import Channel, Guild, Member, Role
    from tests.rigs.discord.world import Interaction, Json, Post

GUILDS, MEMBERS, PRESENCES = 1 << 0, 1 << 1, 1 << 8
MESSAGES, REACTIONS, TYPING = (1 << 9, 1 << 12), (1 << 10, 1 << 13), (1 << 11, 1 << 14)
CONTENT = 1 << 15
PRIVILEGED = {"members": MEMBERS, "presences": PRESENCES, "message_content": CONTENT}


def _in(channel: Channel, intents: tuple[int, int]) -> int:
    return intents[channel.private]


def _where(channel: Channel) -> Json:
    return {"channel_id": channel.id} | ({"guild_id": channel.guild.id} if channel.guild is not None else {})


def readable(post: Post, *, granted: bool) -> bool:
    """Whether the bot may see the words of a message: its own, private ones, those that mention it; all where granted."""
    bot = post.channel.house.bot
    return granted or post.author is bot or post.channel.private or bot.id in post.pings


def message(house: House, name: str, post: Post) -> None:
    """MESSAGE_CREATE or MESSAGE_UPDATE. Ephemeral messages, and those where the bot is not, are told to nobody."""
    if post.only_for is None and post.channel.has_bot and post.channel.reads:
        house.tell(name, _in(post.channel, MESSAGES), lambda intents: _read(post, granted=bool(intents & CONTENT)))


def _read(post: Post, *, granted: bool) -> Json:
    return message_payloads.message(post, full=readable(post, granted=granted)) | _where(post.channel)


def message_deleted(house: House, post: Post) -> None:
    if post.only_for is None and post.channel.has_bot and post.channel.reads:
        house.tell("MESSAGE_DELETE", _in(post.channel, MESSAGES), {"id": post.id, **_where(post.channel)})


def messages_deleted(house: House, channel: Channel, posts: Sequence[Post]) -> None:
    if channel.has_bot and channel.reads:
        house.tell("MESSAGE_DELETE_BULK", _in(channel, MESSAGES), {"ids": [post.id for post in posts], **_where(channel)})


def reaction(house: House, name: str, post: Post, person: Person, emoji: str) -> None:
    """MESSAGE_REACTION_ADD or MESSAGE_REACTION_REMOVE."""
    if post.channel.has_bot:
        body = {"user_id": person.id, "message_id": post.id, "emoji": {"id": None, "name": emoji}, "burst": False, "type": 0}
        house.tell(name, _in(post.channel, REACTIONS), body | _where(post.channel))


def typing(house: House, channel: Channel, person: Person) -> None:
    if channel.has_bot and channel.reads:
        body = {"user_id": person.id, "timestamp": int(time.time()), **_where(channel)}
        house.tell("TYPING_START", _in(channel, TYPING), body)


def interaction(house: House, item: Interaction) -> None:
    house.tell("INTERACTION_CREATE", 0, message_payloads.interaction(item, house))


def guild_created(house: House, guild: Guild) -> None:
    if guild.has_bot:
        body = payloads.guild(guild)
        del body["unavailable"]  # it says that an outage is over; a bot that joins is not told so
        house.tell("GUILD_CREATE", GUILDS, body)


def channel_created(house: House, channel: Channel) -> None:
    """CHANNEL_CREATE: of a private chat only when the script says so."""
    if channel.has_bot and channel.reads and (channel.kind != PRIVATE or house.script.dm_channel_create):
        house.tell("CHANNEL_CREATE", 0 if channel.private else GUILDS, payloads.channel(channel))


def channel_updated(house: House, channel: Channel) -> None:
    if channel.has_bot and channel.guild is not None:
        house.tell("CHANNEL_UPDATE", GUILDS, payloads.channel(channel))


def thread_created(house: House, channel: Channel) -> None:
    if channel.has_bot and channel.reads:
        house.tell("THREAD_CREATE", GUILDS, {**payloads.channel(channel), "newly_created": True})


def role_created(house: House, guild: Guild, role: Role) -> None:
    if guild.has_bot:
        body = {"guild_id": guild.id, "role": payloads.role(role, len(guild.roles) - 1)}
        house.tell("GUILD_ROLE_CREATE", GUILDS, body)


def member_joined(house: House, guild: Guild, member: Member) -> None:
    if guild.has_bot:
        house.tell("GUILD_MEMBER_ADD", MEMBERS, {"guild_id": guild.id, **payloads.member(member)})


def member_left(house: House, guild: Guild, person: Person) -> None:
    if guild.has_bot:
        house.tell("GUILD_MEMBER_REMOVE", MEMBERS, {"guild_id": guild.id, "user": payloads.user(person)})


def member_updated(house: House, guild: Guild, member: Member) -> None:
    if guild.has_bot:
        house.tell("GUILD_MEMBER_UPDATE", MEMBERS, {"guild_id": guild.id, **payloads.member(member)})
