"""The final text, to where it belongs: a channel, or what an interaction shows; its time over, the channel or the person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.discord.errors import AmbiguousError, AnsweredError, RestError, undelivered
from adapters.discord.sender import Parcel
from adapters.discord.tokens import token_of
from adapters.discord.wire import body_of, files_of
from adapters.types import NotSentError, RefusedError, UnknownError

if TYPE_CHECKING:
    from adapters.discord.calls import Calls
    from adapters.discord.sender import Sender
    from adapters.discord.tokens import Token, Visits
    from adapters.types import Message, Origin, Part

_VISIT_S = 20.0
_LATER_S = 15.0


class Answers:
    """Delivers parts. `visits` are the interactions by which a person can be reached who takes no private messages."""

    def __init__(self, calls: Calls, sender: Sender, visits: Visits) -> None:
        self._calls = calls
        self._sender = sender
        self._visits = visits
        self._private: dict[str, str] = {}

    async def send(self, origin: Origin, part: Part, key: str, tried_s: float | None) -> str | None:
        """Send one part and return its id. Raises `DeliveryError`."""
        token = token_of(origin.message)
        if token is not None:
            return await self._answer(origin, token, part, key, tried_s)
        reference = origin.message.id if _first(key) else None
        parcel = Parcel(channel_of(origin.message), part.payload, key, origin.message.id, reference)
        return await self._place(origin, parcel, tried_s)

    async def _place(self, origin: Origin, parcel: Parcel, tried_s: float | None) -> str:
        """The first part takes the place of what showed the answer while it was written."""
        if origin.live is not None and _first(parcel.key):
            edited = await self._sender.edit(parcel, origin.live)
            if edited is not None:
                return edited
            # It was deleted: its nonce would bring it back as it was.
            parcel = Parcel(parcel.channel, parcel.payload, f"{parcel.key}.new", parcel.behind, parcel.reference)
        return await self._sender.post(parcel, tried_s)

    async def _answer(self, origin: Origin, token: Token, part: Part, key: str, tried_s: float | None) -> str | None:
        if _first(key) and token.original and token.alive:
            id_ = await self._original(token, part)
            if id_ is not None:
                return id_
        elif _first(key) and token.original and tried_s is not None and not token.channel:
            raise UnknownError(f"part {key} may have arrived while the interaction could be answered")
        if not token.whole:
            reference = token.on or origin.live
            parcel = Parcel(channel_of(origin.message), part.payload, key, token.id, reference if _first(key) else None)
            return await self._sender.post(parcel, tried_s)
        if not token.original and token.alive:
            return await self._follow_up(token, part, tried_s)
        return await self._privately(origin.message, token, part, key, tried_s)

    async def _original(self, token: Token, part: Part) -> str | None:
        """What the person is shown becomes the answer; None when the interaction is over. Repeating it doubles nothing."""
        await self._visits.open(token.id)
        path = f"{token.webhook}/messages/@original"
        try:
            told = await self._sender.insist(token.id, "PATCH", path, part.payload, until=token.expires)
        except AnsweredError as error:
            if error.token_is_over:
                return None
            raise undelivered(error) from error
        return str(told["id"])

    async def _follow_up(self, token: Token, part: Part, tried_s: float | None) -> str:
        """A message of an interaction, which takes no nonce."""
        if tried_s is not None:
            raise UnknownError("a follow-up may have arrived, and cannot be looked for")
        body = body_of(part.payload, hidden=True)
        await self._visits.open(token.id)
        try:
            told = await self._calls.call(token.id, "POST", token.webhook, body, files=files_of(part.payload))
        except RestError as error:
            if isinstance(error, AmbiguousError):
                raise UnknownError(str(error)) from error
            raise undelivered(error) from error
        return str(told["id"])

    async def _privately(self, message: Message, token: Token, part: Part, key: str, tried_s: float | None) -> str:
        """A private message; who takes none is told at their next interaction, for their eyes alone."""
        try:
            channel = await self._private_channel(message)
            return await self._sender.post(Parcel(channel, part.payload, key, token.id), tried_s)
        except RefusedError as error:
            visit = await self._visits.next(message.sender, token.id, _VISIT_S)
            if visit is None:
                raise NotSentError(f"{error}; kept for the person's next command", _LATER_S) from error
            return await self._visit(visit, part)

    async def _visit(self, visit: Token, part: Part) -> str:
        """By another interaction of that person, whose own reply must be there before."""
        await self._visits.open(visit.id)
        if visit.original:
            try:
                await self._calls.settle(visit.id, f"{visit.webhook}/messages/@original", body_of({"content": "…"}))
            except RestError as error:
                raise NotSentError(str(error), _LATER_S) from error
        return await self._follow_up(visit, part, None)

    async def _private_channel(self, message: Message) -> str:
        if message.private:
            return message.chat
        if message.sender not in self._private:
            try:
                told = await self._calls.call("", "POST", "/users/@me/channels", {"recipient_id": message.sender})
            except RestError as error:
                raise undelivered(error) from error
            self._private[message.sender] = str(told["id"])
        return self._private[message.sender]


def channel_of(message: Message) -> str:
    """Where a reply to it is written."""
    return message.thread or message.chat


def _first(key: str) -> bool:
    return key.endswith(".0")
