"""The OpenAI-compatible models against the `/v1` routes of the stand-in."""

from __future__ import annotations

import time
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pydantic import SecretStr

from knowledge.config import ChatModelConfig, EmbeddingConfig
from knowledge.errors import (
    ModelBrokenError,
    ModelBusyError,
    ModelError,
    ModelMissingError,
    ModelSlowError,
    ModelUnfitError,
    ModelUnreachableError,
    PromptTooLongError,
)
from knowledge.models import Piece, Turn
from knowledge.openai import OpenAIChat, OpenAIEmbedder
from knowledge.wire import Wire
from tests.rigs.ollama import Ollama
from tests.rigs.ollama_script import Fault

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_PROMPT = [Turn("user", '<passage n="1" source="Bins">\nBins go out on Tuesday. Not on Monday.\n</passage>\n\nWhen?')]


@pytest.fixture
async def rig() -> AsyncIterator[Ollama]:
    async with Ollama() as rig:
        yield rig


def settings(rig: Ollama, **values: Any) -> ChatModelConfig:
    return ChatModelConfig(**{"provider": "openai", "address": rig.address, "name": "smollm2:135m", **values})


@pytest.fixture
async def model(rig: Ollama) -> AsyncIterator[OpenAIChat]:
    model = OpenAIChat(settings(rig, first_token_s=0.5, next_token_s=0.5))
    yield model
    await model.close()


async def written(model: OpenAIChat, prompt: list[Turn] | None = None) -> list[Piece]:
    async with aclosing(model.stream(prompt or _PROMPT)) as pieces:
        return [piece async for piece in pieces]


@pytest.mark.parametrize("suffix", ["", "/", "/v1", "/v1/"])
async def test_words_and_counts_arrive_whether_the_address_names_v1_or_not(rig: Ollama, suffix: str) -> None:
    rig.set(tokens_s=300)
    model = OpenAIChat(settings(rig, address=rig.address + suffix))
    pieces = await written(model)
    assert "".join(piece.text for piece in pieces) == "Bins go out on Tuesday. [1]"
    assert len(pieces) > 3
    assert (pieces[-1].done, pieces[-1].prompt_tokens, pieces[-1].answer_tokens) == ("stop", rig.prompts[0]["tokens"], 9)
    await model.close()


async def test_an_answer_cut_by_its_length_says_so(rig: Ollama) -> None:
    model = OpenAIChat(settings(rig, answer_tokens=16))
    rig.set(tokens=100)
    assert (await written(model))[-1].done == "length"
    await model.close()


async def test_a_prompt_cut_in_silence_is_found_out(model: OpenAIChat) -> None:
    with pytest.raises(PromptTooLongError, match="cut the prompt"):
        await written(model, [Turn("user", "Sentence about gardens. " * 3000)])


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault("400"), PromptTooLongError),
        (Fault("404"), ModelMissingError),
        (Fault("500"), ModelBrokenError),
        (Fault("503"), ModelBusyError),
        (Fault("refuse"), ModelUnreachableError),
        (Fault("redirect", text="http://192.0.2.1/"), ModelBrokenError),
        (Fault("error_line"), ModelBrokenError),
        (Fault("cut"), ModelBrokenError),
        (Fault("no_last_line"), ModelBrokenError),
        (Fault("endless_line"), ModelBrokenError),
        (Fault("stall"), ModelSlowError),
        (Fault("hang"), ModelSlowError),
    ],
    ids=lambda value: value.kind if isinstance(value, Fault) else "",
)
async def test_each_fault_ends_in_its_own_error(rig: Ollama, model: OpenAIChat, fault: Fault, error: type[ModelError]) -> None:
    rig.set(faults=[fault])
    begun = time.monotonic()
    with pytest.raises(error):
        await written(model)
    assert time.monotonic() - begun < 2
    rig.set(faults=[])
    assert (await written(model))[-1].done == "stop"


async def test_an_endless_answer_is_ended(rig: Ollama) -> None:
    model = OpenAIChat(settings(rig, answer_tokens=16))
    rig.set(faults=[Fault("endless")])
    assert (await written(model))[-1].done == "length"
    await model.close()


@pytest.mark.parametrize("event", [b"data: {}", b"data: [1]", b'data: {"choices":[7]}', b"data: {", b'data: {"choices":5}'])
def test_an_event_that_is_none_is_broken(model: OpenAIChat, event: bytes) -> None:
    from knowledge.openai import _Events

    with pytest.raises(ModelBrokenError):
        _Events(model._wire).read([event])


def test_what_other_servers_put_between_events_is_passed_over(model: OpenAIChat) -> None:
    from knowledge.openai import _Events

    events = _Events(model._wire)
    lines = [
        b": ping",
        b"event: message",
        b"",
        b'data:{"choices":[{"delta":{"content":"a"}}]}\r',
        b'data: {"choices":[{"delta":null}]}',
    ]
    assert events.read(lines) == "a"
    assert events.done is None


async def test_a_server_on_the_internet_is_refused_unless_the_model_is_named() -> None:
    config = ChatModelConfig(provider="openai", address="http://8.8.8.8:9/v1", name="big")
    model = OpenAIChat(config)
    with pytest.raises(ModelUnfitError, match="elsewhere"):
        await written(model)
    assert (await model.check()).state == "remote"
    await model.close()


@pytest.mark.parametrize(
    ("address", "away"), [("http://127.0.0.1:1", False), ("http://10.1.2.3", False), ("http://[2606:4700::1]", True)]
)
async def test_only_public_addresses_leave_the_house(address: str, away: bool) -> None:
    assert await Wire(address, "m").leaves_house() is away


async def test_the_key_goes_into_the_header_and_into_no_error(rig: Ollama) -> None:
    model = OpenAIChat(settings(rig, api_key=SecretStr("sk-hidden")))
    assert model._wire._headers["Authorization"] == "Bearer sk-hidden"
    rig.set(faults=[Fault("500")])
    with pytest.raises(ModelBrokenError) as raised:
        await written(model)
    assert "sk-hidden" not in repr(raised.value) + repr(model)
    await model.close()


async def test_check_tells_each_state_apart(rig: Ollama, model: OpenAIChat) -> None:
    assert (await model.check()).state == "ready"
    await model.warm()
    rig.set(installed=("other:latest",))
    health = await model.check()
    assert (health.state, "other:latest" in health.detail) == ("missing", True)
    await rig.stop()
    assert (await model.check()).state == "unreachable"


async def test_it_embeds(rig: Ollama) -> None:
    config = EmbeddingConfig(provider="openai", address=rig.address, name="all-minilm", batch=4, passage_prefix="document ")
    embedder = OpenAIEmbedder(config)
    rows = await embedder.passages([f"passage {n} about topic {n * 7}" for n in range(6)])
    assert rows.shape == (6, 384)
    assert np.allclose(rows[5], await embedder.query("document passage 5 about topic 35"), atol=1e-5)
    print_ = await embedder.fingerprint()
    assert (print_.model, print_.digest, print_.dimension, print_.prefixes) == (
        "all-minilm",
        "all-minilm",
        384,
        ("", "document "),
    )
    assert (await embedder.check()).state == "missing"
    assert (await embedder.passages([])).shape == (0, 384)
    rig.set(faults=[Fault("500", route="embed")])
    with pytest.raises(ModelBrokenError):
        await embedder.query("x")
    await embedder.close()
