"""The routes of channels and their messages: send, read, edit, delete, react, type."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.rigs.discord import events, message_payloads, posting
from tests.rigs.discord.places import Channel
from tests.rigs.discord.wire import Answer, Call, RefusedError
from tests.rigs.discord.world import Post, Reaction

if TYPE_CHECKING:
    from tests.rigs.discord.house import House
    from tests.rigs.discord.world import Json


def place(house: House, call: Call) -> Channel:
    """The channel of a call. Raises when the bot cannot see it, or there is none."""
    channel = house.world.channels.get(call.at["channel"])
    if channel is None:
        raise RefusedError(404, 10003)
    if not channel.has_bot or not channel.reads:
        raise RefusedError(403, 50001)
    return channel


def _writable(house: House, call: Call) -> Channel:
    channel = place(house, call)
    if not channel.writes:
        raise RefusedError(403, 50013)
    if channel.private and not all(person.accepts_dms for person in channel.people):
        raise RefusedError(403, 50007)
    return channel


def _post(house: House, call: Call) -> Post:
    channel, post = place(house, call), house.world.posts.get(call.at["message"])
    if post is None or post.deleted_at is not None or post.channel is not channel or post.only_for is not None:
        raise RefusedError(404, 10008)
    return post


def _shown(house: House, post: Post) -> Json:
    granted = "message_content" in house.script.privileged
    return message_payloads.message(post, full=events.readable(post, granted=granted))


def create(house: House, call: Call) -> Answer:
    """Send a message; with `enforce_nonce` the first one with that nonce comes back for a while."""
    channel = _writable(house, call)
    nonce = call.body.get("nonce") if isinstance(call.body, dict) else None
    if nonce is not None and call.body.get("enforce_nonce") and (first := _known(house, channel, str(nonce))):
        return Answer(_shown(house, first))
    post = posting.create(house, channel, call.body, call.files)
    if post.nonce is not None:
        house.world.nonces[channel.id, post.nonce] = (time.monotonic(), post)
    return Answer(_shown(house, post))


def _known(house: House, channel: Channel, nonce: str) -> Post | None:
    known = house.world.nonces.get((channel.id, nonce))
    return known[1] if known is not None and time.monotonic() - known[0] <= house.script.nonce_s else None


def read(house: House, call: Call) -> Answer:
    """One message."""
    return Answer(_shown(house, _post(house, call)))


def history(house: House, call: Call) -> Answer:
    """Messages around, before or after an id, the newest first."""
    limit = int(call.query.get("limit", 50))
    if not 1 <= limit <= 100:
        raise RefusedError(400, 50035, noted="history")
    channel = place(house, call)
    seen = channel.posts if channel.history else []
    posts = [post for post in seen if post.deleted_at is None and post.only_for is None]
    return Answer([_shown(house, post) for post in reversed(_page(posts, call, limit))])


def _page(posts: list[Post], call: Call, limit: int) -> list[Post]:
    if after := call.query.get("after"):
        return [post for post in posts if int(post.id) > int(after)][:limit]
    if around := call.query.get("around"):
        older = [post for post in posts if int(post.id) < int(around)][-(limit // 2) :]
        return older + [post for post in posts if int(post.id) >= int(around)][: limit - len(older)]
    before = int(call.query.get("before", 1 << 63))
    return [post for post in posts if int(post.id) < before][-limit:]


def edit(house: House, call: Call) -> Answer:
    """Edit a message of the bot."""
    post = _post(house, call)
    if post.author is not house.bot:
        raise RefusedError(403, 50005)
    posting.change(house, post, call.body, call.files)
    return Answer(_shown(house, post))


def delete(house: House, call: Call) -> Answer:
    """Delete a message of the bot."""
    post = _post(house, call)
    if post.author is not house.bot:
        raise RefusedError(403, 50013)
    post.deleted_at = time.monotonic()
    events.message_deleted(house, post)
    return Answer()


def react(house: House, call: Call) -> Answer:
    """Put a reaction under a message, once."""
    post, emoji = _post(house, call), call.at["emoji"]
    if not any(each.person is house.bot and each.emoji == emoji for each in post.reactions):
        post.reactions.append(Reaction(emoji, house.bot, time.monotonic()))
        events.reaction(house, "MESSAGE_REACTION_ADD", post, house.bot, emoji)
    return Answer()


def unreact(house: House, call: Call) -> Answer:
    """Take the bot's reaction away."""
    post, emoji = _post(house, call), call.at["emoji"]
    post.reactions = [each for each in post.reactions if each.person is not house.bot or each.emoji != emoji]
    events.reaction(house, "MESSAGE_REACTION_REMOVE", post, house.bot, emoji)
    return Answer()


def typing(house: House, call: Call) -> Answer:
    """Show that the bot is typing, for ten seconds."""
    channel = _writable(house, call)
    house.world.typing.append((channel.id, time.monotonic()))
    events.typing(house, channel, house.bot)
    return Answer()
