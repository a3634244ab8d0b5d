"""The commands that Telegram offers while a person types, in each language."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from typing import TYPE_CHECKING, Any

from adapters.telegram.client import CallError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapters.telegram.client import Client
    from adapters.types import CommandSpec, Ledger

_NAME = re.compile(r"[a-z0-9_]{1,32}")
_FALLBACK = "en"
_KEY = "commands"

_log = logging.getLogger(__name__)


async def announce(client: Client, ledger: Ledger, commands: Sequence[CommandSpec], bot: str) -> None:
    """Set the menu for everybody, and for who speaks another language; not again while bot and menu are the same. Best effort."""
    languages = sorted({language for command in commands for language in command.descriptions} - {_FALLBACK})
    menus = {"": menu_of(commands, _FALLBACK)} | {language: menu_of(commands, language) for language in languages}
    digest = hashlib.sha256(json.dumps([bot, menus], sort_keys=True).encode()).hexdigest()[:32]
    if await ledger.get(_KEY) == digest:
        return
    try:
        for language, menu in menus.items():
            await client.call("setMyCommands", {"commands": menu, "language_code": language or None})
    except CallError as error:
        _log.warning("telegram: the menu of commands was not set: %s", error)
        return
    await ledger.put(_KEY, digest)


def menu_of(commands: Sequence[CommandSpec], language: str) -> list[dict[str, Any]]:
    """What everybody may use, by its one name: Telegram knows no localised ones."""
    return [
        {"command": command.name, "description": _description(command, language)}
        for command in commands
        if not command.owner and _NAME.fullmatch(command.name)
    ]


def _description(command: CommandSpec, language: str) -> str:
    """At most 256 characters; a language that says nothing gets the fallback, or any."""
    said = command.descriptions.get(language) or command.descriptions.get(_FALLBACK)
    return (said or next(iter(command.descriptions.values()), command.name))[:256]
