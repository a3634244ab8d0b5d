"""What a Discord client makes of a command that a person types: it offers, checks and fills what the app has registered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.rigs.discord import message_payloads
from tests.rigs.discord.world import Json, Post, Upload

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.rigs.discord.house import House
    from tests.rigs.discord.people import Person
    from tests.rigs.discord.places import Channel

_TYPES: dict[int, type | tuple[type, ...]] = {
    3: str,
    4: int,
    5: bool,
    6: str,
    7: str,
    8: str,
    9: str,
    10: (int, float),
    11: Upload,
}


def find(house: House, person: Person, kind: int, name: str, where: Channel, *, user_install: bool) -> Json:
    """The registered command that a client would offer there."""
    for command in house.world.commands:
        names = {command["name"], (command.get("name_localizations") or {}).get(person.locale)}
        if command.get("type", 1) == kind and name in names:
            _offered(command, where, user_install=user_install)
            return command
    raise LookupError(f"no command {name!r} is registered; there are {[each['name'] for each in house.world.commands]}")


def _offered(command: Json, where: Channel, *, user_install: bool) -> None:
    context = 0 if where.guild is not None else 1 if where.private else 2
    contexts, installs = command.get("contexts"), command.get("integration_types") or [0]
    if contexts is not None and context not in contexts:
        raise LookupError(f"{command['name']!r} is not offered in context {context}, only in {contexts}")
    if int(user_install) not in installs:
        raise LookupError(f"{command['name']!r} is not offered by installation {int(user_install)}, only {installs}")
    if not user_install and not where.has_bot:
        raise LookupError("the bot is not there: only a user's installation can be used")


def filled(house: House, command: Json, options: Mapping[str, Any]) -> Json:
    """The data of the interaction."""
    specs = {spec["name"]: spec for spec in command.get("options") or ()}
    unknown, missing = set(options) - set(specs), {name for name in specs if specs[name].get("required")} - set(options)
    if unknown or missing:
        raise ValueError(f"{command['name']!r} has no option {unknown or missing}" if unknown else f"it lacks {missing}")
    files = {name: value for name, value in options.items() if isinstance(value, Upload)}
    house.world.keep(list(files.values()))
    data: Json = {"id": command["id"], "name": command["name"], "type": 1}
    data["options"] = [_option(specs[name], value) for name, value in options.items()]
    if files:
        place = next(iter(house.world.channels.values()))
        data["resolved"] = {"attachments": {file.id: message_payloads.attachment(house, file, place) for file in files.values()}}
    return data


def _option(spec: Json, value: Any) -> Json:
    allowed = [choice["value"] for choice in spec.get("choices") or ()]
    if not isinstance(value, _TYPES[spec["type"]]) or (allowed and value not in allowed):
        raise ValueError(f"{spec['name']!r} cannot be {value!r}")
    if isinstance(value, str) and not spec.get("min_length", 0) <= len(value) <= spec.get("max_length", 6000):
        raise ValueError(f"{spec['name']!r} has {len(value)} characters")
    return {"name": spec["name"], "type": spec["type"], "value": value.id if isinstance(value, Upload) else value}


def targeted(command: Json, post: Post) -> Json:
    """The data of an entry in the menu of a message: it brings the whole message, whatever the intents."""
    return {
        "id": command["id"],
        "name": command["name"],
        "type": 3,
        "target_id": post.id,
        "resolved": {"messages": {post.id: message_payloads.message(post, full=True)}},
    }
