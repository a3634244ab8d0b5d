"""An answer while it is written: typing first, then one message that grows, within the budget of its channel."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, TypeVar

from adapters.discord.answers import channel_of
from adapters.discord.errors import AnsweredError, RestError
from adapters.discord.sender import Parcel
from adapters.discord.tokens import token_of
from adapters.discord.wire import body_of, rows, with_reference
from adapters.text import discord_live

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.discord.calls import Calls
    from adapters.discord.config import DiscordConfig
    from adapters.discord.payloads import Json
    from adapters.discord.sender import Sender
    from adapters.discord.tokens import Token, Visits
    from adapters.types import Live, Origin

_TYPING_S = 8.0
"""Discord shows it for ten seconds."""
_MOST = 2000

_K = TypeVar("_K")
_V = TypeVar("_V")

_log = logging.getLogger(__name__)


class Lives:
    """Shows answers. What fails here costs a moment's view, never the answer."""

    def __init__(
        self,
        config: DiscordConfig,
        calls: Calls,
        sender: Sender,
        visits: Visits,
        *,
        sent: Callable[[str], None],
        point: Callable[[str], None],
    ) -> None:
        self._config = config
        self._calls = calls
        self._sender = sender
        self._visits = visits
        self._sent = sent
        self._point = point
        self._typed: OrderedDict[str, float] = OrderedDict()
        self._shown: OrderedDict[int, str] = OrderedDict()
        self._said: OrderedDict[int, Json] = OrderedDict()

    async def show(self, origin: Origin, live: Callable[[], Live | None]) -> str | None:
        """Show what `live()` says once the channel has room, and return the id of the message that does."""
        try:
            return await self._show(origin, live)
        except RestError as error:
            _log.debug("discord: not shown message=%d: %s", origin.inbox_id, error)
            return self.known(origin)

    def known(self, origin: Origin) -> str | None:
        """The id of the message that shows it, also when whoever showed it was cancelled before being told."""
        return origin.live or self._shown.get(origin.inbox_id)

    def ended(self, origin: Origin) -> None:
        """A message of ours came into its channel: that ends the typing there."""
        self._typed.pop(channel_of(origin.message), None)

    async def _show(self, origin: Origin, live: Callable[[], Live | None]) -> str | None:
        token = token_of(origin.message)
        if token is not None and token.original:
            return await self._original(origin, token, live)
        if token is not None and not token.channel:
            return self.known(origin)
        state = live()
        if state is None or _silent(state):
            if state is not None:
                await self._type(channel_of(origin.message))
            return self.known(origin)
        return await self._message(origin, token, live)

    async def _message(self, origin: Origin, token: Token | None, live: Callable[[], Live | None]) -> str | None:
        channel = channel_of(origin.message)
        known = self.known(origin) or await self._former(origin, token)
        if known is not None:
            return await self._edit(origin, channel, f"/channels/{channel}/messages/{known}", live) or known
        reference = token.on if token else origin.message.id
        key = f"{origin.inbox_id}.0"

        def body() -> Json | None:
            state = live()
            if state is None:
                return None
            self._sent(key)
            return with_reference(body_of(_payload(state)), reference) | {"nonce": key, "enforce_nonce": True}

        await self._calls.view(channel, "POST", f"/channels/{channel}/messages", body, self._noting(origin))
        return self.known(origin)

    async def _former(self, origin: Origin, token: Token | None) -> str | None:
        """The message in which a former process showed it, when its nonce is forgotten."""
        if time.time() - origin.received_at < self._config.deadlines.nonce_s:
            return None
        reference = token.on if token else origin.message.id
        parcel = Parcel(channel_of(origin.message), {"content": "\0"}, f"{origin.inbox_id}.0", origin.message.id, reference)
        return await self._sender.seen(parcel)

    async def _original(self, origin: Origin, token: Token, live: Callable[[], Live | None]) -> str | None:
        """What a command shows: it says by itself that the app is thinking, until there are words."""
        await self._visits.open(token.id)
        state = live()
        if state is None or _silent(state) or not token.alive:
            return self.known(origin)
        return await self._edit(origin, token.id, f"{token.webhook}/messages/@original", live)

    async def _edit(self, origin: Origin, place: str, path: str, live: Callable[[], Live | None]) -> str | None:
        def body() -> Json | None:
            state = live()
            if state is None:
                return None
            wanted = body_of(_payload(state))
            if self._said.get(origin.inbox_id) == wanted:
                return None
            _put(self._said, origin.inbox_id, wanted)
            return wanted

        try:
            told = await self._calls.view(place, "PATCH", path, body, self._noting(origin))
        except AnsweredError as error:
            _log.debug("discord: not shown message=%d: %s", origin.inbox_id, error)
            return self.known(origin)
        if told is not None:
            self._point("edit")
        return self.known(origin)

    def _noting(self, origin: Origin) -> Callable[[Json], None]:
        def note(told: Json) -> None:
            if told:
                _put(self._shown, origin.inbox_id, str(told["id"]))

        return note

    async def _type(self, channel: str) -> None:
        now = time.monotonic()
        if now - self._typed.get(channel, -_TYPING_S) < _TYPING_S:
            return
        _put(self._typed, channel, now)
        # No view, so that the first words need not wait for what a view has to wait for.
        await self._calls.call(channel, "POST", f"/channels/{channel}/typing")


def _put(table: OrderedDict[_K, _V], key: _K, value: _V) -> None:
    """Remember something, and forget the oldest when there is too much."""
    table[key] = value
    while len(table) > _MOST:
        table.popitem(last=False)


def _silent(state: Live) -> bool:
    return not state.text.strip() and not state.note


def _payload(state: Live) -> Json:
    """Its words so far, else the sentence about what is waited for; the button that stops it, under it."""
    text = discord_live(state.text) if state.text.strip() else ""
    content = text or (discord_live(state.note, allowed_links=None) if state.note else "") or "…"
    return {"content": content, "components": rows([state.stop] if state.stop else [])}
