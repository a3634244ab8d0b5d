"""Each platform stands by itself; what is written is finished; what kills is set aside; a crash loop begins few sessions."""

from __future__ import annotations

import asyncio
import signal
from functools import partial
from pathlib import Path

import aiohttp
import pytest

from tests.crash.street import People, Talk, announced, opened
from tests.rigs.daemon import Daemon


def change(daemon: Daemon, was: str, to: str) -> None:
    """Change a setting."""
    before = daemon.config.read_text()
    assert was in before
    daemon.config.write_text(before.replace(was, to))


async def http(people: People) -> None:
    """The HTTP door answers."""
    async with aiohttp.ClientSession() as session:
        status, reply = await people.street.daemon.ask(session, "What pressure should the boiler in the cellar have?")
    assert (status, "boiler" in reply["answer"]) == (200, True), reply


async def logged(people: People, sentence: str) -> None:
    """Wait until the daemon says it."""
    daemon = people.street.daemon
    await people.until(lambda: sentence in daemon.log.read_text(), 30)


async def serves(people: People, *platforms: str) -> None:
    """HTTP and these platforms answer."""
    for platform in platforms:
        people.release(4, platform)
    await asyncio.gather(people.told(), http(people))


@pytest.mark.timeout(300)
async def test_what_is_written_is_finished_and_one_platform_stops_without_the_other(tmp_path: Path) -> None:
    async with opened(tmp_path, settings="[daemon]\ngrace_s = 30\n") as people:
        daemon, telegram, discord = people.street.daemon, people.street.telegram, people.street.discord
        await told_to_leave(people)

        telegram.faults.add("401", "getUpdates", times=None)
        await logged(people, "Telegram refuses the bot's token")
        await serves(people, "discord")
        discord.revoke()
        await logged(people, "(gateway code 4004)")
        await serves(people)
        await daemon.stop()

        telegram.faults.clear()
        discord.house.token = discord.house.token.removesuffix("x")
        discord.script.on_identify = discord.script.on_resume = 4014
        await daemon.start()
        await logged(people, "(gateway code 4014)")
        await telegram.ledger.until(lambda: telegram.updates.waiting, 30)
        await serves(people, "telegram")
        telegram.faults.add("409", "getUpdates", times=3)
        await logged(people, "Another program receives this bot's messages")
        await serves(people)
        assert people.check(kills=1)["noticed"] == 0


async def told_to_leave(people: People) -> None:
    """SIGTERM in the middle: what is being written arrives before the end, the rest after the next start."""
    daemon = people.street.daemon
    people.street.ollama.set(tokens_s=40.0)
    people.release(40)
    await people.until(lambda: people.street.ollama.counters.active >= 4, 30)
    open_before = people.open
    assert await daemon.stop() == 0
    open_after = people.open
    assert open_before - open_after >= 4  # all that was being written
    assert open_after > 0
    people.street.ollama.set(tokens_s=0.0)
    await daemon.start()
    await announced(people.street)
    await people.told()
    assert people.check(kills=1)["noticed"] == 0


@pytest.mark.timeout(300)
async def test_a_message_that_kills_is_set_aside_and_no_more_sessions_begin_than_may(tmp_path: Path) -> None:
    """Its lane goes on behind it. Each start begins a new session, as the old ones are void."""
    async with opened(tmp_path, start=False) as people:
        daemon, discord = people.street.daemon, people.street.discord
        discord.script.on_resume = "invalid"
        change(daemon, "attempts = 20", "attempts = 2")
        change(daemon, "global_per_s = 0 }", "global_per_s = 0, identifies_per_day = 2 }")
        lane = Talk(people.talks[0].place)
        killing = People(people.street, [lane], numbers=people.numbers)
        for _ in range(2):
            await daemon.start("answer.first_words", wait=not daemon.token, indexed=not daemon.token)
            killing.ask_each()
            assert await asyncio.wait_for(daemon.died(), 90) == -signal.SIGKILL
        await daemon.start(indexed=True)
        await killing.until(lambda: killing.open == 1, 60)
        first, second = lane.asked
        assert [("set aside" in seen.text) for seen in lane.place.answers_to(lane.asked[first])] == [True]
        assert len(lane.finals(second)) == 1

        await serves(people, "telegram")
        assert len(discord.identifies) == 2
        assert "the next one waits" in daemon.log.read_text()


def begins(people: People, sessions: int) -> bool:
    """Whether so many sessions were begun."""
    return len(people.street.discord.identifies) == sessions


@pytest.mark.parametrize(
    ("starts", "most"),
    [
        pytest.param(50, 20, marks=[pytest.mark.full, pytest.mark.timeout(1200)]),
        pytest.param(1000, 500, marks=[pytest.mark.hours, pytest.mark.timeout(14_400)]),
    ],
)
async def test_a_crash_loop_begins_no_more_sessions_than_may(tmp_path: Path, starts: int, most: int) -> None:
    async with opened(tmp_path, start=False) as people:
        discord, daemon = people.street.discord, people.street.daemon
        discord.script.on_resume, discord.script.starts = "invalid", most
        change(daemon, "global_per_s = 0 }", f"global_per_s = 0, identifies_per_day = {most} }}")
        for begun in range(1, starts + 1):
            await daemon.start(indexed=not daemon.token)
            await serves(People(people.street, [Talk(people.talks[0].place)], numbers=people.numbers), "telegram")
            await people.until(partial(begins, people, min(begun, most)), 30)
            await daemon.kill()
        assert len(discord.identifies) == most
