"""The Ollama chat model against the stand-in: words, options, deadlines, and each fault in its own error."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import pytest
from llama_index.core.base.llms.types import ChatMessage, MessageRole

from knowledge.config import ChatModelConfig
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
from knowledge.models import ChatModel, Piece, Turn
from knowledge.ollama import OllamaChat, keep_alive
from tests.rigs.ollama import Ollama
from tests.rigs.ollama_script import Fault

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_PROMPT = [
    Turn("system", "You are brief."),
    Turn("user", '<passage n="1" source="Bins">\nBins go out on Tuesday. Not on Monday.\n</passage>\n\nWhen?'),
]
_LONG = [Turn("user", "Sentence about gardens. " * 3000)]


@pytest.fixture
async def rig() -> AsyncIterator[Ollama]:
    async with Ollama() as rig:
        yield rig


def settings(rig: Ollama, **values: Any) -> ChatModelConfig:
    return ChatModelConfig(**{"address": rig.address, "name": "smollm2:135m", "context_window": 2048, **values})


async def written(model: ChatModel, prompt: list[Turn] | None = None) -> list[Piece]:
    async with aclosing(model.stream(prompt or _PROMPT)) as pieces:
        return [piece async for piece in pieces]


def text_of(pieces: list[Piece]) -> str:
    return "".join(piece.text for piece in pieces)


@pytest.fixture
async def model(rig: Ollama) -> AsyncIterator[OllamaChat]:
    model = OllamaChat(settings(rig, first_token_s=0.2, next_token_s=0.2, load_s=0.4))
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
        await written(model, _LONG)


@pytest.mark.parametrize("tail", [[], [Turn("user", "And? " * 500)]], ids=["one message", "dropped turns"])
async def test_a_prompt_that_an_old_server_cuts_in_silence_is_found_out(rig: Ollama, model: OllamaChat, tail: list[Turn]) -> None:
    rig.set(cuts_silently=True, version="0.12.5")
    with pytest.raises(PromptTooLongError, match="cut the prompt"):
        await written(model, [*_LONG, *tail])


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault("400"), PromptTooLongError),
        (Fault("404"), ModelMissingError),
        (Fault("500"), ModelBrokenError),
        (Fault("503"), ModelBusyError),
        (Fault("unfit"), ModelUnfitError),
        (Fault("refuse"), ModelUnreachableError),
        (Fault("redirect", text="http://192.0.2.1/"), ModelBrokenError),
        (Fault("error_line"), ModelBrokenError),
        (Fault("cut"), ModelBrokenError),
        (Fault("no_last_line"), ModelBrokenError),
        (Fault("garbage"), ModelBrokenError),
        (Fault("list"), ModelBrokenError),
        (Fault("endless_line"), ModelBrokenError),
        (Fault("stall"), ModelSlowError),
        (Fault("hang"), ModelSlowError),
        (Fault("404", route="show"), ModelMissingError),
        (Fault("garbage", route="embed"), None),
    ],
    ids=lambda value: f"{value.route} {value.kind}" if isinstance(value, Fault) else "",
)
async def test_each_fault_ends_in_its_own_error_and_the_next_answer_is_whole(
    rig: Ollama, model: OllamaChat, fault: Fault, error: type[ModelError] | None
) -> None:
    rig.set(faults=[fault])
    begun = time.monotonic()
    if error is None:
        await written(model)
    else:
        with pytest.raises(error) as raised:
            await written(model)
        assert (raised.value.model, raised.value.address) == ("smollm2:135m", rig.address)
    assert time.monotonic() - begun < 2
    rig.set(faults=[])
    assert (await written(model))[-1].done == "stop"


async def test_the_servers_own_words_are_kept(rig: Ollama, model: OllamaChat) -> None:
    rig.set(faults=[Fault("error_line")])
    with pytest.raises(ModelBrokenError, match="unexpected EOF"):
        await written(model)


async def test_a_busy_server_is_asked_again(rig: Ollama, model: OllamaChat) -> None:
    rig.set(faults=[Fault("503", times=1)])
    model._deadlines = type(model._deadlines)(1, 5, 5, 5, 10**6)
    assert (await written(model))[-1].done == "stop"
    assert rig.counters.requests["chat"] == 2


async def test_a_redirect_is_not_followed(rig: Ollama, model: OllamaChat) -> None:
    async with Ollama() as elsewhere:
        rig.set(faults=[Fault("redirect", text=f"{elsewhere.address}/api/chat")])
        with pytest.raises(ModelBrokenError, match="302"):
            await written(model)
        assert elsewhere.counters.requests == {}


async def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch, rig: Ollama) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    model = OllamaChat(settings(rig))
    assert (await written(model))[-1].done == "stop"
    await model.close()


@pytest.mark.parametrize("fault", ["endless", "endless_line"])
async def test_an_endless_answer_is_ended_and_its_connection_closed(rig: Ollama, fault: str) -> None:
    model = OllamaChat(settings(rig, answer_tokens=16))
    rig.set(faults=[Fault(fault)])
    if fault == "endless":
        pieces = await written(model)
        assert (pieces[-1].done, "again" in text_of(pieces)) == ("length", True)
    else:
        with pytest.raises(ModelBrokenError, match="does not end"):
            await written(model)
    await _idle(rig)
    await model.close()


async def _idle(rig: Ollama) -> None:
    async with asyncio.timeout(0.1):
        while rig.counters.active:
            await asyncio.sleep(0.002)


@pytest.mark.parametrize("way", ["close", "cancel", "break"])
@pytest.mark.parametrize("moment", ["words", "waiting"])
async def test_leaving_closes_the_request_at_once(rig: Ollama, model: OllamaChat, way: str, moment: str) -> None:
    rig.set(tokens=1000, tokens_s=100, first_token_s=0.0 if moment == "words" else 30.0)
    began = asyncio.Event()

    async def listen() -> None:
        stream = model.stream(_PROMPT)
        async for _ in stream:
            began.set()
            if way == "close":
                await stream.aclose()
                return
            if way == "break":
                break

    task = asyncio.create_task(listen())
    if moment == "words":
        await began.wait()
    else:
        while not rig.counters.active:
            await asyncio.sleep(0.002)
        task.cancel()
    if way == "cancel":
        task.cancel()
    await asyncio.wait([task])
    await _idle(rig)


async def test_a_stalled_answer_ends_at_the_deadline_between_two_words(rig: Ollama, model: OllamaChat) -> None:
    rig.set(faults=[Fault("stall")])
    begun = time.monotonic()
    with pytest.raises(ModelSlowError) as raised:
        await written(model)
    assert raised.value.step == "next_token"
    assert 0.2 <= time.monotonic() - begun < 0.6


async def test_a_slow_reader_is_no_slow_model(rig: Ollama, model: OllamaChat) -> None:
    rig.set(tokens=20, tokens_s=100)
    words = []
    async for piece in model.stream(_PROMPT):
        words.append(piece.text)
        if len(words) == 1:
            await asyncio.sleep(0.5)
    assert len("".join(words).split()) == 20


async def test_a_whole_answer_has_a_deadline_too(rig: Ollama) -> None:
    model = OllamaChat(settings(rig, answer_s=0.3))
    rig.set(tokens=1000, tokens_s=50)
    with pytest.raises(ModelSlowError):
        await written(model)
    await model.close()


async def test_a_model_that_answered_before_and_is_late_is_slow(rig: Ollama, model: OllamaChat) -> None:
    await written(model)
    rig.set(first_token_s=30.0)
    with pytest.raises(ModelSlowError) as raised:
        await written(model)
    assert raised.value.step == "first_token"
    assert rig.counters.requests["ps"] == 1


async def test_a_model_that_still_loads_gets_the_load_deadline_on_top(rig: Ollama, model: OllamaChat) -> None:
    rig.set(load_s=0.4)
    assert (await written(model))[-1].done == "stop"


async def test_a_model_that_does_not_get_loaded_is_said_to_be_loading(rig: Ollama, model: OllamaChat) -> None:
    rig.set(load_s=30.0)
    begun = time.monotonic()
    with pytest.raises(ModelSlowError) as raised:
        await written(model)
    assert raised.value.step == "load"
    assert 0.6 <= time.monotonic() - begun < 1


async def test_a_server_that_hangs_altogether_is_not_waited_for(rig: Ollama, model: OllamaChat) -> None:
    rig.set(faults=[Fault("hang"), Fault("500", route="ps")])
    begun = time.monotonic()
    with pytest.raises(ModelSlowError):
        await written(model)
    assert time.monotonic() - begun < 0.5


async def test_nothing_is_asked_on_the_way_once_the_model_is_known(rig: Ollama, model: OllamaChat) -> None:
    for _ in range(3):
        await written(model)
    assert rig.counters.requests == {"show": 1, "chat": 3}


async def test_a_restarted_server_is_looked_at_again(rig: Ollama, model: OllamaChat) -> None:
    await written(model)
    await rig.stop()
    with pytest.raises(ModelUnreachableError):
        await written(model)
    await rig.start()
    await written(model)
    assert rig.counters.requests == {"show": 2, "chat": 2}


async def test_a_connection_that_went_stale_is_no_error(rig: Ollama, model: OllamaChat) -> None:
    await written(model)
    await rig.stop()
    await rig.start()
    assert (await written(model))[-1].done == "stop"


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
        ChatMessage(role=MessageRole.USER, content=_PROMPT[1].content),
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
