"""The commands as Discord knows them: made from the house's table, announced again only when something changed."""

from __future__ import annotations

import hashlib
import json
import logging
from typing import TYPE_CHECKING

from adapters.discord.errors import AnsweredError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from adapters.discord.payloads import Json
    from adapters.discord.rest import Rest
    from adapters.types import CommandSpec, Ledger

_KEY = "commands"
_CHAT_INPUT, _MESSAGE_MENU = 1, 3
_STRING, _FILE = 3, 11
_EVERYWHERE, _BOT_DM = [0, 1, 2], [1]
_GUILD, _USER = 0, 1
_MOST_CHOICES = 25
FILE_OPTION = "file"

_log = logging.getLogger(__name__)


def announced(commands: Sequence[CommandSpec], say: Callable[[str, str], str]) -> list[Json]:
    """All commands and the menu of messages, as Discord takes them."""
    return [*(_command(spec, say) for spec in commands), _menu(say)]


async def announce(
    rest: Rest, ledger: Ledger, application: str, commands: Sequence[CommandSpec], say: Callable[[str, str], str]
) -> bool:
    """Tell Discord of the commands unless it knows them already; returns whether it was told. Raises `RestError`.

    An app that people may not install for themselves cannot have commands of that kind: it gets them for servers alone.
    """
    wanted = announced(commands, say)
    digest = hashlib.sha256(json.dumps([application, wanted], sort_keys=True).encode()).hexdigest()
    if await ledger.get(_KEY) == digest:
        return False
    path = f"/applications/{application}/commands"
    try:
        await rest.call("PUT", path, wanted)
    except AnsweredError as error:
        if not error.malformed:
            raise
        _log.warning("discord: commands refused for installation by users; announced for servers alone: %s", error)
        await rest.call("PUT", path, [{**command, "integration_types": [_GUILD]} for command in wanted])
    await ledger.put(_KEY, digest)
    return True


def _command(spec: CommandSpec, say: Callable[[str, str], str]) -> Json:
    options = [_argument(spec)] if spec.argument else []
    if spec.name == "ask":
        options.append(_file(say))
    return {
        "type": _CHAT_INPUT,
        "name": spec.name,
        "name_localizations": _others(spec.names),
        "description": _default(spec.descriptions)[:100],
        "description_localizations": _others(spec.descriptions),
        "options": options,
        "contexts": _BOT_DM if spec.owner else _EVERYWHERE,
        "integration_types": [_GUILD, _USER],
    }


def _argument(spec: CommandSpec) -> Json:
    descriptions = spec.argument_descriptions or spec.descriptions
    option: Json = {
        "type": _STRING,
        "name": spec.argument,
        "description": _default(descriptions)[:100],
        "description_localizations": _others(descriptions),
        "required": spec.required,
    }
    if 0 < len(spec.choices) <= _MOST_CHOICES:
        option["choices"] = [{"name": choice[:100], "value": choice[:100]} for choice in spec.choices]
    return option


def _file(say: Callable[[str, str], str]) -> Json:
    return {
        "type": _FILE,
        "name": FILE_OPTION,
        "name_localizations": {"fr": "fichier"},
        "description": say("discord_file", "en")[:100],
        "description_localizations": {"fr": say("discord_file", "fr")[:100]},
        "required": False,
    }


def _menu(say: Callable[[str, str], str]) -> Json:
    return {
        "type": _MESSAGE_MENU,
        "name": say("discord_ask_about", "en")[:32],
        "name_localizations": {"fr": say("discord_ask_about", "fr")[:32]},
        "contexts": _EVERYWHERE,
        "integration_types": [_GUILD, _USER],
    }


def _default(texts: Mapping[str, str]) -> str:
    return str(texts.get("en") or next(iter(texts.values())))


def _others(texts: Mapping[str, str]) -> dict[str, str]:
    """By Discord's locales. English is what everybody else sees."""
    return {language: text[:100] for language, text in texts.items() if language != "en"}
