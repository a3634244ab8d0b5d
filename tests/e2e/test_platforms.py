"""One daemon serves Discord and Telegram at once, unmodified: questions, sources, buttons, commands, from both."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.e2e.platforms import ANSWER, BOILER, Street, street

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Street]:
    async with street(tmp_path_factory.mktemp("platforms")) as opened:
        yield opened


async def let_in(place: Street, code: str) -> None:
    status, _, err = await place.daemon.verb("people", "approve", code)
    assert status == 0, err


def code_in(text: str) -> str:
    return text.rpartition(": ")[2].strip("` ")


async def test_a_stranger_is_let_in_by_the_owner_and_answered_on_telegram(place: Street) -> None:
    nora = place.telegram.person("Nora")
    hello = nora.say("hello")
    await place.telegram.ledger.until(lambda: place.telegram.ledger.answers_to(hello), 10)
    (told,) = place.telegram.ledger.answers_to(hello)
    await let_in(place, code_in(told.text))
    asked = nora.say(BOILER)
    await place.telegram.ledger.until(lambda: place.telegram.ledger.answers_to(asked), 10)
    (answer,) = place.telegram.ledger.answers_to(asked)
    assert answer.text.startswith(ANSWER)
    assert "Heating" in answer.text
    assert place.telegram.ledger.violations() == []


async def test_a_stranger_is_let_in_by_the_owner_and_answered_on_discord(place: Street) -> None:
    alice = place.discord.person("Alice")
    hello = alice.say(alice.dm, "hello")
    await place.discord.answered(hello)
    told = place.discord.ledger.answers_to(hello)[0]
    await let_in(place, code_in(told.content))
    asked = alice.say(alice.dm, BOILER)
    await place.discord.answered(asked, ANSWER.replace("[1]", ""))
    await asyncio.sleep(0.5)
    (answer,) = place.discord.ledger.answers_to(asked)
    assert "boiler stands in the cellar" in answer.content
    assert place.discord.violations == []
