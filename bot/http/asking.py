"""From a question that came in over HTTP to its events: committed, followed, and ended when nobody is left to read."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

import orjson

from adapters.types import Message, Reply
from bot.errors import GrillonError
from bot.http.errors import ProblemError, stopped
from bot.live import Event, Finished

if TYPE_CHECKING:
    from types import TracebackType

    from aiohttp import web

    from bot.http.house import Line
    from bot.people.people import Person

_KEY_CHARS = 255


def message_of(
    request: web.BaseRequest,
    person: Person,
    text: str,
    options: dict[str, Any],
    *,
    conversation: str | None = None,
    lane: str | None = None,
) -> Message:
    """The message of a request, in a named conversation, or in a lane that the request did not choose.

    With an `Idempotency-Key` its id follows from person and key, so that the same request finds the same message. Without one
    it is random and the message `ephemeral`: it is answered only while the client stays. Raises `ProblemError` for a key that is
    none.
    """
    key = request.headers.get("Idempotency-Key")
    mark = {"ephemeral": True} if key is None else {"body_hash": _hash([text, conversation, options])}
    return Message(
        platform="http",
        account="local",
        id=_id_of(person, key),
        chat=str(person.id),
        sender=str(person.id),
        private=True,
        thread=conversation or lane,
        text=text,
        locale=request.headers.get("Accept-Language", "")[:16] or None,
        options={**options, **mark},
    )


class Following:
    """The events of a question, as an async context manager and iterator: the last one is `Finished`.

    On entering, the question is committed: raises `RejectedError`, `DatabaseError`. Whoever leaves before the end, because the
    client did, ends an ephemeral question: promptly, waiting or running. When the daemon stops first, the events end with a
    `ProblemError`.
    """

    def __init__(self, line: Line, message: Message, person: Person) -> None:
        self._line = line
        self._message = message
        self._person = person
        self._inbox_id = 0
        self._finished = False

    async def __aenter__(self) -> Self:
        self._inbox_id = await self._received()
        self._events = self._line.follow(self._inbox_id)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._events.aclose()
        if not self._finished:
            await self._given_up(self._inbox_id)

    def __aiter__(self) -> Following:
        return self

    async def __anext__(self) -> Event:
        if self._finished:
            raise StopAsyncIteration
        try:
            event = await anext(self._events)
        except StopAsyncIteration:
            raise stopped() from None
        self._finished = isinstance(event, Finished)
        return event

    async def _received(self) -> int:
        """Commit. The transaction cannot be called back when the client leaves meanwhile: it is awaited, then given up."""
        receiving = asyncio.ensure_future(self._line.receive(self._message, self._person))
        try:
            return await asyncio.shield(receiving)
        except asyncio.CancelledError:
            with suppress(GrillonError):  # nobody is left to be told
                await self._given_up(await receiving)
            raise

    async def _given_up(self, inbox_id: int) -> None:
        if "ephemeral" in self._message.options:
            await self._line.cancel(inbox_id)


async def reply_to(line: Line, message: Message, person: Person) -> Reply:
    """The reply to a message. Raises as `Following` does."""
    async with Following(line, message, person) as events:
        async for event in events:
            if isinstance(event, Finished):
                return event.reply
    raise stopped()


def _id_of(person: Person, key: str | None) -> str:
    if key is None:
        return secrets.token_hex(16)
    if not (0 < len(key) <= _KEY_CHARS and key.isascii() and key.isprintable()):
        raise ProblemError("bad_request", f"An Idempotency-Key has 1 to {_KEY_CHARS} printable ASCII characters.")
    return _hash([person.id, key])


def _hash(parts: list[Any]) -> str:
    return hashlib.sha256(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)).hexdigest()
