"""Two people at once: no word of one, from documents or questions, ever reaches the other, in a prompt or in a reply."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from tests.e2e.doors import by_http, by_openai, fresh
from tests.rigs.daemon import Daemon
from tests.rigs.ollama import Ollama

pytestmark = pytest.mark.asyncio(loop_scope="module")

PEOPLE = ("anna", "ben")
CANARY = {"anna": ("zirconium", "quillaja", "voynich"), "ben": ("palimpsest", "ocarina", "tamarack")}
"""A word of the documents of each, then two of the questions, one for each conversation."""
HOUSE = "The boiler stands in the cellar, behind the freezer. Its pressure should be 1.5 bar."
SHARED = "What pressure should the boiler in the cellar have?"
OWN = "What is written in the diary about the holiday and the sailing boat?"


def diary(name: str) -> str:
    word = CANARY[name][0]
    return f"# Diary\n\nThe diary of the holiday says {word}: the sailing boat {word} leaked. Nobody else knows of the {word}.\n"


class House(Daemon):
    """A daemon with a shared collection and one of each person's own."""

    def __init__(self, folder: Path, ollama: str) -> None:
        shelves = {name: folder / name for name in ("house", *PEOPLE)}
        for name, shelf in shelves.items():
            shelf.mkdir(parents=True)
            (shelf / "page.md").write_text(diary(name) if name in PEOPLE else f"# Heating\n\n{HOUSE}\n")
        people = "".join(f'[[people]]\nname = "{name}"\nowner = {str(name == "anna").lower()}\n' for name in PEOPLE)
        limits = f"[limits]\nqueue_person = 500\n{people}"
        super().__init__(folder / "daemon", ollama, shelves, settings=limits, model="slots = 4")
        for name in PEOPLE:
            self.grant(name, [name])
        self.tokens: dict[str, str] = {}

    def grant(self, collection: str, readers: list[str]) -> None:
        """Change who may read a collection. In force after a restart."""
        head, mark, tail = self.config.read_text().partition(f'name = "{collection}"\nfolder')
        before, _, after = tail.partition("readers = ")
        listed = ", ".join(f'"{reader}"' for reader in readers)
        rest = after.partition("\n")[2]
        self.config.write_text(f"{head}{mark}{before}readers = [{listed}]\n{rest}")

    async def opened(self) -> House:
        await self.start(indexed=True)
        for name in PEOPLE:
            self.tokens[name] = await self.create_token(fresh(), "--person", name)
        return self


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ollama() -> AsyncIterator[Ollama]:
    async with Ollama(slots=4, answer="{quote} [{n}] You asked: {question}") as rig:
        yield rig


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(ollama: Ollama, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with House(tmp_path_factory.mktemp("isolation"), ollama.address) as running:
        yield await running.opened()


def of_others(name: str) -> tuple[str, ...]:
    return CANARY[next(other for other in PEOPLE if other != name)]


def asked_by(messages: list[dict[str, Any]]) -> str:
    """Whose prompt it is: each question ends with its person."""
    return str(messages[-1]["content"]).rpartition(" Says ")[2].rstrip(".")


@pytest.mark.parametrize("questions", [200, pytest.param(2000, marks=[pytest.mark.full, pytest.mark.timeout(900)])])
async def test_no_word_of_one_reaches_the_other(house: House, ollama: Ollama, questions: int) -> None:
    ollama.prompts.clear()
    told = dict.fromkeys(PEOPLE, 0)

    async def converse(session: aiohttp.ClientSession, name: str, number: int) -> None:
        talk, word = f"same name {number}", CANARY[name][1 + number]
        headers = {"Authorization": f"Bearer {house.tokens[name]}"}
        for _ in range(questions // 4):
            question = f"{random.choice((SHARED, OWN))} And {word}? Says {name}."
            body = {"question": question, "conversation": talk}
            async with session.post(f"{house.url}/ask", json=body, headers=headers) as response:
                text = await response.text()
            assert response.status == 200, text
            assert not any(other in text for other in (*of_others(name), CANARY[name][2 - number]))
            told[name] += CANARY[name][0] in text

    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(converse(session, name, number) for name in PEOPLE for number in (0, 1)))

    assert min(told.values()) > questions // 10  # each was told of their own
    assert len(ollama.prompts) > questions * 0.9
    for prompt in ollama.prompts:
        name, text = asked_by(prompt["messages"]), str(prompt["messages"])
        assert not any(word in text for word in of_others(name))
        assert not (CANARY[name][1] in text and CANARY[name][2] in text)  # one conversation in the other


async def test_nobody_searches_or_names_what_they_may_not_read(house: House) -> None:
    for name in PEOPLE:
        other = next(other for other in PEOPLE if other != name)
        said = [
            await by_http(house, f"/search {CANARY[other][0]} diary", token=house.tokens[name]),
            await by_http(house, f"{CANARY[other][0]} diary", token=house.tokens[name], collections=[other]),
            await by_openai(house, f"What of the {CANARY[other][0]} in the diary?", token=house.tokens[name]),
            await by_http(house, "/sources", token=house.tokens[name], conversation="same name 0"),
        ]
        assert not any(CANARY[other][0] in str(one.body.get("consulted", "")) + str(one.body.get("citations")) for one in said)
        assert said[1].error == "unknown_collection"


async def test_a_right_that_is_removed_is_gone_from_the_memory_too(ollama: Ollama, tmp_path: Path) -> None:
    async with House(tmp_path, ollama.address) as house:
        await house.opened()
        before = await by_http(house, f"{OWN} Says ben.", token=house.tokens["ben"], conversation="holiday")
        assert before.cited == ["page.md"]
        assert CANARY["ben"][0] in before.text
        await house.stop()
        house.grant("ben", ["anna"])
        await house.start(indexed=True)
        ollama.prompts.clear()
        for question in ("What did it say of it?", OWN, f"{SHARED} And that diary?", "/sources", "/continue"):
            said = await by_http(house, f"{question}", token=house.tokens["ben"], conversation="holiday")
            assert CANARY["ben"][0] not in str(said.body)
        gained = await by_http(house, OWN, token=house.tokens["anna"], conversation=fresh())

    assert CANARY["ben"][0] in str(gained.body)
    assert not any(CANARY["ben"][0] in str(prompt["messages"]) for prompt in list(ollama.prompts)[:-1])
