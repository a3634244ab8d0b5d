"""The methods of the Bot API that are about the bot itself, its webhook, its commands, and what there is to look up."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tests.rigs.telegram import methods, wire
from tests.rigs.telegram.errors import bad
from tests.rigs.telegram.updates import Webhook

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.rigs.telegram.parameters import Parameters

DOWNLOAD_BYTES = 20 * 1024 * 1024
MAX_POLL_S = 50
_COMMAND = re.compile(r"[a-z0-9_]{1,32}")
_SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}")


def get_me(call: Parameters) -> dict[str, Any]:
    return wire.me(call.world)


async def get_updates(call: Parameters) -> list[dict[str, Any]]:
    call.world.updates.allow(call.json("allowed_updates"))
    limit = min(max(call.number("limit") or 100, 1), 100)
    timeout_s = min(float(call.text("timeout") or 0), MAX_POLL_S)
    return await call.world.updates.poll(call.number("offset"), limit, timeout_s)


def set_webhook(call: Parameters) -> bool:
    url, secret = call.text("url") or "", call.text("secret_token")
    if url and urlsplit(url).hostname not in ("127.0.0.1", "localhost"):
        raise bad("bad webhook: the stand-in pushes to loopback only")
    if secret is not None and not _SECRET.fullmatch(secret):
        raise bad("secret token contains unallowed characters")
    if call.flag("drop_pending_updates"):
        call.world.updates.drop()
    call.world.updates.set_webhook(Webhook(url, secret, call.json("allowed_updates")))
    return True


def delete_webhook(call: Parameters) -> bool:
    if call.flag("drop_pending_updates"):
        call.world.updates.drop()
    call.world.updates.set_webhook(Webhook())
    return True


def get_webhook_info(call: Parameters) -> dict[str, Any]:
    updates = call.world.updates
    hook = updates.webhook
    known: dict[str, Any] = {
        "url": hook.url,
        "has_custom_certificate": False,
        "pending_update_count": len(updates.pending()),
        "last_error_date": hook.failed_at,
        "last_error_message": hook.failure,
        "allowed_updates": hook.allowed,
    }
    return {key: value for key, value in known.items() if value is not None}


def set_my_commands(call: Parameters) -> bool:
    commands = call.json("commands") or []
    if len(commands) > 100:
        raise bad("BOT_COMMANDS_TOO_MUCH")
    for one in commands:
        if not _COMMAND.fullmatch(one.get("command", "")):
            call.violate("rule", f"the command {one.get('command')!r}")
            raise bad("BOT_COMMAND_INVALID")
        if not 1 <= len(one.get("description", "")) <= 256:
            call.violate("rule", f"the description of {one['command']!r}")
            raise bad("BOT_COMMAND_DESCRIPTION_INVALID")
    call.world.commands[_command_key(call)] = commands
    return True


def get_my_commands(call: Parameters) -> list[dict[str, str]]:
    return call.world.commands.get(_command_key(call), [])


def delete_my_commands(call: Parameters) -> bool:
    call.world.commands.pop(_command_key(call), None)
    return True


def _command_key(call: Parameters) -> tuple[str, str]:
    scope = call.json("scope") or {"type": "default"}
    place = ":".join(str(scope[key]) for key in ("type", "chat_id", "user_id") if key in scope)
    return place, call.text("language_code") or ""


def get_file(call: Parameters) -> dict[str, Any]:
    media = call.world.media.get(call.text("file_id") or "")
    if media is None:
        raise bad("wrong file_id or the file is temporarily unavailable")
    if media.size > DOWNLOAD_BYTES:
        call.violate("rule", f"a file of {media.size} bytes asked for")
        raise bad("file is too big")
    path = f"{media.kind}s/file_{media.id[-6:].lstrip('0')}"
    return {"file_id": media.id, "file_unique_id": f"AgAD{media.id[-6:]}", "file_size": media.size, "file_path": path}


def get_chat(call: Parameters) -> dict[str, Any]:
    chat = call.chat()
    return wire.chat(call.world, chat) | {
        "accent_color_id": 0,
        "max_reaction_count": 11,
        "accepted_gift_types": dict.fromkeys(
            ("unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription", "gifts_from_channels"), False
        ),
    }


def get_chat_member(call: Parameters) -> dict[str, Any]:
    chat, number = call.chat(), call.number("user_id") or 0
    if number not in call.world.users:
        raise bad("user not found")
    status = "member" if number in chat.members else "left"
    return {"status": status, "user": wire.user(call.world.users[number])}


METHODS: dict[str, Callable[[Parameters], Any] | Callable[[Parameters], Awaitable[Any]]] = {
    made.__name__.replace("_", ""): made
    for made in (
        get_me,
        get_updates,
        set_webhook,
        delete_webhook,
        get_webhook_info,
        set_my_commands,
        get_my_commands,
        delete_my_commands,
        get_file,
        get_chat,
        get_chat_member,
        methods.send_message,
        methods.send_document,
        methods.send_message_draft,
        methods.edit_message_text,
        methods.edit_message_reply_markup,
        methods.delete_message,
        methods.send_chat_action,
        methods.set_message_reaction,
        methods.answer_callback_query,
    )
}
