"""One part to one channel, once as far as anybody can see: a nonce while it is fresh, after that a look at the history."""

from __future__ import annotations

import asyncio
import itertools
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from adapters.discord.errors import (
    TOO_MANY_EDITS,
    UNKNOWN_MESSAGE,
    AmbiguousError,
    AnsweredError,
    PausedError,
    RestError,
    undelivered,
)
from adapters.discord.history import messages_after
from adapters.discord.wire import body_of, files_of, with_reference
from adapters.types import RefusedError, UnknownError

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.discord.calls import Calls
    from adapters.discord.config import DiscordConfig
    from adapters.discord.payloads import Json

_RETRY_S = (0.3, 1.0, 2.0, 4.0)
_INSISTS_S = 24 * 3600.0
_LOOKS_AT = 1000
"""Messages that are looked through for one that may have arrived."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """A part on its way: where to, with which key, in reply to what, and behind which message it can be found."""

    channel: str
    payload: Json
    key: str
    behind: str
    reference: str | None = None


class Sender:
    """Sends parcels. `me` is the user id of the bot, once it is known; `sent` is told each nonce before it goes out."""

    def __init__(self, config: DiscordConfig, calls: Calls, *, sent: Callable[[str], None], point: Callable[[str], None]) -> None:
        self._config = config
        self._calls = calls
        self.me: str | None = None
        self._sent = sent
        self._point = point

    async def post(self, parcel: Parcel, tried_s: float | None) -> str:
        """Send a message and return its id. Raises `DeliveryError`."""
        try:
            return await self._post(parcel, tried_s, plain=False)
        except _MalformedError:
            return await self._post(parcel, None, plain=True)

    async def edit(self, parcel: Parcel, message_id: str) -> str | None:
        """Let a message of ours say this instead; None when there is no such message any more. Raises `DeliveryError`."""
        path = f"/channels/{parcel.channel}/messages/{message_id}"
        try:
            await self.insist(parcel.channel, "PATCH", path, parcel.payload)
        except AnsweredError as error:
            if error.code in (UNKNOWN_MESSAGE, TOO_MANY_EDITS):
                return None
            raise undelivered(error) from error
        return message_id

    async def insist(self, place: str, method: str, path: str, payload: Json, *, until: float | None = None) -> Json:
        """A call that may be repeated as often as one likes, until it is answered. Raises `AnsweredError`, `NotSentError`.

        Past `until` (seconds since the epoch) it is not repeated: `UnknownError`.
        """
        plain = False
        for tries in itertools.count():
            body = body_of(payload, plain=plain)
            try:
                answer = await self._calls.call(place, method, path, body, files=files_of(payload))
            except AnsweredError as error:
                if not error.malformed or plain:
                    raise
                plain = True
            except AmbiguousError as error:
                if until is not None and time.time() > until:
                    raise UnknownError(str(error)) from error
                await asyncio.sleep(_wait_s(tries))
            except RestError as error:
                raise undelivered(error) from error
            else:
                self._point("edit")
                return answer or {}
        raise AssertionError("the tries never end")

    async def find(self, parcel: Parcel) -> str | None:
        """The id of the message of ours that is the parcel, None when there is none; one that only showed the answer says it now.

        Raises `RestError`, `DeliveryError`.
        """
        message = await self._look(parcel)
        return None if message is None else await self._settled(parcel, message)

    async def seen(self, parcel: Parcel) -> str | None:
        """The id of the message of ours that is the parcel, whatever it says now. Raises `RestError`, `UnknownError`."""
        message = await self._look(parcel)
        return None if message is None else str(message["id"])

    async def _look(self, parcel: Parcel) -> Json | None:
        looked = 0
        async for message in messages_after(self._calls, parcel.channel, int(parcel.behind), _LOOKS_AT):
            looked += 1
            if str(message["author"]["id"]) == self.me and _is(parcel, message):
                return message
        if looked >= _LOOKS_AT:
            raise UnknownError(f"part {parcel.key} cannot be looked for among so many messages")
        return None

    async def _post(self, parcel: Parcel, tried_s: float | None, *, plain: bool) -> str:
        began, doubtful = time.monotonic(), tried_s is not None
        tried_at = began - (tried_s or 0.0)
        for tries in itertools.count():
            try:
                if doubtful and time.monotonic() - tried_at > self._config.deadlines.nonce_s:
                    found = await self.find(parcel)
                    if found is not None:
                        return found
                    doubtful = False
                now = time.monotonic()
                return await self._once(parcel, plain=plain)
            except RestError as error:
                wait_s = self._judged(error, doubtful=doubtful, plain=plain, tries=tries)
                if isinstance(error, AmbiguousError) and not doubtful:
                    doubtful, tried_at = True, now
            if time.monotonic() - began > _INSISTS_S:
                raise UnknownError(f"part {parcel.key} may have arrived")
            await asyncio.sleep(wait_s)
        raise AssertionError("the tries never end")

    def _judged(self, error: RestError, *, doubtful: bool, plain: bool, tries: int) -> float:
        """Seconds until the next try; raises where a try makes no sense, or where the house can wait as well as we."""
        if isinstance(error, AnsweredError):
            if error.malformed and not plain:
                raise _MalformedError from error
            failure = undelivered(error)
            if isinstance(failure, RefusedError) or not doubtful:
                raise failure from error
        elif not doubtful and not isinstance(error, AmbiguousError):
            raise undelivered(error) from error
        return max(_wait_s(tries), error.retry_after if isinstance(error, PausedError) else 0.0)

    async def _once(self, parcel: Parcel, *, plain: bool) -> str:
        body = with_reference(body_of(parcel.payload, plain=plain), parcel.reference)
        body |= {"nonce": parcel.key, "enforce_nonce": True}
        self._sent(parcel.key)
        path = f"/channels/{parcel.channel}/messages"
        told = await self._calls.call(parcel.channel, "POST", path, body, files=files_of(parcel.payload))
        return await self._settled(parcel, told)

    async def _settled(self, parcel: Parcel, message: Json) -> str:
        """A nonce may be that of the message that showed the answer while it was written: it is to be the final one now."""
        id_ = str(message["id"])
        if not _says(parcel, message) or _codes(parcel.payload) != _codes(message):
            await self.edit(parcel, id_)
        return id_


class _MalformedError(Exception):
    """Discord refused the payload."""


def _wait_s(tries: int) -> float:
    return _RETRY_S[min(tries, len(_RETRY_S) - 1)]


def _says(parcel: Parcel, message: Json) -> bool:
    """Whether a message has the text and the files of a parcel."""
    texts = {parcel.payload["content"].strip(), str(parcel.payload.get("plain") or parcel.payload["content"]).strip()}
    files = len(parcel.payload.get("files", ()))
    return (message.get("content") or "").strip() in texts and len(message.get("attachments", ())) == files


def _codes(message: Json) -> list[str]:
    """The codes of its buttons."""
    return [str(button.get("custom_id")) for row in message.get("components") or () for button in row.get("components") or ()]


def _is(parcel: Parcel, message: Json) -> bool:
    """Whether a message of ours is a parcel: it says the same, or is the reply to the same message."""
    if message.get("nonce") == parcel.key or _says(parcel, message):
        return True
    to = (message.get("message_reference") or {}).get("message_id")
    return parcel.reference is not None and to is not None and str(to) == parcel.reference
