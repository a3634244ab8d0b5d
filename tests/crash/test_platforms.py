"""Killed at random moments and at each named point while people ask on both platforms: nothing is lost, doubled, out of order."""

from __future__ import annotations

import asyncio
import random
import re
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.crash.street import People, announced, opened
from tests.crash.test_line import POINTS

ROOT = Path(__file__).parents[2]
ADAPTERS = ("fetch", "confirm", "edit", "send.before", "send.after")
INBOX = tuple(point for point in POINTS if point not in ADAPTERS)
BOTH = {"fetch", "edit", "send.after"}
"""Where the platforms differ most. `make full` kills at all of them on both."""
ONCE = {"fetch", "confirm"}
"""What was asked meanwhile may come all at once."""
PLATFORMS = ("telegram", "discord")
SLOW, QUICK = 150.0, 5000.0
"""Tokens a second: with slow ones an answer is shown while it is written."""


def test_every_point_of_the_platforms_is_met() -> None:
    code = "".join(path.read_text() for path in (ROOT / "adapters").rglob("*.py"))
    delivery = (ROOT / "bot" / "delivery.py").read_text() + (ROOT / "bot" / "outbox.py").read_text()
    assert set(re.findall(r'_point\("([a-z_.]+)"', code)) == {"fetch", "confirm", "edit"} < set(ADAPTERS)
    assert set(re.findall(r'failpoint\("([a-z_.]+)"', delivery)) < {*INBOX, *ADAPTERS}


async def killed_at(people: People, point: str, platform: str, arrival: int, count: int) -> None:
    """Ask on one platform until the daemon dies at a point, then let it rise."""
    street = people.street
    street.ollama.set(tokens_s=SLOW)
    await street.daemon.start(f"{point}:{arrival}", wait=False)
    people.release(count, platform)
    died = asyncio.create_task(street.daemon.died())
    try:
        await people.until(lambda: died.done() or not people.ask(), 60)
        await asyncio.wait_for(died, 5)
    except TimeoutError:
        pytest.fail(f"{point}:{arrival} was not met on {platform}\n{street.daemon.tail()}")
    assert died.result() == -signal.SIGKILL, street.daemon.tail()


async def killed_at_points(folder: Path, points: Sequence[tuple[str, str]], each: int = 6) -> dict[str, int]:
    """Kill once at each point, on the platform beside it; what came of it."""
    async with opened(folder) as people:
        await people.street.daemon.kill()
        for point, platform in points:
            await killed_at(people, point, platform, 1 if point in ONCE else random.randint(1, 3), each)
        return await sound(people, len(points))


async def killed_at_random(folder: Path, messages: int, kills: int, people: int = 2) -> dict[str, int]:
    """Kill while everybody asks; what came of it."""
    async with opened(folder, people, at_once=4) as asking:
        street = asking.street
        for _ in range(kills):
            street.ollama.set(tokens_s=random.choice((SLOW, QUICK)))
            asking.release(messages // (kills + 1))
            await going_on(asking, random.uniform(0, 2.5))
            await street.daemon.kill()
            asking.ask()  # into the void
            # Now and then it dies again while it still loads: until then nothing is answered.
            await street.daemon.start(indexed=random.random() < 0.8)
        street.ollama.set(tokens_s=QUICK)
        asking.release(messages - asking.asked - asking.left)
        return await sound(asking, kills, messages)


async def going_on(people: People, seconds: float) -> None:
    """Ask as there is room, for so long."""
    try:
        await people.until(lambda: not people.ask(), seconds)
    except TimeoutError:
        return


async def sound(people: People, kills: int, messages: int = 0) -> dict[str, int]:
    """Let everything be answered, then judge. Most of very many `messages` are answered only now: four in a second."""
    daemon = people.street.daemon
    if daemon.process is None or daemon.process.returncode is not None:
        await daemon.start()
    await daemon.until_alive()
    await announced(people.street)
    await people.told(300 + messages / 4)
    return people.check(kills)


@pytest.mark.timeout(600)
async def test_killed_at_each_point_and_at_random_moments(tmp_path: Path) -> None:
    """Most of it is loading the daemon anew: so three are killed side by side."""
    inbox = [(point, PLATFORMS[n % 2]) for n, point in enumerate(INBOX)]
    adapters = [(point, platform) for point in ADAPTERS for platform in PLATFORMS if point in BOTH or platform == "telegram"]
    async with asyncio.TaskGroup() as sieges:
        sieges.create_task(killed_at_random(tmp_path / "random", 120, 5))
        sieges.create_task(killed_at_points(tmp_path / "inbox", inbox))
        sieges.create_task(killed_at_points(tmp_path / "adapters", adapters))


@pytest.mark.full
@pytest.mark.timeout(1200)
async def test_killed_at_each_point_on_both_platforms(tmp_path: Path) -> None:
    async with asyncio.TaskGroup() as sieges:
        for platform in PLATFORMS:
            points = [(point, platform) for point in (*INBOX, *ADAPTERS)]
            sieges.create_task(killed_at_points(tmp_path / platform, points))


@pytest.mark.full
@pytest.mark.timeout(3600)
async def test_killed_at_many_random_moments(tmp_path: Path) -> None:
    async with asyncio.TaskGroup() as sieges:
        halves = [sieges.create_task(killed_at_random(tmp_path / half, 5000, 100, 6)) for half in ("one", "other")]
    for half in halves:
        print(half.result())
