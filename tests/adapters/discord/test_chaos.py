"""Everything that can go wrong, at random: each question is stored once, in order, and each answer is seen once."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

from adapters.types import Reply
from tests.adapters.discord.house import Home
from tests.rigs.discord import Discord

if TYPE_CHECKING:
    import pytest

    from tests.rigs.discord import Channel, Person

_SEED = 20_261_126


async def test_nothing_is_lost_or_doubled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.discord.lane._RETRY_S", (0.02,))
    monkeypatch.setattr("adapters.discord.sender._RETRY_S", (0.02,))
    chance = random.Random(_SEED)
    async with Discord(lifted=True) as rig:
        people = [rig.person(f"P{n}") for n in range(4)]
        hall = rig.guild("Hearth", *people).channel("hall")
        home = Home(rig, deadlines={"request_s": 0.5})
        async with home.open():
            await _hello(home, people, hall)
        said: dict[str, list[str]] = {"hall": [], **{person.id: [] for person in people}}
        for life in range(8):
            home.ledger.values.pop("starts", None)
            home.new()
            async with home.open():
                for _ in range(10):
                    _say(chance, people, hall, said, home)
                    await _trouble(chance, rig)
                    await asyncio.sleep(chance.random() * 0.03)
            if life % 3 == 0:
                rig.house.sessions.alive.clear()
            _say(chance, people, hall, said, home)
        rig.house.faults.clear()
        home.ledger.values.pop("starts", None)
        home.new()
        async with home.open():
            wanted = sum(len(texts) for texts in said.values())
            await home.true(lambda: len(home.host.messages) >= wanted + 5, 20)
            await asyncio.sleep(0.2)
            chats = {"hall": hall.id, **{person.id: person.dm.id for person in people}}
            for place, texts in said.items():
                assert [message.text for message in home.host.messages if message.chat == chats[place]] == ["hello", *texts]
            rig.fault("drop", "message.create", after=True, times=None, probability=0.15)
            rig.fault("5xx", "message.create", times=None, probability=0.15)
            rig.fault("429", "message.create", times=None, probability=0.05, retry_after=0.05)
            await asyncio.gather(*(home.answer(Reply(f"answer {n}"), n=n) for n in range(len(home.host.messages))))
        answers = [post.content for post in rig.ledger.by_bot()]
        assert sorted(answers) == sorted(f"answer {n}" for n in range(len(home.host.messages)))


async def _hello(home: Home, people: list[Person], hall: Channel) -> None:
    for person in people:
        person.say(person.dm, "hello")
    people[0].say(hall, "hello", mention=True)
    await home.true(lambda: len(home.host.messages) == len(people) + 1)


def _say(chance: random.Random, people: list[Person], hall: Channel, said: dict[str, list[str]], home: Home) -> None:
    person = chance.choice(people)
    public = chance.random() < 0.4
    texts = said["hall" if public else person.id]
    text = f"{'hall' if public else person.name} {len(texts)}"
    texts.append(text)
    if chance.random() < 0.1:
        home.host.failures[text] = 1
    person.say(hall if public else person.dm, text, mention=public)
    if chance.random() < 0.3:
        person.say(hall, "talk of others")


async def _trouble(chance: random.Random, rig: Discord) -> None:
    what = chance.random()
    if what < 0.08:
        rig.gateway.drop()
    elif what < 0.12:
        rig.gateway.invalidate()
    elif what < 0.16:
        rig.gateway.reconnect()
    elif what < 0.20:
        async with rig.outage():
            await asyncio.sleep(0.05)
    elif what < 0.3:
        rig.fault(chance.choice(["5xx", "429", "drop"]), "history", retry_after=0.05)
