"""The routes that tell who and what there is: the bot, the gateway, channels, people, commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.rigs.discord import commands, messages, payloads
from tests.rigs.discord.wire import Answer, Call, RefusedError

if TYPE_CHECKING:
    from tests.rigs.discord.house import House
    from tests.rigs.discord.places import Guild


def me(house: House, _call: Call) -> Answer:
    """The bot itself."""
    return Answer({**payloads.user(house.bot), "verified": True, "mfa_enabled": False, "locale": "en-US", "flags": 0})


def application(house: House, _call: Call) -> Answer:
    """The application, its owner included."""
    owner = next((person for person in house.world.people.values() if not person.bot), house.bot)
    return Answer(
        {
            **payloads.application(house),
            "name": house.bot.name,
            "icon": None,
            "description": "",
            "summary": "",
            "bot_public": True,
            "bot_require_code_grant": False,
            "owner": payloads.user(owner),
            "verify_key": "00",
            "team": None,
            "integration_types_config": {"0": {}, "1": {}},
            "interactions_endpoint_url": None,
        }
    )


def gateway(house: House, _call: Call) -> Answer:
    """Where the gateway is, and how often it may be entered."""
    left, wait = house.sessions.remaining()
    limit = {"total": house.script.starts, "remaining": left, "reset_after": int(wait * 1000), "max_concurrency": 1}
    return Answer({"url": f"ws{house.address.removeprefix('http')}/", "shards": 1, "session_start_limit": limit})


def channel(house: House, call: Call) -> Answer:
    """One channel."""
    return Answer(payloads.channel(messages.place(house, call)))


def open_private(house: House, call: Call) -> Answer:
    """The private chat with a person."""
    person = house.world.people.get(str(call.body["recipient_id"]))
    if person is None:
        raise RefusedError(400, 50033)
    return Answer(payloads.channel(house.private(person)))


def user(house: House, call: Call) -> Answer:
    """One person."""
    if call.at["user"] not in house.world.people:
        raise RefusedError(404, 10013)
    return Answer(payloads.user(house.world.people[call.at["user"]]))


def _guild(house: House, call: Call) -> Guild:
    guild = house.world.guilds.get(call.at["guild"])
    if guild is None or not guild.has_bot:
        raise RefusedError(404, 10004)
    return guild


def guild(house: House, call: Call) -> Answer:
    """One guild."""
    return Answer(payloads.guild(_guild(house, call)))


def member(house: House, call: Call) -> Answer:
    """One member of a guild."""
    members = _guild(house, call).members
    if call.at["user"] not in members:
        raise RefusedError(404, 10007)
    return Answer(payloads.member(members[call.at["user"]]))


def members(house: House, call: Call) -> Answer:
    """The members of a guild: only with the intent."""
    if "members" not in house.script.privileged:
        raise RefusedError(403, 50001)
    after, limit = int(call.query.get("after", 0)), int(call.query.get("limit", 1))
    listed = sorted(_guild(house, call).members.values(), key=lambda each: int(each.person.id))
    return Answer([payloads.member(each) for each in listed if int(each.person.id) > after][:limit])


def get_commands(house: House, _call: Call) -> Answer:
    """The commands that are registered everywhere."""
    return Answer(house.world.commands)


def put_commands(house: House, call: Call) -> Answer:
    """Replace the commands that are registered everywhere."""
    if found := list(commands.problems(call.body)):
        raise RefusedError(400, 50035, problems=found, noted="commands")
    known = {(each.get("type", 1), each["name"]): each["id"] for each in house.world.commands}
    house.world.commands = [
        {
            "version": house.world.ids.next(),
            "application_id": house.bot.id,
            "type": 1,
            "description": "",
            "nsfw": False,
            "default_member_permissions": None,
            "dm_permission": True,
            **each,
            "id": known.get((each.get("type", 1), each["name"])) or house.world.ids.next(),
        }
        for each in call.body
    ]
    house.stir()
    return Answer(house.world.commands)
