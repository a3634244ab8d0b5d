"""What the tests of the Ollama chat model share: a prompt, settings, and asking."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from knowledge.config import ChatModelConfig
from knowledge.models import ChatModel, Piece, Turn

if TYPE_CHECKING:
    from tests.rigs.ollama import Ollama

PROMPT = [
    Turn("system", "You are brief."),
    Turn("user", '<passage n="1" source="Bins">\nBins go out on Tuesday. Not on Monday.\n</passage>\n\nWhen?'),
]
LONG = [Turn("user", "Sentence about gardens. " * 3000)]


def settings(rig: Ollama, **values: Any) -> ChatModelConfig:
    return ChatModelConfig(**{"address": rig.address, "name": "smollm2:135m", "context_window": 2048, **values})


async def written(model: ChatModel, prompt: list[Turn] | None = None) -> list[Piece]:
    async with aclosing(model.stream(prompt or PROMPT)) as pieces:
        return [piece async for piece in pieces]


def text_of(pieces: list[Piece]) -> str:
    return "".join(piece.text for piece in pieces)


async def idle(rig: Ollama) -> None:
    async with asyncio.timeout(0.1):
        while rig.counters.active:
            await asyncio.sleep(0.002)
