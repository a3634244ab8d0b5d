"""The routes of interactions: the first response within its deadline, then the original answer and follow-ups by token."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.rigs.discord import events, message_payloads, posting
from tests.rigs.discord.wire import Answer, Call, RefusedError
from tests.rigs.discord.world import EPHEMERAL, Interaction, Post

if TYPE_CHECKING:
    from tests.rigs.discord.house import House
    from tests.rigs.discord.world import Json

_PONG, _MESSAGE, _DEFERRED, _DEFERRED_UPDATE, _UPDATE, _CHOICES, _MODAL = 1, 4, 5, 6, 7, 8, 9


def callback(house: House, call: Call) -> Answer:
    """The first response."""
    item = house.world.interactions.get(call.at["interaction"])
    if item is None or item.token != call.at["token"]:
        raise RefusedError(404, 10062)
    if item.ack is not None:
        raise RefusedError(400, 40060, noted="acknowledged twice")
    if time.monotonic() - item.at > house.script.first_response_s:
        raise RefusedError(404, 10062, noted="late")
    kind, data = int(call.body["type"]), call.body.get("data") or {}
    _respond(house, item, kind, data, call)
    item.ack, item.acked_at = kind, time.monotonic()
    house.stir()
    return Answer(_told(item, kind)) if call.query.get("with_response") in {"1", "true"} else Answer()


def _respond(house: House, item: Interaction, kind: int, data: Json, call: Call) -> None:
    hidden = bool(int(data.get("flags") or 0) & EPHEMERAL)
    if kind == _MESSAGE:
        only_for = item.person if hidden else None
        item.original = posting.create(house, item.channel, data, call.files, interaction=item, only_for=only_for)
    elif kind == _DEFERRED:
        item.original = posting.loading(house, item, ephemeral=hidden)
    elif kind in {_DEFERRED_UPDATE, _UPDATE} and item.on is not None:
        item.original = item.on
        if kind == _UPDATE:
            posting.change(house, item.on, data, call.files)
    elif kind not in {_CHOICES, _MODAL}:
        raise RefusedError(400, 50035, noted="callback")


def _told(item: Interaction, kind: int) -> Json:
    post = item.original
    body: Json = {"interaction": {"id": item.id, "type": item.kind}, "resource": {"type": kind}}
    if post is not None:
        seen = {"response_message_loading": post.loading, "response_message_ephemeral": post.only_for is not None}
        body["interaction"] |= {"response_message_id": post.id, **seen}
        body["resource"]["message"] = message_payloads.message(post, full=True)
    return body


def _of(house: House, call: Call) -> Interaction:
    item = house.world.tokens.get(call.at["token"])
    if item is None or call.at["app"] != house.bot.id or item.ack is None:
        raise RefusedError(404, 10015)
    if time.monotonic() - item.at > house.script.token_s:
        raise RefusedError(401, 50027)
    return item


def _answer(house: House, call: Call) -> tuple[Interaction, Post]:
    item, wanted = _of(house, call), call.at.get("message", "@original")
    posts = [post for post in (item.original, *item.followups) if post is not None]
    post = item.original if wanted == "@original" else next((each for each in posts if each.id == wanted), None)
    if post is None or post.deleted_at is not None:
        raise RefusedError(404, 10008)
    return item, post


def read(house: House, call: Call) -> Answer:
    """The original answer, or a follow-up."""
    return Answer(message_payloads.message(_answer(house, call)[1], full=True))


def edit(house: House, call: Call) -> Answer:
    """Edit it."""
    post = _answer(house, call)[1]
    posting.change(house, post, call.body, call.files)
    return Answer(message_payloads.message(post, full=True))


def delete(house: House, call: Call) -> Answer:
    """Delete it."""
    post = _answer(house, call)[1]
    post.deleted_at = time.monotonic()
    events.message_deleted(house, post)
    house.stir()
    return Answer()


def follow(house: House, call: Call) -> Answer:
    """A further message; the first one after a deferral takes the place of what is loading."""
    item = _of(house, call)
    if item.original is not None and item.original.loading and item.original.deleted_at is None:
        posting.change(house, item.original, {**call.body, "flags": 0}, call.files)
        return Answer(message_payloads.message(item.original, full=True))
    if item.user_install and not item.channel.has_bot and len(item.followups) >= house.script.followups:
        raise RefusedError(400, 40094, noted="followups")
    only_for = item.person if int(call.body.get("flags") or 0) & EPHEMERAL else None
    post = posting.create(house, item.channel, call.body, call.files, interaction=item, only_for=only_for)
    item.followups.append(post)
    return Answer(message_payloads.message(post, full=True))
