"""The Ollama chat model against each fault of the stand-in, each deadline, and whoever leaves early."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

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
from knowledge.models import Turn
from knowledge.ollama import OllamaChat
from tests.knowledge.asking import LONG, PROMPT, idle, settings, text_of, written
from tests.rigs.ollama import Ollama
from tests.rigs.ollama_script import Fault

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


FIRST_S, LOAD_S = 0.5, 1.0


@pytest.fixture
async def rig() -> AsyncIterator[Ollama]:
    async with Ollama() as rig:
        yield rig


@pytest.fixture
async def model(rig: Ollama) -> AsyncIterator[OllamaChat]:
    model = OllamaChat(settings(rig, first_token_s=FIRST_S, next_token_s=FIRST_S, load_s=LOAD_S))
    yield model
    await model.close()


@pytest.mark.parametrize("tail", [[], [Turn("user", "And? " * 500)]], ids=["one message", "dropped turns"])
async def test_a_prompt_that_an_old_server_cuts_in_silence_is_found_out(rig: Ollama, model: OllamaChat, tail: list[Turn]) -> None:
    rig.set(cuts_silently=True, version="0.12.5")
    with pytest.raises(PromptTooLongError, match="cut the prompt"):
        await written(model, [*LONG, *tail])


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
    await idle(rig)
    await model.close()


@pytest.mark.parametrize("way", ["close", "cancel", "break"])
@pytest.mark.parametrize("moment", ["words", "waiting"])
async def test_leaving_closes_the_request_at_once(rig: Ollama, model: OllamaChat, way: str, moment: str) -> None:
    rig.set(tokens=1000, tokens_s=100, first_token_s=0.0 if moment == "words" else 30.0)
    began = asyncio.Event()

    async def listen() -> None:
        stream = model.stream(PROMPT)
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
    await idle(rig)


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
    async for piece in model.stream(PROMPT):
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
    rig.set(load_s=0.9)
    assert (await written(model))[-1].done == "stop"


async def test_a_model_that_does_not_get_loaded_is_said_to_be_loading(rig: Ollama, model: OllamaChat) -> None:
    rig.set(load_s=30.0)
    begun = time.monotonic()
    with pytest.raises(ModelSlowError) as raised:
        await written(model)
    assert raised.value.step == "load"
    assert FIRST_S + LOAD_S <= time.monotonic() - begun < 2.5


async def test_a_server_that_hangs_altogether_is_not_waited_for(rig: Ollama, model: OllamaChat) -> None:
    rig.set(faults=[Fault("hang"), Fault("500", route="ps")])
    begun = time.monotonic()
    with pytest.raises(ModelSlowError):
        await written(model)
    assert time.monotonic() - begun < FIRST_S + LOAD_S


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
