"""Whether the token and the switches are right, and the links by which the bot comes into servers and to people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import discord

from adapters.discord.allowance import InvalidRequests
from adapters.discord.errors import AnsweredError
from adapters.discord.rest import Rest

if TYPE_CHECKING:
    from adapters.discord.config import DiscordConfig

PERMISSIONS = discord.Permissions(
    view_channel=True, send_messages=True, send_messages_in_threads=True, attach_files=True, read_message_history=True
)
_AUTHORIZE = "https://discord.com/oauth2/authorize?"
_BY_USERS = "1"


@dataclass(frozen=True, slots=True)
class Examined:
    """What Discord says of the bot. `wrong` are sentences that say what to do, in English; empty when all is well."""

    name: str = ""
    application: str = ""
    wrong: tuple[str, ...] = ()


def server_link(application: str) -> str:
    """The link by which an administrator lets the bot into a server."""
    scope = {"client_id": application, "scope": "bot applications.commands", "permissions": str(PERMISSIONS.value)}
    return _AUTHORIZE + urlencode({**scope, "integration_type": "0"})


def user_link(application: str) -> str:
    """The link by which a person installs the app for themselves."""
    return _AUTHORIZE + urlencode({"client_id": application, "scope": "applications.commands", "integration_type": _BY_USERS})


async def examine(config: DiscordConfig) -> Examined:
    """Ask Discord about the token and the intents. Raises `RestError` when it cannot be asked."""
    rest = Rest(config, InvalidRequests(config.budgets.invalid_per_10_min))
    rest.open()
    try:
        told = await rest.call("GET", "/oauth2/applications/@me")
        user = await rest.call("GET", "/users/@me")
    except AnsweredError as error:
        if error.status != 401:
            raise
        sentence = "Discord refuses the token: make a new one under Bot > Reset Token, and put it into discord.token."
        return Examined(wrong=(sentence,))
    finally:
        await rest.close()
    return Examined(str(user.get("username")), str(told["id"]), tuple(_wrong(config, int(told.get("flags") or 0))))


def _wrong(config: DiscordConfig, flags: int) -> list[str]:
    known = discord.ApplicationFlags._from_value(flags)  # noqa: SLF001 -- the library has no public way from a number
    granted = known.gateway_message_content or known.gateway_message_content_limited
    wrong = []
    if config.message_content and not granted:
        wrong.append("Turn on Bot > Privileged Gateway Intents > Message Content Intent, or set discord.message_content = false.")
    if config.free_chats and not config.message_content:
        wrong.append("discord.free_chats need discord.message_content = true, and the Message Content Intent of the bot.")
    return wrong
