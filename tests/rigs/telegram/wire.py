"""How users, chats and messages look on the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.rigs.telegram.records import Media, Shown
    from tests.rigs.telegram.world import Chat, User, World


def user(one: User) -> dict[str, Any]:
    """A User object."""
    known = {"id": one.id, "is_bot": one.is_bot, "first_name": one.first_name}
    return known | {key: value for key, value in (("username", one.username), ("language_code", one.language)) if value}


def me(world: World) -> dict[str, Any]:
    """What getMe returns."""
    return user(world.bot) | {
        "can_join_groups": True,
        "can_read_all_group_messages": not world.privacy,
        "supports_inline_queries": False,
        "can_connect_to_business": False,
        "has_main_web_app": False,
        "has_topics_enabled": world.private_topics,
    }


def chat(world: World, one: Chat) -> dict[str, Any]:
    """A Chat object."""
    known: dict[str, Any] = {"id": one.id, "type": one.kind}
    if one.private:
        person = world.users[one.id]
        return known | {"first_name": person.first_name} | ({"username": person.username} if person.username else {})
    return known | {"title": one.title} | ({"is_forum": True} if one.forum else {})


def media(one: Media) -> dict[str, Any]:
    """The field of a message that holds a file."""
    size = {"file_id": one.id, "file_unique_id": f"AgAD{one.id[-6:]}", "file_size": one.size}
    if one.kind == "photo":
        return {"photo": [{**size, "width": 1280, "height": 960}]}
    if one.kind == "voice":
        return {"voice": {**size, "duration": 3, "mime_type": one.media_type}}
    return {"document": {**size, "file_name": one.name, "mime_type": one.media_type}}


def message(world: World, shown: Shown, *, nested: bool = False) -> dict[str, Any]:
    """A Message object; what it replies to is inside, without what that replies to."""
    place = world.chats[shown.chat]
    body: dict[str, Any] = {
        "message_id": shown.id,
        "from": user(world.users[shown.sender]),
        "chat": chat(world, place),
        "date": int(shown.wall),
        **_content(shown),
        **shown.extra,
    }
    if shown.edits:
        body["edit_date"] = int(shown.now.wall)
    if shown.album:
        body["media_group_id"] = shown.album
    if shown.buttons:
        body["reply_markup"] = {"inline_keyboard": [list(row) for row in shown.buttons]}
    if shown.thread is not None:
        body |= {"message_thread_id": shown.thread, "is_topic_message": True}
    if not nested and (replied := _replied(world, shown)):
        body["reply_to_message"] = replied
    return body


def _content(shown: Shown) -> dict[str, Any]:
    words = "caption" if shown.media else "text"
    body = media(shown.media) if shown.media else {}
    if shown.text:
        body[words] = shown.text
    if shown.entities:
        body["caption_entities" if shown.media else "entities"] = list(shown.entities)
    if not shown.preview:
        body["link_preview_options"] = {"is_disabled": True}
    return body


def _replied(world: World, shown: Shown) -> dict[str, Any] | None:
    """What it replies to; in a topic that is, without a reply, the message that opened the topic."""
    number = shown.thread if shown.reply_to is None else shown.reply_to
    found = None if number is None else world.ledger.chats[shown.chat].get(number)
    return None if found is None or found is shown else message(world, found, nested=True)
