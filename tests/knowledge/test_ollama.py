"""The Ollama chat model against the stand-in: words, options, capabilities, health."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from llama_index.core.base.llms.types import ChatMessage, MessageRole

from knowledge.errors import (
    ModelSlowError,
    ModelUnfitError,
    PromptTooLongError,
)
from knowledge.ollama import OllamaChat, keep_alive
from tests.knowledge.asking import LONG, PROMPT, settings, text_of, written
from tests.rigs.ollama import Ollama

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def rig() -> AsyncIterator[Ollama]:
    async with Ollama() as rig:
        yield rig


@pytest.fixture
async def model(rig: Ollama) -> AsyncIterator[OllamaChat]:
    model = OllamaChat(settings(rig, first_token_s=5, next_token_s=5, load_s=1))
    yield model
    await model.close()


async def test_words_come_in_pieces_and_the_last_one_counts(rig: Ollama, model: OllamaChat) -> None:
    rig.set(tokens_s=200)
    pieces = await written(model)
    assert text_of(pieces) == "Bins go out on Tuesday. [1]"
    assert len(pieces) > 3
    assert [piece.done for piece in pieces[:-1]] == [None] * (len(pieces) - 1)
    last = pieces[-1]
    assert (last.done, last.answer_tokens, last.prompt_tokens) == ("stop", 10, rig.prompts[0]["tokens"])
    assert last.load_s is not None
    assert 0 <= last.load_s < 1


async def test_words_that_arrive_together_are_one_piece(model: OllamaChat) -> None:
    assert [piece.text for piece in await written(model)] == ["Bins go out on Tuesday. [1]"]


async def test_every_call_sends_the_same_options_so_nothing_is_loaded_twice(rig: Ollama, model: OllamaChat) -> None:
    rig.set(version="0.30.0")
    await model.warm()
    for _ in range(3):
        await written(model)
    await model.warm()
    assert (rig.counters.loads, rig.counters.reloads) == (1, 0)
    assert rig.prompts[0]["options"] == {"num_ctx": 2048, "num_predict": 1024, "temperature": 0.2}


async def test_an_answer_cut_by_its_length_says_so(rig: Ollama) -> None:
    model = OllamaChat(settings(rig, answer_tokens=16))
    rig.set(tokens=100)
    pieces = await written(model)
    assert (pieces[-1].done, pieces[-1].answer_tokens) == ("length", 16)
    await model.close()


async def test_a_prompt_over_the_window_is_refused_and_not_cut(model: OllamaChat) -> None:
    with pytest.raises(PromptTooLongError, match="exceeds the context length"):
        await written(model, LONG)


async def test_nothing_is_asked_on_the_way_once_the_model_is_known(rig: Ollama, model: OllamaChat) -> None:
    for _ in range(3):
        await written(model)
    assert rig.counters.requests == {"show": 1, "chat": 3}


async def test_an_embedding_model_does_not_chat(rig: Ollama) -> None:
    model = OllamaChat(settings(rig, name="all-minilm"))
    with pytest.raises(ModelUnfitError, match="completion"):
        await written(model)
    assert "chat" not in rig.counters.requests
    await model.close()


async def test_thinking_is_asked_for_only_when_it_is_wanted_and_never_shown(rig: Ollama) -> None:
    rig.set(capabilities={"smollm2:135m": ["completion", "thinking"]}, thinking=5, tokens_s=500)
    model = OllamaChat(settings(rig, thinking=True))
    assert text_of(await written(model)) == "Bins go out on Tuesday. [1]"
    await model.close()


async def test_thoughts_leave_an_answer_its_own_tokens(rig: Ollama) -> None:
    rig.set(capabilities={"smollm2:135m": ["completion", "thinking"]}, thinking=200, tokens=2000, tokens_s=2000)
    model = OllamaChat(settings(rig, thinking=True, answer_tokens=64))
    pieces = await written(model)
    assert pieces[-1].done == "length"
    assert 64 <= len(text_of(pieces).split()) < 2000
    rig.set(tokens=None)
    pieces = await written(model)
    assert (text_of(pieces), pieces[-1].done) == ("Bins go out on Tuesday. [1]", "stop")
    await model.close()


async def test_a_model_that_runs_elsewhere_is_refused_unless_named(rig: Ollama) -> None:
    rig.set(remote={"smollm2:135m": "https://example.com:443"}, installed=("smollm2:135m", "big-cloud:latest", "x:1-cloud"))
    for name in ("smollm2:135m", "x:1-cloud"):
        model = OllamaChat(settings(rig, name=name))
        with pytest.raises(ModelUnfitError, match="elsewhere"):
            await written(model)
        assert (await model.check()).state == "remote"
        await model.close()
    assert "chat" not in rig.counters.requests
    allowed = OllamaChat(settings(rig, remote=["smollm2:135m"]))
    assert (await written(allowed))[-1].done == "stop"
    await allowed.close()


async def test_check_tells_each_state_apart(rig: Ollama, model: OllamaChat) -> None:
    health = await model.check()
    assert (health.state, health.version, health.context_length) == ("loading", "0.24.0", 8192)
    assert health.capabilities == {"completion"}
    rig.set(vram_share=0.5)
    await model.warm()
    health = await model.check()
    assert (health.state, health.context_length, health.detail) == ("ready", 2048, "")
    assert health.vram_share == pytest.approx(0.5)
    rig.set(capabilities={"smollm2:135m": ["embedding"]})
    assert (await model.check()).state == "unfit"
    rig.set(installed=())
    assert (await model.check()).state == "missing"
    await rig.stop()
    assert (await model.check()).state == "unreachable"


async def test_check_reads_what_a_model_can_see_and_warns_of_an_old_server(rig: Ollama, model: OllamaChat) -> None:
    rig.set(version="0.17.0", capabilities={"smollm2:135m": ["completion", "vision"]})
    health = await model.check()
    assert "vision" in health.capabilities
    assert "0.17.1" in health.detail


async def test_check_warns_of_a_window_beyond_the_models(rig: Ollama) -> None:
    model = OllamaChat(settings(rig, context_window=16_384))
    assert "8192" in (await model.check()).detail
    await model.close()


async def test_warm_has_the_load_deadline(rig: Ollama, model: OllamaChat) -> None:
    rig.set(load_s=30.0)
    with pytest.raises(ModelSlowError) as raised:
        await model.warm()
    assert raised.value.step == "load"


async def test_it_is_a_llamaindex_model(rig: Ollama, model: OllamaChat) -> None:
    rig.set(tokens_s=300)
    messages = [
        ChatMessage(role=MessageRole.SYSTEM, content="Be brief."),
        ChatMessage(role=MessageRole.USER, content=PROMPT[1].content),
    ]
    answer = await model.achat(messages)
    assert answer.message.content == "Bins go out on Tuesday. [1]"
    deltas = [piece.delta async for piece in await model.astream_chat(messages)]
    assert "".join(map(str, deltas)) == answer.message.content
    assert (await model.acomplete("No passage.")).text == "There is no passage to quote."
    texts = [piece.text async for piece in await model.astream_complete("No passage.")]
    assert texts[-1] == "There is no passage to quote."
    assert (model.metadata.context_window, model.metadata.num_output, model.metadata.model_name) == (2048, 1024, "smollm2:135m")
    assert [message["role"] for message in rig.prompts[0]["messages"]] == ["system", "user"]
    with pytest.raises(NotImplementedError):
        model.chat(messages)


@pytest.mark.parametrize(("text", "value"), [("-1", -1), ("0", 0), ("300", 300), ("5m", "5m")])
def test_keep_alive_is_a_number_or_a_duration(text: str, value: object) -> None:
    assert keep_alive(text) == value


def test_a_server_that_does_not_count_its_prompt_is_no_server_that_cuts_it(model: OllamaChat) -> None:
    model._refuse_cut(LONG, 26, "")
    model._refuse_cut(LONG, None, "")
    with pytest.raises(PromptTooLongError):
        model._refuse_cut(LONG, 1024, "")
