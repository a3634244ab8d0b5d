"""Gateway sessions: what each was told, what it missed, and how many were begun."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.rigs.discord.script import Script
    from tests.rigs.discord.world import Json


@dataclass(eq=False, slots=True)
class Session:
    """One session. `outbox` is that of its socket, None while it has none (since `parted_at`); `kept` are (sequence, frame)."""

    id: str
    intents: int
    kept: deque[tuple[int, bytes]]
    sequence: int = 0
    outbox: asyncio.Queue[bytes | int] | None = None
    parted_at: float = 0.0

    def put(self, name: str, body: Json) -> None:
        """Tell it an event: at once, or when it resumes."""
        self.sequence += 1
        frame = orjson.dumps({"op": 0, "t": name, "s": self.sequence, "d": body})
        self.kept.append((self.sequence, frame))
        if self.outbox is not None:
            self.outbox.put_nowait(frame)

    def part(self, outbox: asyncio.Queue[bytes | int]) -> None:
        """Its socket is gone, unless it has another one by now."""
        if self.outbox is outbox:
            self.outbox, self.parted_at = None, time.monotonic()

    def missed(self, sequence: int) -> list[bytes] | None:
        """The frames after a sequence; None when they are not all kept any more."""
        oldest = self.kept[0][0] if self.kept else self.sequence + 1
        if sequence + 1 < oldest or sequence > self.sequence:
            return None
        return [frame for number, frame in self.kept if number > sequence]


@dataclass(eq=False, slots=True)
class Sessions:
    """All of them. `starts` are the times of the IDENTIFYs, `resumes` those of the RESUMEs that succeeded."""

    script: Script
    alive: dict[str, Session] = field(default_factory=dict)
    starts: list[float] = field(default_factory=list)
    resumes: list[float] = field(default_factory=list)

    def tell(self, name: str, intents: int, body: Json | Callable[[int], Json]) -> None:
        """Put an event to every session that asked for it; 0 is asked for by all."""
        self._forget()
        for session in self.alive.values():
            if not intents or session.intents & intents:
                session.put(name, body(session.intents) if callable(body) else body)

    def begin(self, intents: int, outbox: asyncio.Queue[bytes | int]) -> Session:
        """A new session on a socket."""
        session = Session(secrets.token_hex(16), intents, deque(maxlen=self.script.replay), outbox=outbox)
        self.alive[session.id] = session
        return session

    def find(self, session_id: str) -> Session | None:
        """A session that can still be resumed."""
        self._forget()
        return self.alive.get(session_id)

    def remaining(self) -> tuple[int, float]:
        """IDENTIFYs that are left in the window, and seconds until the window ends."""
        since = time.monotonic() - self.script.starts_window_s
        lately = [at for at in self.starts if at > since]
        wait = lately[0] - since if lately else self.script.starts_window_s
        return max(0, self.script.starts - len(lately)), wait

    def _forget(self) -> None:
        before = time.monotonic() - self.script.replay_s
        for session in [each for each in self.alive.values() if each.outbox is None and each.parted_at < before]:
            del self.alive[session.id]
