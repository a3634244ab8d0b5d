"""How everything looks on the wire."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

from tests.rigs.discord.world import GROUP, PRIVATE, THREAD, Interaction, Json, Post, Upload

if TYPE_CHECKING:
    from tests.rigs.discord.house import House
    from tests.rigs.discord.people import Person
    from tests.rigs.discord.places import Channel, Guild, Member, Role

_LONG_AGO = "2020-01-01T00:00:00.000000+00:00"
_EVERYTHING = str((1 << 50) - 1)
_READ, _WRITE = 1 << 10 | 1 << 16, 1 << 11 | 1 << 38
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
    rights = str(_READ | _WRITE)
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
    body |= {"parent_id": item.parent.id if item.parent else None, "permissions": _EVERYTHING}
    if item.kind == THREAD:
        return body | _thread(item)
    return body | {"position": 0, "permission_overwrites": _denied(item), "nsfw": False, "topic": None}


def _group(item: Channel) -> Json:
    return {"name": item.name, "icon": None, "owner_id": item.people[0].id} if item.kind == GROUP else {}


def _denied(item: Channel) -> list[Json]:
    assert item.guild is not None
    deny = (0 if item.reads else _READ) | (0 if item.writes else _WRITE)
    return [{"id": item.guild.id, "type": 0, "allow": "0", "deny": str(deny)}] if deny else []


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


def attachment(house: House, file: Upload, place: Channel) -> Json:
    url = f"{house.address}/attachments/{place.id}/{file.id}/{quote(file.name)}?ex=1&is=1&hm={file.id}"
    body: Json = {"id": file.id, "filename": file.name, "size": len(file.data), "url": url, "proxy_url": url}
    return body | ({"content_type": file.media_type} if file.media_type else {})


def message(post: Post, *, full: bool, quote_it: bool = True) -> Json:
    """A message. Without `full` everything that its author wrote is left out, as without the intent to read it."""
    house, place, guild_ = post.channel.house, post.channel, post.channel.guild
    body: Json = {
        "id": post.id,
        "channel_id": place.id,
        "author": user(post.author),
        "timestamp": created(post.id),
        "edited_timestamp": post.edited,
        "tts": False,
        "mention_everyone": post.everyone,
        "mention_roles": [],
        "pinned": False,
        "content": post.content if full else "",
        "embeds": post.embeds if full else [],
        "mentions": [_mentioned(post, each) for each in post.pings],
        "attachments": [attachment(house, each, place) for each in post.files] if full else [],
        "components": post.components if full else [],
        "type": _kind(post),
        "flags": post.flags,
    }
    if guild_ is not None and post.author.id in guild_.members:
        body["member"] = member(guild_.members[post.author.id], with_user=False)
    return body | _links(post, full=full, quote_it=quote_it)


def _kind(post: Post) -> int:
    if post.interaction is not None and post.interaction.kind == 2 and post is post.interaction.original:
        return 20 if post.interaction.data["type"] == 1 else 23
    return 19 if post.reference is not None else 0


def _mentioned(post: Post, person_id: str) -> Json:
    body = user(post.channel.house.world.people[person_id])
    members = post.channel.guild.members if post.channel.guild is not None else {}
    return body | ({"member": member(members[person_id], with_user=False)} if person_id in members else {})


def _links(post: Post, *, full: bool, quote_it: bool) -> Json:
    body: Json = {} if post.nonce is None else {"nonce": post.nonce}
    if post.reactions:
        body["reactions"] = _reactions(post)
    if post.reference is not None:
        body["message_reference"] = {"type": 0, "message_id": post.reference.id, "channel_id": post.reference.channel.id}
        if post.channel.guild is not None:
            body["message_reference"]["guild_id"] = post.channel.guild.id
        if quote_it:
            gone = post.reference.deleted_at is not None
            full = full or post.reference.author is post.channel.house.bot
            body["referenced_message"] = None if gone else message(post.reference, full=full, quote_it=False)
    if post.interaction is not None:
        body |= {"application_id": post.channel.house.bot.id, "webhook_id": post.channel.house.bot.id}
        body["interaction_metadata"] = _cause(post.interaction)
    return body


def _reactions(post: Post) -> list[Json]:
    emojis = dict.fromkeys(each.emoji for each in post.reactions)
    mine = {each.emoji for each in post.reactions if each.person is post.channel.house.bot}
    count = {emoji: sum(each.emoji == emoji for each in post.reactions) for emoji in emojis}
    return [
        {
            "count": count[emoji],
            "count_details": {"burst": 0, "normal": count[emoji]},
            "me": emoji in mine,
            "me_burst": False,
            "emoji": {"id": None, "name": emoji},
            "burst_colors": [],
        }
        for emoji in emojis
    ]


def _cause(item: Interaction) -> Json:
    body = {"id": item.id, "type": item.kind, "user": user(item.person), "authorizing_integration_owners": owners(item)}
    return body | ({"interacted_message_id": item.on.id} if item.on is not None else {})


def owners(item: Interaction) -> Json:
    """Who installed the app that an interaction uses: a guild (0), the person (1)."""
    if item.user_install:
        return {"1": item.person.id}
    return {"0": item.channel.guild.id if item.channel.guild is not None else "0"}


def interaction(item: Interaction, house: House) -> Json:
    """An interaction as INTERACTION_CREATE brings it."""
    place, guild_ = item.channel, item.channel.guild
    body: Json = {
        "id": item.id,
        "application_id": house.bot.id,
        "type": item.kind,
        "token": item.token,
        "version": 1,
        "data": item.data,
        "channel": channel(place),
        "channel_id": place.id,
        "locale": item.person.locale,
        "entitlements": [],
        "attachment_size_limit": house.script.file_bytes,
        "app_permissions": _EVERYTHING,
        "entitlement_sku_ids": [],
        "authorizing_integration_owners": owners(item),
        "context": 0 if guild_ else 1 if place.private else 2,
    }
    if guild_ is None:
        body["user"] = user(item.person)
    else:
        body |= {
            "guild_id": guild_.id,
            "guild": {"id": guild_.id, "locale": guild_.locale, "features": []},
            "guild_locale": guild_.locale,
        }
        body["member"] = {**member(guild_.members[item.person.id]), "permissions": _EVERYTHING}
    return body | ({"message": message(item.on, full=True)} if item.on is not None else {})
