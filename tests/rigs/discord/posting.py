"""How the bot's payloads become messages, after the server's own checks; what breaks a rule is refused and noted."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.rigs.discord import checks, events, payloads
from tests.rigs.discord.wire import Problem, RefusedError
from tests.rigs.discord.world import COMPONENTS_V2, EPHEMERAL, LOADING, Post, Upload

if TYPE_CHECKING:
    from tests.rigs.discord.house import House
    from tests.rigs.discord.people import Person
    from tests.rigs.discord.places import Channel
    from tests.rigs.discord.world import Interaction, Json

_SETTABLE = 1 << 2 | EPHEMERAL | 1 << 12 | COMPONENTS_V2


def create(
    house: House,
    channel: Channel,
    body: Json,
    files: dict[int, Upload],
    *,
    interaction: Interaction | None = None,
    only_for: Person | None = None,
) -> Post:
    """A new message of the bot."""
    flags = int(body.get("flags") or 0) & _SETTABLE
    _check(house, body, files, flags, fresh=True)
    post = Post(
        house.world.ids.next(), channel, house.bot, "", time.monotonic(), flags=flags, interaction=interaction, only_for=only_for
    )
    _fill(house, post, body, files)
    _refuse_empty(post)
    post.nonce = str(body["nonce"]) if body.get("nonce") is not None else None
    post.reference = _reference(house, channel, body)
    house.world.add(post)
    events.message(house, "MESSAGE_CREATE", post)
    house.stir()
    return post


def loading(house: House, item: Interaction, *, ephemeral: bool) -> Post:
    """The message that says that the app is thinking."""
    flags, only_for = LOADING | (EPHEMERAL if ephemeral else 0), item.person if ephemeral else None
    ids = house.world.ids
    post = Post(ids.next(), item.channel, house.bot, "", time.monotonic(), flags=flags, interaction=item, only_for=only_for)
    house.world.add(post)
    events.message(house, "MESSAGE_CREATE", post)
    house.stir()
    return post


def change(house: House, post: Post, body: Json, files: dict[int, Upload]) -> None:
    """Edit a message of the bot."""
    flags = (post.flags & ~LOADING) | (int(body.get("flags") or 0) & _SETTABLE)
    _check(house, body, files, flags, fresh=False)
    draft = Post(post.id, post.channel, post.author, post.content, post.at, post.files, post.embeds, post.components, flags=flags)
    _fill(house, draft, body, files)
    _refuse_empty(draft)
    house.world.keep(draft.files)
    was_loading = post.loading
    post.content, post.embeds, post.components, post.files = draft.content, draft.embeds, draft.components, draft.files
    post.flags, post.pings, post.everyone = flags, draft.pings, draft.everyone
    post.edited = post.edited if was_loading else payloads.moment(time.time())
    post.note(time.monotonic())
    events.message(house, "MESSAGE_UPDATE", post)
    house.stir()


def _check(house: House, body: Json, files: dict[int, Upload], flags: int, *, fresh: bool) -> None:
    if not isinstance(body, dict):
        raise RefusedError(400, 50109, noted="json")
    if file := checks.heavy(files, house.script.file_bytes):
        raise RefusedError(413, 40005, problems=[Problem("files", "TOO_LARGE", f"{len(file.data)} bytes")], noted="size")
    if problems := list(checks.problems(body, flags)):
        raise RefusedError(400, 50035, problems=problems, noted=_called(problems))
    says = fresh or any(body.get(key) for key in ("content", "embeds")) or (flags & COMPONENTS_V2 and body.get("components"))
    if says and (wrong := checks.mentions(body)):
        house.violate("mentions", "message", wrong)


def _called(problems: list[Problem]) -> str:
    return {"content": "length", "nonce": "nonce"}.get(problems[0].path, problems[0].path.partition(".")[0])


def _fill(house: House, post: Post, body: Json, files: dict[int, Upload]) -> None:
    if "content" in body:
        post.content = (body["content"] or "").strip()
    post.embeds = body.get("embeds", post.embeds) or []
    post.components = body.get("components", post.components) or []
    if "attachments" in body or files:
        post.files = _attached(post, body, files)
    allowed = body.get("allowed_mentions") or {"parse": ["users", "roles", "everyone"]}
    parse, listed = allowed.get("parse", []), {str(each) for each in allowed.get("users", [])}
    post.pings = [each for each in house.named(post.content) if "users" in parse or each in listed]
    post.everyone = "everyone" in parse and ("@everyone" in post.content or "@here" in post.content)


def _attached(post: Post, body: Json, files: dict[int, Upload]) -> list[Upload]:
    kept = {file.id: file for file in post.files}
    named = {str(each["id"]): each for each in body.get("attachments") or ()}
    for number, file in files.items():
        file.name = named.get(str(number), {}).get("filename") or file.name
    return [file for key, file in kept.items() if key in named or "attachments" not in body] + list(files.values())


def _refuse_empty(post: Post) -> None:
    if not (post.content or post.embeds or post.files or (post.flags & COMPONENTS_V2 and post.components)):
        raise RefusedError(400, 50006, noted="empty")


def _reference(house: House, channel: Channel, body: Json) -> Post | None:
    wanted = body.get("message_reference")
    if not wanted:
        return None
    if not channel.history:
        raise RefusedError(403, 160002)
    post = house.world.posts.get(str(wanted["message_id"]))
    if post is not None and post.deleted_at is None:
        return post
    if wanted.get("fail_if_not_exists", True):
        raise RefusedError(400, 50035, problems=[Problem("message_reference", "REPLIES_UNKNOWN_MESSAGE", "Unknown message")])
    return None
