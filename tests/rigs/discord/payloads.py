"""How everything looks on the wire."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tests.rigs.discord.world import GROUP, PRIVATE, THREAD, Json

if TYPE_CHECKING:
    from tests.rigs.discord.house import House
    from tests.rigs.discord.people import Person
    from tests.rigs.discord.places import Channel, Guild, Member, Role

_LONG_AGO = "2020-01-01T00:00:00.000000+00:00"
EVERYTHING = str((1 << 50) - 1)
_ADMINISTER, _READ, _HISTORY, _WRITE = 1 << 3, 1 << 10, 1 << 16, 1 << 11 | 1 << 38
_PRIVILEGED = {"presences": 1 << 13, "members": 1 << 15, "message_content": 1 << 19}


def created(snowflake: str) -> str:
    """When an id was made, as Discord writes times."""
    return moment(((int(snowflake) >> 22) + 1_420_070_400_000) / 1000)


def moment(seconds: float) -> str:
    """A time as Discord writes it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")


def user(person: Person) -> Json:
    return {
        "id": person.id,
        "username": person.name.lower().replace(" ", "_"),
        "global_name": person.name,
        "discriminator": "0",
        "avatar": None,
        "bot": person.bot,
        "public_flags": 0,
    }


def application(house: House) -> Json:
    flags = sum(_PRIVILEGED[name] for name in house.script.privileged)
    return {"id": house.bot.id, "flags": flags}


def role(item: Role, position: int) -> Json:
    colors = {"primary_color": 0, "secondary_color": None, "tertiary_color": None}
    rights = str(_READ | _HISTORY | _WRITE)
    return {
        "id": item.id,
        "name": item.name,
        "color": 0,
        "colors": colors,
        "hoist": False,
        "position": position,
        "permissions": rights,
        "managed": False,
        "mentionable": False,
        "flags": 0,
    }


def member(item: Member, *, with_user: bool = True) -> Json:
    """A member; inside of a message its user is left out."""
    rest = {"nick": item.nick, "avatar": None, "premium_since": None, "communication_disabled_until": None}
    body = {"roles": list(item.roles), "joined_at": _LONG_AGO, "deaf": False, "mute": False, "flags": 0, "pending": False, **rest}
    return {"user": user(item.person), **body} if with_user else body


def channel(item: Channel) -> Json:
    """A channel, thread, private or group chat."""
    last = item.posts[-1].id if item.posts else None
    body: Json = {"id": item.id, "type": item.kind, "last_message_id": last, "flags": 0}
    if item.kind in {PRIVATE, GROUP}:
        return {**body, "recipients": [user(person) for person in item.people], **_group(item)}
    assert item.guild is not None
    body |= {"guild_id": item.guild.id, "name": item.name, "rate_limit_per_user": 0}
    body |= {"parent_id": item.parent.id if item.parent else None, "permissions": EVERYTHING}
    if item.kind == THREAD:
        return body | _thread(item)
    return body | {"position": 0, "permission_overwrites": _denied(item), "nsfw": False, "topic": None}


def _group(item: Channel) -> Json:
    return {"name": item.name, "icon": None, "owner_id": item.people[0].id} if item.kind == GROUP else {}


def granted(item: Channel) -> str:
    """What the bot may do there: all but to administer, less what is denied."""
    return str(int(EVERYTHING) & ~(_ADMINISTER | _denial(item)))


def _denied(item: Channel) -> list[Json]:
    assert item.guild is not None
    deny = _denial(item)
    return [{"id": item.guild.id, "type": 0, "allow": "0", "deny": str(deny)}] if deny else []


def _denial(item: Channel) -> int:
    return (0 if item.reads else _READ) | (0 if item.writes else _WRITE) | (0 if item.history else _HISTORY)


def _thread(item: Channel) -> Json:
    life = {"archived": False, "auto_archive_duration": 1440, "archive_timestamp": created(item.id), "locked": False}
    owner = item.people[0].id if item.people else item.id
    counts = {"message_count": len(item.posts), "member_count": 1, "total_message_sent": len(item.posts)}
    return {"owner_id": owner, "thread_metadata": {**life, "create_timestamp": created(item.id)}, **counts}


def guild(item: Guild) -> Json:
    """A guild as GUILD_CREATE brings it: of the members only the bot, as without the privileged intent."""
    house = item.house
    shut: Json = {
        "icon": None,
        "splash": None,
        "discovery_splash": None,
        "description": None,
        "banner": None,
        "vanity_url_code": None,
    }
    levels: Json = dict.fromkeys(
        (
            "verification_level",
            "default_message_notifications",
            "explicit_content_filter",
            "mfa_level",
            "nsfw_level",
            "premium_tier",
        ),
        0,
    )
    lists: Json = {name: [] for name in ("emojis", "stickers", "features", "voice_states", "presences", "stage_instances")}
    ids: Json = dict.fromkeys(("afk_channel_id", "system_channel_id", "rules_channel_id", "public_updates_channel_id"), None)
    return {
        **shut,
        **levels,
        **lists,
        **ids,
        "guild_scheduled_events": [],
        "soundboard_sounds": [],
        "id": item.id,
        "name": item.name,
        "owner_id": next(iter(item.members), item.id),
        "preferred_locale": item.locale,
        "afk_timeout": 300,
        "system_channel_flags": 0,
        "premium_subscription_count": 0,
        "premium_progress_bar_enabled": False,
        "joined_at": _LONG_AGO,
        "large": False,
        "unavailable": False,
        "member_count": len(item.members),
        "application_id": None,
        "roles": [role(each, n) for n, each in enumerate(item.roles)],
        "members": [member(each) for each in item.members.values() if each.person is house.bot],
        "channels": [channel(each) for each in item.channels if each.reads],
        "threads": [channel(each) for each in item.threads if each.reads],
    }
