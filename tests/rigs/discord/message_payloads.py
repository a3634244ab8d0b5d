"""How messages and interactions look on the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from tests.rigs.discord.payloads import EVERYTHING, channel, created, granted, member, user
from tests.rigs.discord.world import Interaction, Json, Post, Upload

if TYPE_CHECKING:
    from tests.rigs.discord.house import House
    from tests.rigs.discord.places import Channel


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
        "app_permissions": granted(place),
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
        body["member"] = {**member(guild_.members[item.person.id]), "permissions": EVERYTHING}
    return body | ({"message": message(item.on, full=True)} if item.on is not None else {})
