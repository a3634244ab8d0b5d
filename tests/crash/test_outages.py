"""A network that goes away, limits, and calls that were carried out though nobody was told: all answers arrive, once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from tests.crash.street import DISCORD, OnDiscord, OnTelegram, People, Talk, opened
from tests.rigs.discord import Fault as DiscordFault
from tests.rigs.telegram import Fault as TelegramFault

pytestmark = pytest.mark.asyncio(loop_scope="module")

BACK_S = 15.0
"""Within that it answers when the network is back."""
SHORT = "gather_s = 0\ncall_timeout_s = 2"
SLOW = 60.0
AFTER = ("5xx", "drop", "hang")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def street(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[People]:
    short = DISCORD.replace("request_s = 5", "request_s = 2")
    async with opened(tmp_path_factory.mktemp("outages"), telegram_more=SHORT, discord_more=short, at_once=2) as people:
        yield people


def anew(street: People, talks: list[Talk] | None = None) -> People:
    """The same street, with nothing asked yet."""
    street.street.ollama.set(tokens_s=0.0)
    return People(street.street, talks or [Talk(talk.place) for talk in street.talks], 2, street.numbers)


async def without(people: People, seconds: float, *gone: str) -> None:
    """Take the network away from some platforms while everybody asks; the others are answered meanwhile. Then it is back."""
    people.street.ollama.set(tokens_s=SLOW)
    people.release(16)
    await people.until(lambda: people.street.ollama.counters.active > 0, 20)
    async with AsyncExitStack() as away:
        if "telegram" in gone:
            await away.enter_async_context(people.street.telegram.offline())
        if "discord" in gone:
            await away.enter_async_context(people.street.discord.outage())
        over = asyncio.create_task(asyncio.sleep(seconds))
        people.street.ollama.set(tokens_s=0.0)
        people.release(16)
        there = {"telegram", "discord"} - set(gone)
        await people.until(lambda: not people.open_on(*there) and over.done(), seconds + 60)
    people.release(6)
    await people.told(BACK_S)
    people.check(kills=8)


@pytest.mark.parametrize("gone", ["telegram", "discord"])
async def test_one_network_is_gone_for_a_second_and_the_other_platform_goes_on(street: People, gone: str) -> None:
    await without(anew(street), 1, gone)


@pytest.mark.parametrize(
    "seconds",
    [10, pytest.param(30, marks=pytest.mark.full), pytest.param(300, marks=[pytest.mark.full, pytest.mark.timeout(600)])],
)
async def test_both_networks_are_gone(street: People, seconds: int) -> None:
    await without(anew(street), seconds, "telegram", "discord")


@pytest.mark.full
async def test_it_starts_while_there_is_no_network(street: People) -> None:
    people = anew(street)
    daemon, telegram, discord = people.street.daemon, people.street.telegram, people.street.discord
    await daemon.stop()
    async with telegram.offline(), discord.outage():
        people.release(12, "telegram")
        await daemon.start(indexed=True)
        await asyncio.sleep(40)
    people.release(12)
    await people.told(BACK_S)
    people.check(kills=1)  # what came before it was connected is acknowledged late


async def test_limits_are_waited_out_chat_by_chat(street: People) -> None:
    people = anew(street)
    faults: list[TelegramFault | DiscordFault] = [
        people.street.telegram.faults.add("429", times=None, probability=0.05, retry_after=1),
        people.street.discord.fault("429", times=None, probability=0.05, retry_after=0.5),
    ]
    try:
        for tokens_s in (0.0, 150.0):
            people.street.ollama.set(tokens_s=tokens_s)
            people.release(60)
            await people.told()
    finally:
        stop(people, *faults)
    counts = people.check()
    assert counts["noticed"] == 0
    assert all(fault.struck for fault in faults)


async def test_a_chat_that_has_to_wait_delays_no_other(street: People) -> None:
    people = anew(street)
    talks = {talk.place.platform: talk for talk in reversed(people.talks) if isinstance(talk.place, OnTelegram | OnDiscord)}
    private, direct = (talks[name].place for name in ("telegram", "discord"))
    assert isinstance(private, OnTelegram)
    assert isinstance(direct, OnDiscord)
    faults: list[TelegramFault | DiscordFault] = [
        people.street.telegram.faults.add("429", "sendMessage", chat=private.person.id, retry_after=3),
        people.street.discord.fault("429", "message.create", direct.channel, retry_after=3),
    ]
    slow = [talks["telegram"], talks["discord"]]
    people.ask_each()
    await people.until(lambda: not any(talk.open for talk in people.looked() if talk not in slow), 60)
    assert all(talk.open for talk in slow)
    await people.told()
    people.check()
    stop(people, *faults)


@pytest.mark.parametrize("kind", AFTER)
async def test_what_was_done_though_nobody_was_told_is_not_done_twice(street: People, kind: str) -> None:
    """Messages, which arrive whole, and the edits by which an answer grows and ends."""
    telegram, discord = street.street.telegram, street.street.discord
    person = next(talk.place.person for talk in street.talks if isinstance(talk.place, OnTelegram))
    friend = next(talk.place.person for talk in street.talks if isinstance(talk.place, OnDiscord))
    family, guild = telegram.group("Edits", person), discord.guild("Edits", friend)
    talks = {
        "sendMessage": Talk(OnTelegram(telegram, person)),
        "editMessageText": Talk(OnTelegram(telegram, person, family)),
        "message.create": Talk(OnDiscord(discord, friend, friend.dm)),
        "message.edit": Talk(OnDiscord(discord, friend, guild.channel("edits"))),
        "original.edit": Talk(OnDiscord(discord, friend, guild.channel("commands"), slash=True)),
    }
    people = anew(street, list(talks.values()))
    name = {"5xx": "500"}.get(kind, kind)
    faults: dict[str, TelegramFault | DiscordFault] = {
        "sendMessage": telegram.faults.add(f"{name}_after", "sendMessage", chat=person.id),
        "editMessageText": telegram.faults.add(f"{name}_after", "editMessageText", chat=family.id),
        "message.create": discord.fault(kind, "message.create", friend.dm, after=True),
        "message.edit": discord.fault(kind, "message.edit", after=True),
        "original.edit": discord.fault(kind, "original.edit", after=True),
    }
    people.street.ollama.set(tokens_s=100.0)
    people.ask_each()
    people.ask_each()
    await people.told()
    counts = people.check()
    stop(people, *faults.values())
    assert {name: fault.struck for name, fault in faults.items()} == dict.fromkeys(faults, 1)
    noticed = {name: sum(map(talk.noticed, talk.asked)) for name, talk in talks.items()}
    assert noticed == {**dict.fromkeys(talks, 0), "sendMessage": 1}
    assert counts["answered"] == 10


def stop(people: People, *faults: TelegramFault | DiscordFault) -> None:
    """Nothing goes wrong any more."""
    people.street.telegram.faults.clear()
    for fault in faults:
        fault.times = 0
