"""The chat routes of the Ollama stand-in: queue, load, read the prompt, write the answer."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.rigs import ollama_words
from tests.rigs.ollama_answers import Answer, Native, OpenAI, write
from tests.rigs.ollama_requests import OVER_WINDOW, RefusalError, check_chat, keep_alive_of, model_of, parsed, runner_of

if TYPE_CHECKING:
    from tests.rigs.ollama_http import Reply, Request
    from tests.rigs.ollama_memory import House, Resident, Slot
    from tests.rigs.ollama_models import Installed
    from tests.rigs.ollama_script import Fault, Script


@dataclass(frozen=True)
class Question:
    """A request for an answer, over Ollama's own route or the OpenAI-compatible one."""

    body: dict[str, Any]
    model: Installed
    messages: list[dict[str, Any]]
    native: bool


async def chat(house: House, request: Request, reply: Reply, fault: Fault | None) -> None:
    """`/api/chat`: load, unload, or answer."""
    body = parsed(request.body)
    keep_alive = keep_alive_of(body)
    model = model_of(house.script, body)
    check_chat(house.script, model, body)
    messages = body.get("messages", [])
    if not messages and keep_alive == 0:
        await house.machine.unload(model.name)
    elif not messages:
        async with house.machine.loaded(model, runner_of(body, house.script.version), keep_alive):
            pass
    if not messages:
        frames = Native(Answer(body["model"], [], "unload" if keep_alive == 0 else "load", 0))
        reply.whole(200, frames.bare())
        return
    await _answer(house, reply, Question(body, model, messages, native=True), fault)


async def v1_chat(house: House, request: Request, reply: Reply, fault: Fault | None) -> None:
    """`/v1/chat/completions`, which knows no window: the server's default holds, and longer prompts are cut in silence."""
    body = parsed(request.body)
    model = model_of(house.script, body)
    check_chat(house.script, model, body)
    options = {"num_predict": body["max_tokens"]} if "max_tokens" in body else {}
    body = {**body, "options": options, "stream": body.get("stream", False)}
    await _answer(house, reply, Question(body, model, body.get("messages", []), native=False), fault)


async def _answer(house: House, reply: Reply, question: Question, fault: Fault | None) -> None:
    """Queue, load, read the prompt, write."""
    machine, script, body = house.machine, house.script, question.body
    begun = time.perf_counter_ns()
    with machine.admitted():
        async with machine.loaded(question.model, runner_of(body, script.version), keep_alive_of(body)) as resident:
            load_ns = time.perf_counter_ns() - begun
            read = _read(script, resident, question)
            async with machine.slot(
                "\n".join(f"{said.get('role')}: {said.get('content')}" for said in question.messages)
            ) as slot:
                record = _record(question, read, slot)
                house.prompts.append(record)
                await asyncio.sleep(script.first_token_s)
                answer = _composed(script, resident, question, read)
                answer.begun, answer.load_ns = begun, load_ns
                await _written(reply, script, question, answer, fault)
                record["finished"] = True
                machine.counters.answers += 1
                machine.counters.tokens += len(answer.words)


def _record(question: Question, read: int, slot: Slot) -> dict[str, Any]:
    body = question.body
    asked = {"model": body["model"], "messages": question.messages, "options": body.get("options")}
    return {**asked, "tokens": read, "slot": slot.number, "common": slot.common, "finished": False, "at": time.time()}


async def _written(reply: Reply, script: Script, question: Question, answer: Answer, fault: Fault | None) -> None:
    usage = bool((question.body.get("stream_options") or {}).get("include_usage"))
    frames = Native(answer) if question.native else OpenAI(answer, usage=usage)
    if question.body.get("stream", True):
        await write(reply, script, frames, answer, fault)
    else:
        await asyncio.sleep(len(answer.words) / script.tokens_s if script.tokens_s else 0)
        content_type = "application/json; charset=utf-8" if question.native else "application/json"
        reply.whole(200, frames.whole("".join(answer.words)), content_type)


def _read(script: Script, resident: Resident, question: Question) -> int:
    """Tokens of the prompt that are read. Raises `RefusalError` for one over the window, where the server is asked to refuse."""
    window = min(resident.window, resident.model.window)
    messages = question.messages
    read = ollama_words.prompt_tokens(messages)
    if read <= window:
        return read
    if question.native and question.body.get("truncate") is False and not script.cuts_silently:
        raise RefusalError(400, OVER_WINDOW, plain=True)
    kept = [message for message in messages[:1] if message.get("role") == "system"]
    rest = messages[len(kept) :]
    while len(rest) > 1 and ollama_words.prompt_tokens([*kept, *rest]) > window:
        rest.pop(0)
    return min(window, ollama_words.prompt_tokens([*kept, *rest]))


def _composed(script: Script, resident: Resident, question: Question, read: int) -> Answer:
    """The answer within `num_predict` and the window, at whose edge it ends with `length` (`shift: false`)."""
    body = question.body
    words = ollama_words.composed(question.messages, script.answer, script.tokens)
    options = body.get("options") or {}
    stops = [word for word in options.get("stop") or [] if word in "".join(words)]
    if stops:
        words = ollama_words.pieces("".join(words).partition(stops[0])[0])
    room = options.get("num_predict", -1)
    room = room if room > 0 else len(words)
    if not body.get("shift", True):
        room = min(room, max(1, min(resident.window, resident.model.window) - read + 1))
    thoughts = min(script.thinking, room) if body.get("think") else 0
    room -= thoughts if options.get("num_predict", -1) > 0 else 0
    reason = "length" if len(words) > room or script.done_reason == "length" else "stop"
    return Answer(body["model"], words[:room], reason, read, thoughts=thoughts, logprobs=bool(body.get("logprobs")))
