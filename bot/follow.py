"""What followers of one question see.

They all read one buffer, each at its own pace: a slow one costs nothing, a late one misses nothing.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.live import Event, Finished, Restarted, Step, Waiting, Words

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

    from adapters.types import Reply
    from bot.errors import DatabaseError
    from bot.lanes import Lanes

_SHOW_S, _SHOW_EACH_S = 0.2, 0.001
"""Seconds between two looks at one's place in the line, and what each who waits adds to them."""


@dataclass(slots=True)
class _Seen:
    """How far one follower has come."""

    lives: int = 0
    words: int = 0
    waiting: Waiting | None = None
    step: Step | None = None


class Live:
    """The present state of one question, and who follows it."""

    def __init__(self) -> None:
        self._lives = 0
        self._words: list[str] = []
        self._waiting: Waiting | None = None
        self._step: Step | None = None
        self._reply: Reply | None = None
        self._error: DatabaseError | None = None
        self._followers: set[asyncio.Event] = set()

    @property
    def followed(self) -> bool:
        """Whether anyone follows."""
        return bool(self._followers)

    def publish(self, event: Event) -> None:
        """Let followers see a change."""
        match event:
            case Words(text):
                self._words.append(text)
                self._waiting = None
            case Step():
                self._step, self._waiting = event, None
            case Waiting():
                self._waiting = event
            case Restarted():
                self._lives += 1
                self._words, self._step = [], None
            case Finished(reply):
                self._reply = reply
        self._wake()

    def fail(self, error: DatabaseError) -> None:
        """Tell followers why there is nothing to see, until `recover`. The question itself goes on."""
        self._error = error
        self._wake()

    def recover(self) -> None:
        """The reason is gone: who follows from now on sees the question again."""
        self._error = None

    async def follow(self) -> AsyncGenerator[Event]:
        """First the state as it is, then every change; the last event is `Finished`.

        Raises `DatabaseError` while the disk refuses.
        """
        seen, changed = _Seen(lives=self._lives), asyncio.Event()
        self._followers.add(changed)
        try:
            while True:
                changed.clear()
                for event in self._since(seen):
                    yield event
                if changed.is_set():
                    continue
                if self._reply is not None:
                    yield Finished(self._reply)
                    return
                if self._error is not None:
                    raise self._error
                await changed.wait()
        finally:
            self._followers.discard(changed)

    def _since(self, seen: _Seen) -> Iterator[Event]:
        if self._lives != seen.lives:
            seen.lives, seen.step = self._lives, None
            if seen.words:
                seen.words = 0
                yield Restarted()
        if self._waiting is not None and self._waiting != seen.waiting:
            seen.waiting = self._waiting
            yield self._waiting
        if self._step is not None and self._step is not seen.step:
            seen.step = self._step
            yield self._step
        if len(self._words) > seen.words:
            start, seen.words = seen.words, len(self._words)
            yield Words("".join(self._words[start:]))

    def _wake(self) -> None:
        for changed in self._followers:
            changed.set()


class Lives:
    """The questions on their way, by their inbox ids."""

    def __init__(self, lanes: Lanes) -> None:
        self._lanes = lanes
        self._live: dict[int, Live] = {}
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, id_: int) -> Live:
        """What followers of a question see, made if it is new."""
        return self._live.setdefault(id_, Live())

    def of(self, id_: int) -> Live | None:
        """What followers of a question see, its place up to date; None once it has ended."""
        live = self._live.get(id_)
        place = self._lanes.position(id_)
        if live is not None and place is not None:
            live.publish(Waiting(place))
        return live

    def end(self, id_: int) -> Live:
        """Those who follow still see the end; later ones find it in the database."""
        return self._live.pop(id_)

    def show_places(self) -> None:
        """Let followers see their places in the line: soon, but not too often."""
        if self._timer is None and len(self._lanes):
            wait_s = _SHOW_S + len(self._lanes) * _SHOW_EACH_S
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._show)

    def stop(self) -> None:
        """Show no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _show(self) -> None:
        self._timer = None
        for id_, place in self._lanes.positions().items():
            live = self._live.get(id_)
            if live is not None and live.followed:
                live.publish(Waiting(place))
