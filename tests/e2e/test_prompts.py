"""What the model server sees: one call a question, never more than the window, and a beginning that its cache can keep."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import pytest
import pytest_asyncio

from tests.e2e.doors import by_http, fresh
from tests.rigs.daemon import Daemon
from tests.rigs.ollama import Ollama

pytestmark = pytest.mark.asyncio(loop_scope="module")

NAMES = ("anna", "ben", "carl", "dora", "eve")
WINDOW, ANSWER_TOKENS = 4096, 256
DOCUMENTS = {
    "boiler": "The boiler stands in the cellar, behind the freezer. Its pressure gauge should show 1.5 bar in winter.",
    "router": "The router sits behind the bookshelf. Its network is called Cricket and its password hangs inside the cupboard.",
    "orchard": "The orchard has eleven apple trees. They are pruned in February, before the sap rises.",
    "chimney": "The chimney is swept every September. Madame Rossi from Vevey brings her own ladder and brushes.",
    "letterbox": "The letterbox opens with the small brass key. The postwoman comes around ten, on Saturdays earlier.",
    "attic": "The attic holds the skis, the Christmas lanterns and grandmother's sewing machine, under the eastern window.",
}
QUESTIONS = (
    "What should the pressure gauge of the boiler show in winter?",
    "Where does the password of the router network hang?",
    "When are the apple trees of the orchard pruned?",
    "Who brings ladder and brushes for the chimney in September?",
    "Which small brass key opens the letterbox on Saturdays?",
    "Where in the attic is grandmother's sewing machine?",
)
SCRIPTS = (
    "le chauffage de la chaudière ",
    "鍋爐的壓力是多少",
    "🔥🧯🪜 ",
    "def boiler(): return {'bar': 1.5}\n",
    "а какое давление ",
    "x" * 60 + " ",
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ollama() -> AsyncIterator[Ollama]:
    async with Ollama() as rig:
        yield rig


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def daemon(ollama: Ollama, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Daemon]:
    folder = tmp_path_factory.mktemp("prompts")
    house = folder / "documents"
    house.mkdir()
    for topic, text in DOCUMENTS.items():
        (house / f"{topic}.md").write_text(f"# The {topic}\n\n{text}\n")
    for number, script in enumerate(SCRIPTS):
        (house / f"notes{number}.txt").write_text(script * 40)
    people = "\n".join(f'[[people]]\nname = "{name}"\nowner = {str(name == "anna").lower()}\n' for name in NAMES)
    async with Daemon(
        folder / "daemon", ollama.address, {"house": house}, settings=f"[memory]\ntokens = 800\n{people}"
    ) as running:
        yield await running.start(indexed=True)


async def test_a_self_contained_question_is_one_call(daemon: Daemon, ollama: Ollama) -> None:
    talk, before = fresh(), ollama.counters.requests.get("chat", 0)
    for number, question in enumerate(QUESTIONS, 1):
        assert (await by_http(daemon, question, conversation=talk)).cited
        assert ollama.counters.requests["chat"] == before + number


@pytest.mark.parametrize("turns", [40, pytest.param(200, marks=[pytest.mark.full, pytest.mark.timeout(900)])])
async def test_each_prompt_begins_as_the_last_one_and_nothing_is_reloaded(daemon: Daemon, ollama: Ollama, turns: int) -> None:
    ollama.prompts.clear()
    ollama.set(answer="{quote} [{n}] " + "That is what the household wrote down about it. " * 8)
    tokens = {name: await daemon.create_token(fresh(), "--person", name) for name in NAMES}
    talks = {name: fresh() for name in NAMES}
    for _ in range(turns // len(NAMES)):
        for name in NAMES:
            question = f"{random.choice(QUESTIONS)} Says {name}."
            said = await by_http(daemon, question, token=tokens[name], conversation=talks[name])
            assert said.cited, question

    assert ollama.counters.reloads == ollama.counters.swaps == 0
    assert len({str(sorted(prompt["options"].items())) for prompt in ollama.prompts}) == 1
    asked: dict[str, list[list[Any]]] = defaultdict(list)
    for prompt in ollama.prompts:
        asked[prompt["messages"][-1]["content"].rpartition(" Says ")[2].rstrip(".")].append(prompt["messages"])
    assert {name: len(prompts) for name, prompts in asked.items()} == dict.fromkeys(NAMES, turns // len(NAMES))
    assert all(0 < cuts(prompts) < len(prompts) // 2 for prompts in asked.values())


def cuts(prompts: list[list[Any]]) -> int:
    """How often the beginning was cut: to half of the turns at most. In between it only grows, by one turn."""
    found = 0
    for before, after in pairwise(prompts):
        kept = before[:-1]
        if len(after) < len(before) + 2:
            found += 1
            assert len(after) <= len(before) // 2 + 4
            kept = before[:1] + before[len(before) - (len(after) - 4) - 1 : -1]
        assert after[: len(kept)] == kept
        assert len(after) == len(kept) + 3
    return found


async def test_no_prompt_exceeds_the_window(daemon: Daemon, ollama: Ollama) -> None:
    ollama.prompts.clear()
    talk = fresh()
    for number in range(24):
        question = QUESTIONS[0] + " " + SCRIPTS[number % len(SCRIPTS)] * random.choice((1, 20, 90))
        said = await by_http(daemon, question[:6000], conversation=talk)
        assert said.error in {None, "prompt_too_long"}

    assert len(ollama.prompts) > 12
    assert all(prompt["options"]["num_ctx"] == WINDOW for prompt in ollama.prompts)
    assert max(prompt["tokens"] for prompt in ollama.prompts) + ANSWER_TOKENS <= WINDOW
    assert max(prompt["tokens"] for prompt in ollama.prompts) > WINDOW // 6
