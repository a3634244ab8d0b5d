"""`/v1`: the assistant as an OpenAI-compatible server, for any client that speaks so.

Stateless: the history is the request's own messages, cut to the budget that a stored conversation has, and no turn is stored. A
client's system and developer messages are dropped: what they say has no authority over the prompt of this house, and no part
in the question. Sampling parameters and tools are accepted and have no effect, so that clients which always send them work.
"""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from bot.http.asking import Following, message_of, reply_to
from bot.http.body import json_response, read_model
from bot.http.chat import ChatRequest, InertWords, conversation_of, sources_of, with_sources
from bot.http.errors import ProblemError
from bot.http.events import EventStream, frame
from bot.live import Finished, Restarted, Words

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from aiohttp import web

    from adapters.types import Message, Reply
    from bot.http.house import HouseLike
    from bot.people.people import Person
    from bot.settings.fields import HttpConfig

MODEL = "grillon"
"""The name under which the assistant, its documents included, is listed. The model behind it is accepted too."""
_DONE = b"data: [DONE]\n\n"


class OpenAIRoutes:
    """The routes of an OpenAI-compatible server."""

    def __init__(self, house: HouseLike, config: HttpConfig) -> None:
        self._house = house
        self._config = config
        self._created = int(time.time())
        self._lanes: dict[int, set[int]] = {}

    async def models(self, _request: web.BaseRequest, _person: Person) -> web.StreamResponse:
        """`GET /v1/models`."""
        return json_response({"object": "list", "data": [self._model()]})

    async def model(self, _request: web.BaseRequest, _person: Person) -> web.StreamResponse:
        """`GET /v1/models/grillon`."""
        return json_response(self._model())

    async def complete(self, request: web.BaseRequest, person: Person) -> web.StreamResponse:
        """`POST /v1/chat/completions`."""
        asked = await read_model(request, ChatRequest)
        if asked.model not in {MODEL, self._house.model_name}:
            raise ProblemError("unknown_model", f"There is no model of that name here; there is {MODEL}.")
        history, question = conversation_of(asked.messages)
        options: dict[str, Any] = {"stateless": True, "history": history}
        if asked.collections:
            options["collections"] = asked.collections
        async with self._lane(person) as lane:
            message = message_of(request, person, question, options, lane=lane)
            if asked.stream:
                return await self._stream(request, person, message, asked)
            reply = await reply_to(self._house.dispatcher, message, person)
        if reply.error is not None:
            raise ProblemError(reply.error, reply.text)
        return json_response(self._completion(reply, message, asked))

    @asynccontextmanager
    async def _lane(self, person: Person) -> AsyncGenerator[str]:
        """A conversation that no other request of this person is in, so that none waits for another.

        They are numbered and used again: there are as many as there ever were requests at once.
        """
        taken = self._lanes.setdefault(person.id, set())
        number = next(number for number in range(len(taken) + 1) if number not in taken)
        taken.add(number)
        try:
            yield f"openai-{number}"
        finally:
            taken.discard(number)

    async def _stream(self, request: web.BaseRequest, person: Person, message: Message, asked: ChatRequest) -> web.StreamResponse:
        chunks = _Chunks(self._head("chat.completion.chunk", message, asked), usage=asked.wants_usage)
        async with (
            Following(self._house.dispatcher, message, person) as events,
            EventStream(request, self._config.events_s, _ending) as stream,
        ):
            await stream.send(chunks.first())
            async for event in events:
                match event:
                    case Words(text):
                        await stream.send(chunks.words(text))
                    case Restarted():
                        await stream.send(chunks.restarted())
                    case Finished(reply) if reply.error is not None:
                        stream.end(_ending(ProblemError(reply.error, reply.text)))
                    case Finished(reply):
                        stream.end(chunks.last(reply))
                    case _:
                        pass  # This protocol has no word for a place in a line, nor for a step.
        return stream.response

    def _completion(self, reply: Reply, message: Message, asked: ChatRequest) -> dict[str, Any]:
        said = {"role": "assistant", "content": with_sources(reply), "refusal": None}
        choice = {"index": 0, "message": said, "logprobs": None, "finish_reason": _reason(reply)}
        head = self._head("chat.completion", message, asked)
        return {**head, "choices": [choice], "usage": _usage(reply), "citations": reply.citations}

    def _head(self, kind: str, message: Message, asked: ChatRequest) -> dict[str, Any]:
        return {"id": f"chatcmpl-{message.id[:32]}", "object": kind, "created": int(time.time()), "model": asked.model}

    def _model(self) -> dict[str, Any]:
        return {"id": MODEL, "object": "model", "created": self._created, "owned_by": MODEL}


class _Chunks:
    """The chunks of one streamed completion. What was sent is remembered, so that the last one sends what is missing."""

    def __init__(self, head: dict[str, Any], *, usage: bool) -> None:
        self._head = {**head, "usage": None} if usage else head
        self._usage = usage
        self._sent: list[str] = []
        self._inert = InertWords()

    def first(self) -> bytes:
        return self._chunk({"role": "assistant", "content": ""})

    def words(self, text: str) -> bytes:
        shown = self._inert.feed(text)
        self._sent.append(shown)
        return self._chunk({"content": shown})

    def restarted(self) -> bytes:
        """What was sent cannot be taken back: a line shows where the answer starts anew."""
        self._sent.clear()
        self._inert = InertWords()
        return self._chunk({"content": "\n\n---\n\n"})

    def last(self, reply: Reply) -> bytes:
        whole, sent = with_sources(reply), "".join(self._sent)
        # An answer that was changed at its end keeps what was shown; its sources still follow.
        rest = whole.removeprefix(sent) if whole.startswith(sent) else self._inert.held + sources_of(reply)
        frames = [self._chunk({"content": rest})] if rest else []
        frames.append(self._chunk({}, _reason(reply), citations=reply.citations))
        if self._usage:
            frames.append(frame({**self._head, "choices": [], "usage": _usage(reply)}))
        return b"".join((*frames, _DONE))

    def _chunk(self, delta: dict[str, Any], reason: str | None = None, **more: object) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return frame({**self._head, "choices": [choice], **more})


def _ending(problem: ProblemError) -> bytes:
    return frame(problem.body(openai=True))


def _reason(reply: Reply) -> str:
    return "length" if reply.cut else "stop"


def _usage(reply: Reply) -> dict[str, int]:
    total = reply.prompt_tokens + reply.answer_tokens
    return {"prompt_tokens": reply.prompt_tokens, "completion_tokens": reply.answer_tokens, "total_tokens": total}
