"""How the Ollama stand-in writes: the words of an answer, paced framed natively or as events, and its faults."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.rigs.ollama_http import Reply
    from tests.rigs.ollama_script import Fault, Script

_NDJSON = "application/x-ndjson"
_EVENTS = "text/event-stream"
_CRASH = "an error was encountered while running the model: unexpected EOF"


@dataclass
class Answer:
    """An answer before it is written. Durations in nanoseconds, as on the wire."""

    model: str
    words: list[str]
    done_reason: str
    read: int
    load_ns: int = 0
    thoughts: int = 0
    logprobs: bool = False
    begun: int = field(default_factory=time.perf_counter_ns)

    @property
    def written(self) -> int:
        """Tokens written: one more than the words where the model itself stopped."""
        return len(self.words) + (self.done_reason == "stop")


class Native:
    """Ollama's own frames: a JSON line for each token."""

    content_type = _NDJSON

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._head = b'{"model":%s,"created_at":"%s","message":{"role":"assistant",' % (orjson.dumps(answer.model), _now())

    def word(self, text: str) -> bytes:
        """One token."""
        return (
            self._head
            + b'"content":'
            + orjson.dumps(text)
            + b'},"done":false'
            + (_logprobs(text) if self._answer.logprobs else b"")
            + b"}\n"
        )

    def thought(self, text: str) -> bytes:
        """One token of thinking."""
        return self._head + b'"content":"","thinking":' + orjson.dumps(text) + b'},"done":false}\n'

    def last(self) -> bytes:
        """The line that ends an answer."""
        return self.whole("") + b"\n"

    def whole(self, text: str) -> bytes:
        """The answer as one object."""
        answer = self._answer
        total = time.perf_counter_ns() - answer.begun
        numbers = {
            "total_duration": total,
            "load_duration": answer.load_ns,
            "prompt_eval_count": answer.read,
            "prompt_eval_duration": total // 3,
            "eval_count": answer.written,
            "eval_duration": total // 2,
        }
        return (
            self._head
            + b'"content":%s},"done":true,"done_reason":"%s",'
            % (
                orjson.dumps(text),
                answer.done_reason.encode(),
            )
            + orjson.dumps(numbers)[1:]
        )

    def bare(self) -> bytes:
        """The object that answers a request to load or unload."""
        return self._head + b'"content":""},"done":true,"done_reason":"%s"}' % self._answer.done_reason.encode()

    def error(self, text: str) -> bytes:
        """A line that says what broke."""
        return orjson.dumps({"error": text}) + b"\n"


class OpenAI:
    """The frames of `/v1/chat/completions`: an event for each token."""

    content_type = _EVENTS

    def __init__(self, answer: Answer, *, usage: bool) -> None:
        self._answer = answer
        self._usage = usage
        self._common = {
            "id": "chatcmpl-426",
            "created": int(time.time()),
            "model": answer.model,
            "system_fingerprint": "fp_ollama",
        }

    def word(self, text: str) -> bytes:
        """One token."""
        return self._event([{"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": None}])

    thought = word

    def last(self) -> bytes:
        """The finish reason, the usage where it was asked for, and the end mark."""
        finish = {"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": self._answer.done_reason}
        usage = self._event([], usage=self._tokens()) if self._usage else b""
        return self._event([finish]) + usage + b"data: [DONE]\n\n"

    def whole(self, text: str) -> bytes:
        """The answer as one object."""
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": self._answer.done_reason}
        return orjson.dumps({**self._common, "object": "chat.completion", "choices": [choice], "usage": self._tokens()}) + b"\n"

    def error(self, text: str) -> bytes:
        """An event that says what broke."""
        return b"data: " + orjson.dumps({"error": {"message": text, "type": "api_error", "param": None, "code": None}}) + b"\n\n"

    def _event(self, choices: list[dict[str, Any]], **more: object) -> bytes:
        return b"data: " + orjson.dumps({**self._common, "object": "chat.completion.chunk", "choices": choices, **more}) + b"\n\n"

    def _tokens(self) -> dict[str, int]:
        read, written = self._answer.read, len(self._answer.words)
        return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


async def write(reply: Reply, script: Script, frames: Native | OpenAI, answer: Answer, fault: Fault | None) -> None:
    """Write the answer at the script's pace, or as the fault has it. The headers go out with the first token."""
    reply.begin(200, frames.content_type)
    if fault is not None:
        await _misbehave(reply, script, frames, answer, fault)
        return
    lines = [frames.thought(f" thought{n}") for n in range(answer.thoughts)] + [frames.word(word) for word in answer.words]
    if not script.tokens_s:
        reply.end(*lines, frames.last())
        return
    await _paced(reply, script, lines)
    reply.end(frames.last())


async def _paced(reply: Reply, script: Script, lines: Sequence[bytes]) -> None:
    """One line after the other, on a schedule that does not drift."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    for number, line in enumerate(lines, 1):
        reply.write(line)
        if script.tokens_s:
            await asyncio.sleep(max(0.0, begun + number / script.tokens_s - loop.time()))


async def _misbehave(reply: Reply, script: Script, frames: Native | OpenAI, answer: Answer, fault: Fault) -> None:
    words = (answer.words * (fault.after // max(1, len(answer.words)) + 1))[: fault.after]
    await _paced(reply, script, [frames.word(word) for word in words])
    match fault.kind:
        case "error_line":
            reply.end(frames.error(fault.text or _CRASH))
        case "cut":
            reply.cut()
        case "no_last_line":
            reply.end()
        case "garbage":
            reply.end(b"\x00\xff<html>not a line of an answer</html>\n")
        case "list":
            reply.end(b"[1, 2]\n")
        case "stall":
            await asyncio.Event().wait()
        case _:
            again = b"a" * 65_536 if fault.kind == "endless_line" else frames.word(" again")
            while True:
                reply.write(again)
                await asyncio.sleep(1 / script.tokens_s if script.tokens_s else 0.0001)


def _logprobs(text: str) -> bytes:
    return b',"logprobs":' + orjson.dumps([{"token": text, "logprob": -1.9036881923675537, "bytes": list(text.encode())}])


def _now() -> bytes:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f123Z").encode()
