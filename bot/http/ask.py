"""`/ask`: one question, answered as one JSON object or as server-sent events."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bot.http.asking import Following, message_of, reply_to
from bot.http.body import json_response, problem_response, read_model, read_query
from bot.http.errors import ProblemError, wrong_body
from bot.http.events import EventStream, frame
from bot.live import Event, Finished, Restarted, Step, Waiting, Words

if TYPE_CHECKING:
    from aiohttp import web

    from adapters.types import Message, Reply
    from bot.http.house import HouseLike
    from bot.people.people import Person
    from bot.settings.fields import HttpConfig

_NEVER = re.compile(r"q=0(\.0{0,3})?")
_REPEATED = "collections"
"""The one field of a query that may come several times."""

Collections = Annotated[list[Annotated[str, Field(min_length=1, max_length=100)]], Field(min_length=1, max_length=100)]


class Question(BaseModel):
    """What `/ask` takes."""

    model_config = ConfigDict(extra="forbid", strict=True, title="Question")

    question: str = Field(description="The question, or a command such as /reset.")
    conversation: str | None = Field(
        default=None,
        min_length=1,
        max_length=100,
        pattern=r"^[^\x00-\x1f\x7f]+$",
        description="A conversation of its own, by a name of your choice. Without it: the one of all your private chats.",
    )
    collections: Collections | None = Field(
        default=None, description="Look in these collections only. Without it: in all that you may read."
    )
    stream: bool = Field(default=False, description="Answer as server-sent events, as `Accept: text/event-stream` does.")


class AskRoutes:
    """The two routes that take a question."""

    def __init__(self, house: HouseLike, config: HttpConfig) -> None:
        self._house = house
        self._config = config

    async def post(self, request: web.BaseRequest, person: Person) -> web.StreamResponse:
        """`POST /ask` with a JSON body."""
        return await self._answer(request, person, await read_model(request, Question))

    async def get(self, request: web.BaseRequest, person: Person) -> web.StreamResponse:
        """`GET /ask?q=…`, for what can be written in an address."""
        return await self._answer(request, person, _from_query(request))

    async def _answer(self, request: web.BaseRequest, person: Person, asked: Question) -> web.StreamResponse:
        options = {"collections": asked.collections} if asked.collections else {}
        message = message_of(request, person, asked.question, options, conversation=asked.conversation)
        if asked.stream or _wants_events(request.headers.get("Accept", "")):
            return await self._stream(request, person, message)
        reply = await reply_to(self._house.dispatcher, message, person)
        body = self._body(reply, message)
        if reply.error is not None:
            return problem_response(ProblemError(reply.error, reply.text, more=body))
        return json_response(body)

    async def _stream(self, request: web.BaseRequest, person: Person, message: Message) -> web.StreamResponse:
        def ending(problem: ProblemError) -> bytes:
            return frame(problem.body(), "error")

        async with (
            Following(self._house.dispatcher, message, person) as events,
            EventStream(request, self._config.events_s, ending) as stream,
        ):
            async for event in events:
                if isinstance(event, Finished):
                    stream.end(self._frame(event, message))
                else:
                    await stream.send(self._frame(event, message))
        return stream.response

    def _frame(self, event: Event, message: Message) -> bytes:
        match event:
            case Words(text):
                return frame({"text": text}, "words")
            case Waiting(position, reason):
                return frame({"position": position, "reason": reason}, "position")
            case Step(name):
                return frame({"step": name}, "step")
            case Restarted():
                return frame({}, "restarted")
            case Finished(reply):
                body = self._body(reply, message)
                if reply.error is None:
                    return frame(body, "answer")
                return frame(ProblemError(reply.error, reply.text, more=body).body(), "error")

    def _body(self, reply: Reply, message: Message) -> dict[str, Any]:
        body = {
            "answer": reply.text,
            "citations": reply.citations,
            "consulted": reply.consulted,
            "nearest": reply.nearest,
            "refused": reply.refused,
            "conversation": message.thread or reply.conversation,
            "model": reply.model or self._house.model_name,
            "timings": reply.timings,
        }
        cut = {"cut": True} if reply.cut else {}
        return body | cut | ({"file": reply.file} if reply.file else {})


def _wants_events(accept: str) -> bool:
    """Whether a header `Accept` names server-sent events, and not with `q=0`, which is "anything but" (RFC 9110, 12.4.2)."""
    for one in accept.lower().split(","):
        kind, *parameters = (part.strip() for part in one.split(";"))
        if kind == "text/event-stream":
            return not any(_NEVER.fullmatch(parameter) for parameter in parameters)
    return False


def _from_query(request: web.BaseRequest) -> Question:
    fields = read_query(request)
    if "q" not in fields or "question" in fields:
        raise ProblemError("bad_request", "The question is the field q: /ask?q=…")
    if (twice := next((name for name, found in fields.items() if len(found) > 1 and name != _REPEATED), None)) is not None:
        raise ProblemError("bad_request", f"{twice[:100]} comes twice.")
    values: dict[str, Any] = {name: found[0] for name, found in fields.items()}
    values["question"] = values.pop("q")
    if _REPEATED in fields:
        values[_REPEATED] = [name for found in fields[_REPEATED] for name in found.split(",")]
    try:
        return Question.model_validate(values, strict=False)
    except ValidationError as error:
        raise wrong_body(error) from None
