"""The same conversation at every door gives the same turns, and puts the same prompts to the model."""

from __future__ import annotations

import getpass
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

from tests.e2e.doors import by_http, by_socket
from tests.e2e.platforms import BINS, BOILER, Street, street
from tests.rigs.discord import Discord
from tests.rigs.scenario import ChatDoor, Door, Edit, LineDoor, Played, Say, Step, Stop, play
from tests.rigs.seats import DiscordSeat, TelegramSeat
from tests.rigs.telegram import Telegram

pytestmark = pytest.mark.asyncio(loop_scope="module")

SCENARIOS: dict[str, list[Step]] = {
    "a follow-up in two languages, then anew": [
        Say("Hello!", "Hello! Ask me"),
        Say(BOILER, "behind the freezer"),
        Say("And where does it stand?", "behind the freezer"),
        Say(BINS, "mardi soir"),
        Say("/reset", "anew"),
        Say(BOILER, "behind the freezer"),
        Say("/nonsense", "/nonsense"),
    ],
    "once more, and what was used": [
        Say("/retry", "no question"),
        Say("/sources", "no sources"),
        Say(BOILER, "behind the freezer"),
        Say("/sources", "Heating"),
        Say("/retry", "behind the freezer"),
        Say("/search boiler pressure", "1.5 bar"),
        Say("/ask Where does the boiler stand?", "behind the freezer"),
    ],
    "stopped and edited": [
        Stop("Where does the boiler in the cellar stand?"),
        Say(BOILER, "behind the freezer"),
        Edit("Quand sort la poubelle verte ?", BINS, "mardi soir"),
    ],
    "in private": [
        Say(BOILER, "behind the freezer"),
        Say("/private on", "on"),
        Say(BINS, "mardi soir"),
        Say("/retry", "kept no question"),
        Say("/private off", "off"),
        Say(BINS, "mardi soir"),
    ],
    "nothing found, then forgotten": [
        Say("Xylophones zigzagging quietly?", "nothing"),
        Say(BOILER, "behind the freezer"),
        Say("/forget", "erased"),
    ],
}
_PEOPLE = len(SCENARIOS)
_numbers = itertools.count()


@dataclass
class House:
    """The street, and somebody new for each scenario at each door but the terminal's, where there is one account."""

    street: Street
    seats: list[tuple[DiscordSeat, TelegramSeat]]

    async def doors(self, number: int) -> list[Door]:
        """The four doors."""
        daemon = self.street.daemon
        token = await daemon.create_token(f"scenario-{number}", "--person", f"person-{number}")
        by_name = "SELECT id FROM people WHERE name = ?"

        async def http(text: str) -> str:
            return (await by_http(daemon, text, token=token, conversation=f"talk-{number}")).text

        async def terminal(text: str) -> str:
            return (await by_socket(daemon, text, conversation=f"talk-{number}")).text

        return [
            *(ChatDoor(seat) for seat in self.seats[number]),
            LineDoor("http", http, (by_name, (f"person-{number}",)), f"private:talk-{number}"),
            LineDoor("terminal", terminal, (by_name, ("me",)), f"private:talk-{number}"),
        ]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    seats: list[tuple[DiscordSeat, TelegramSeat]] = []

    def invite(telegram: Telegram, discord: Discord) -> None:
        for n in range(_PEOPLE):
            ann, tom = discord.person(f"Ann {n}"), telegram.person(f"Tom {n}")
            seats.append((DiscordSeat(discord, ann, ann.dm), TelegramSeat(telegram, tom)))

    declared = "".join(f'[[people]]\nname = "person-{n}"\n' for n in range(_PEOPLE))
    declared += f'[[people]]\nname = "me"\nunix_user = "{getpass.getuser()}"\n'
    async with street(tmp_path_factory.mktemp("scenarios"), settings=declared, invite=invite) as opened:
        yield House(opened, seats)


@pytest.mark.parametrize("name", SCENARIOS)
async def test_the_same_conversation_gives_the_same_turns_at_every_door(house: House, name: str) -> None:
    steps = SCENARIOS[name]
    played: dict[str, list[Played]] = {}
    for door in await house.doors(list(SCENARIOS).index(name)):
        played[door.name] = await play(steps, door, house.street.daemon, house.street.ollama)
    (first, expected), *others = played.items()
    assert any(step.prompts for step in expected)
    for other, found in others:
        for step, one, two in zip(steps, expected, found, strict=True):
            assert one.turns == two.turns, f"after {step}: {first} and {other} remember different turns"
            assert one.prompts == two.prompts, f"at {step}: {first} and {other} ask the model differently"
