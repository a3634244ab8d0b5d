"""A Discord stand-in on a real socket: REST, gateway and files, with people who talk and a ledger of what they see.

In a test: `async with Discord(lifted=True) as rig:`, then `alice = rig.person("Alice")`, `alice.say(alice.dm, "hello")`,
`await rig.answered(...)`. `rig.api_base`, `rig.gateway_url` and `rig.token` are what the daemon needs; `rig.ledger` tells what
people saw, `rig.violations` what a bot should not have done, `rig.fault(...)` and `rig.gateway` make trouble.
"""

from tests.rigs.discord.ledger import Ledger
from tests.rigs.discord.people import Person
from tests.rigs.discord.places import Channel, Guild, Role
from tests.rigs.discord.script import LIMITS, Fault, Limit, Script
from tests.rigs.discord.server import Discord
from tests.rigs.discord.world import Interaction, Post, Upload

__all__ = [
    "LIMITS",
    "Channel",
    "Discord",
    "Fault",
    "Guild",
    "Interaction",
    "Ledger",
    "Limit",
    "Person",
    "Post",
    "Role",
    "Script",
    "Upload",
]
