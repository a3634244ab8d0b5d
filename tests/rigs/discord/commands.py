"""What Discord refuses in the commands of an application: names, descriptions, options, choices, places."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tests.rigs.discord.checks import too_long
from tests.rigs.discord.wire import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.rigs.discord.world import Json

_NAME = re.compile(r"[-_'\w]{1,32}")
_LOCALES = (
    frozenset({"id", "da", "de", "en-GB", "en-US", "es-ES", "es-419", "fr", "hr", "it", "lt", "hu", "nl", "no", "pl", "pt-BR"})
    | frozenset({"ro", "fi", "sv-SE", "vi", "tr", "cs", "el", "bg", "ru", "uk", "hi", "th", "zh-CN", "ja", "zh-TW", "ko"})
)  # fmt: skip
_MOST = {1: 100, 2: 15, 3: 15}


def problems(commands: Any) -> Iterator[Problem]:
    """Everything that is wrong with the list of all commands."""
    seen = set()
    for n, command in enumerate(commands):
        kind = command.get("type", 1)
        if (kind, command.get("name")) in seen:
            yield Problem(f"{n}", "APPLICATION_COMMANDS_DUPLICATE_NAME", "Application command names must be unique")
        seen.add((kind, command.get("name")))
        yield from _command(f"{n}", command, kind)
    for kind, most in _MOST.items():
        if sum(command.get("type", 1) == kind for command in commands) > most:
            yield Problem("0", "BASE_TYPE_MAX_LENGTH", f"Must be {most} or fewer in length.")


def _command(path: str, command: Json, kind: int) -> Iterator[Problem]:
    yield from _named(path, command, pattern=kind == 1)
    if kind == 1:
        yield from _described(path, command)
        yield from _options(f"{path}.options", command.get("options") or [])
    elif command.get("description") or command.get("options"):
        yield Problem(path, "APPLICATION_COMMAND_INVALID", "Context menu commands cannot have description or options")
    for name, allowed in (("contexts", {0, 1, 2}), ("integration_types", {0, 1})):
        values = command.get(name)
        if values is not None and (not values or not set(values) <= allowed or len(set(values)) < len(values)):
            yield Problem(f"{path}.{name}", "BASE_TYPE_CHOICES", f"Must be some of {sorted(allowed)}.")
    if _weight(command) > 8000:
        yield Problem(path, "APPLICATION_COMMAND_TOO_LARGE", "Command exceeds maximum size (8000)")


def _localised(item: Json, key: str) -> dict[str, Any]:
    return {"": item.get(key), **(item.get(f"{key}_localizations") or {})}


def _at(path: str, key: str, locale: str) -> str:
    return f"{path}.{key}_localizations.{locale}" if locale else f"{path}.{key}"


def _named(path: str, item: Json, *, pattern: bool) -> Iterator[Problem]:
    for locale, name in _localised(item, "name").items():
        if locale and locale not in _LOCALES:
            yield Problem(f"{path}.name_localizations", "BASE_TYPE_CHOICES", f"{locale!r} is not a supported locale")
        if not name or len(name) > 32:
            yield Problem(_at(path, "name", locale), "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 32 in length.")
        elif pattern and (not _NAME.fullmatch(name) or name != name.lower()):
            yield Problem(_at(path, "name", locale), "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid")


def _described(path: str, item: Json) -> Iterator[Problem]:
    for locale, text in _localised(item, "description").items():
        if locale and locale not in _LOCALES:
            yield Problem(f"{path}.description_localizations", "BASE_TYPE_CHOICES", f"{locale!r} is not a supported locale")
        if not text or len(text) > 100:
            yield Problem(_at(path, "description", locale), "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 100 in length.")


def _options(path: str, options: list[Json]) -> Iterator[Problem]:
    if len(options) > 25:
        yield Problem(path, "BASE_TYPE_MAX_LENGTH", "Must be 25 or fewer in length.")
    if len({option.get("name") for option in options}) < len(options):
        yield Problem(path, "APPLICATION_COMMAND_OPTIONS_NAME_ALREADY_EXISTS", "Option name already exists")
    required = [bool(option.get("required")) for option in options]
    if required != sorted(required, reverse=True):
        yield Problem(
            path, "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID", "Required options must be placed before non-required options"
        )
    for n, option in enumerate(options):
        yield from _named(f"{path}.{n}", option, pattern=True)
        yield from _described(f"{path}.{n}", option)
        yield from _choices(f"{path}.{n}.choices", option.get("choices") or [])


def _choices(path: str, choices: list[Json]) -> Iterator[Problem]:
    if len(choices) > 25:
        yield Problem(path, "BASE_TYPE_MAX_LENGTH", "Must be 25 or fewer in length.")
    for n, choice in enumerate(choices):
        yield from too_long(f"{path}.{n}.name", choice.get("name"), 100)
        yield from too_long(f"{path}.{n}.value", str(choice.get("value")), 100)


def _weight(item: Json) -> int:
    own = sum(max(len(text or "") for text in _localised(item, key).values()) for key in ("name", "description"))
    own += sum(len(choice.get("name", "")) + len(str(choice.get("value", ""))) for choice in item.get("choices") or [])
    return own + sum(_weight(option) for option in item.get("options") or [])
