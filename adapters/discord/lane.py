"""The messages of one channel, strictly in order: what was missed first, then what comes; none is passed before it is stored."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from adapters.discord.errors import AnsweredError, MalformedError, PausedError, RestError
from adapters.discord.messages import nearly_full
from adapters.discord.payloads import time_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from adapters.discord.payloads import Json

_RETRY_S = (0.2, 1.0, 3.0, 10.0, 30.0)
_TOGETHER_S = 1.6
"""Two messages that lie no further apart may be one paste."""

_MOST_CUT = 20

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Heard:
    """Something that happened in a channel. Talk that is none of our business is an id without data."""

    id: int
    data: Json | None = None
    kind: Literal["message", "edit", "delete"] = "message"

    @property
    def told(self) -> Json:
        """The data of what is our business."""
        assert self.data is not None
        return self.data


@dataclass(frozen=True, slots=True)
class Takers:
    """What a lane hands its work to. `store` returns when the pieces are stored; `missed` reads the history behind an id."""

    store: Callable[[Lane, list[Heard], int], Awaitable[None]]
    change: Callable[[Lane, Heard], Awaitable[None]]
    missed: Callable[[Lane], Awaitable[list[Heard]]]
    failed: Callable[[Lane, Heard], Awaitable[bool]]


class Lane:
    """One channel. `cursor` is the id up to which everything is stored or ignored, None when it was never written in."""

    def __init__(self, channel: str, guild: str | None, takers: Takers, *, paste_s: float, cursor: int | None) -> None:
        self.channel = channel
        self.guild = guild
        self.cursor = self.kept = cursor
        self._takers = takers
        self._paste_s = paste_s
        self._queue: deque[Heard] = deque()
        self._waiting: set[int] = set()
        self._news = asyncio.Event()
        self._handled: deque[int] = deque(maxlen=200)
        self._floor = cursor or 0
        self._gap = False
        self.busy = False
        self._cut: dict[str, Heard] = {}

    @property
    def key(self) -> str:
        """The name of its cursor in the ledger."""
        return f"cursor:{self.guild or 'dm'}:{self.channel}"

    @property
    def idle(self) -> bool:
        """Whether nothing waits in it."""
        return not (self.busy or self._queue or self._gap)

    def hear(self, heard: Heard) -> None:
        """Something happened. A message that was handled is not handled again."""
        if heard.kind == "message":
            if heard.id in self._waiting or heard.id in self._handled or heard.id <= self._floor:
                return
            if heard.data is None and self.idle:
                self._pass(heard.id)
                return
            self._waiting.add(heard.id)
            self._note_cut(heard)
        self._queue.append(heard)
        self._news.set()

    def continues(self, data: Json) -> bool:
        """Whether a message that nobody addressed may be the second half of a paste that somebody did."""
        first = self._cut.get(data["author"]["id"])
        return first is not None and same_paste(first.told, data)

    def withdraw(self, id_: int) -> None:
        """A message was deleted before its turn."""
        for heard in self._queue:
            if heard.id == id_ and heard.kind == "message":
                heard.data = None

    def miss(self, seen: int) -> None:
        """There was a gap: read the history before anything else, from `seen` on where nothing was ever read."""
        if self.cursor is None:
            self.cursor = seen
        self._gap = True

    async def work(self) -> None:
        """Handle everything that waits."""
        while self._gap or self._queue:
            if self._gap:
                await self._fill_gap()
                continue
            heard = self._queue.popleft()
            self._waiting.discard(heard.id)
            if heard.kind != "message":
                await self._takers.change(self, heard)
            elif heard.data is None:
                self._pass(heard.id)
            else:
                await self._store(heard)

    async def _fill_gap(self) -> None:
        self._gap = False
        for tries in range(1_000_000):
            try:
                missed = await self._takers.missed(self)
                break
            except AnsweredError as error:
                _log.warning("discord: history not readable channel=%s: %s", self.channel, error)
                return
            except RestError as error:
                await asyncio.sleep(_wait_s(tries, error))
            except Exception as error:  # noqa: BLE001 -- logged; a history that cannot be read must not stop the channel
                _log.error("discord: history not understood channel=%s error=%s", self.channel, type(error).__name__)
                return
        known = self._waiting | set(self._handled)
        fresh = [heard for heard in missed if heard.id not in known and heard.id > self._floor]
        self._waiting.update(heard.id for heard in fresh)
        self._queue = deque(sorted([*self._queue, *fresh], key=lambda heard: (heard.id, heard.kind != "message")))

    async def _store(self, first: Heard) -> None:
        pieces = await self._paste(first)
        between = any(other.data is not None and other.id < pieces[-1].id for other in self._queue)
        last = first.id if between else pieces[-1].id
        for tries in range(1_000_000):
            try:
                await self._takers.store(self, pieces, last)
                break
            except RestError as error:
                _log.warning("discord: message waits id=%d: %s", first.id, error)
                await asyncio.sleep(_wait_s(tries, error))
            except MalformedError as error:
                _log.warning("discord: message left out id=%d: %s", first.id, error)
                break
            except Exception as error:  # noqa: BLE001 -- whatever it was, the message is kept, tried again, then set aside
                _log.error("discord: message not stored id=%d error=%s", first.id, type(error).__name__)
                if await self._takers.failed(self, first):
                    break
                await asyncio.sleep(_wait_s(tries, None))
        self.kept = max(self.kept or 0, last)
        self._pass(last)
        self._handled.extend(piece.id for piece in pieces)

    async def _paste(self, first: Heard) -> list[Heard]:
        """The message, and the rest of it when a client cut it."""
        pieces = [first]
        while nearly_full(pieces[-1].told):
            following = await self._following(pieces[-1])
            if following is None:
                break
            pieces.append(following)
        return pieces

    async def _following(self, piece: Heard) -> Heard | None:
        try:
            async with asyncio.timeout(self._paste_s):
                while True:
                    for n, heard in enumerate(self._queue):
                        if heard.kind == "message" and heard.data is not None and _same_sender(piece.told, heard.data):
                            if not same_paste(piece.told, heard.data):
                                return None
                            self._queue[n] = Heard(heard.id)
                            return heard
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            return None

    def _note_cut(self, heard: Heard) -> None:
        if heard.data is None:
            return
        sender = heard.data["author"]["id"]
        self._cut.pop(sender, None)
        if nearly_full(heard.data):
            if len(self._cut) >= _MOST_CUT:
                self._cut.clear()
            self._cut[sender] = heard

    def _pass(self, id_: int) -> None:
        self.cursor = max(self.cursor or 0, id_)


def _same_sender(first: Json, second: Json) -> bool:
    return bool(first["author"]["id"] == second["author"]["id"])


def same_paste(first: Json, second: Json) -> bool:
    """Whether the second message may be what a client cut off the first."""
    apart_s = time_of(int(second["id"])) - time_of(int(first["id"]))
    return (
        _same_sender(first, second) and nearly_full(first) and 0 <= apart_s <= _TOGETHER_S and not second.get("message_reference")
    )


def _wait_s(tries: int, error: RestError | None) -> float:
    told = error.retry_after if isinstance(error, PausedError) else 0.0
    return max(told, _RETRY_S[min(tries, len(_RETRY_S) - 1)])
