"""Rate limits: a window for each route and channel, one for all calls, what was called too early, and invalid requests."""

from __future__ import annotations

import hashlib
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.rigs.discord.script import Script
    from tests.rigs.discord.world import Json

_FREE = {"X-RateLimit-Limit": "1000000", "X-RateLimit-Remaining": "999999", "X-RateLimit-Reset-After": "1.000"}


@dataclass(slots=True)
class _Window:
    ends: float = 0.0
    used: int = 0


@dataclass(slots=True)
class Verdict:
    """Whether a call may go on: `retry_after` in seconds when it may not; `headers` go with the answer."""

    headers: dict[str, str] = field(default_factory=dict)
    retry_after: float | None = None
    everywhere: bool = False


@dataclass(slots=True)
class Paused:
    """A 429 that was given for a channel: from `at` until `until` nothing should be called there."""

    at: float
    until: float
    name: str


class Limits:
    """What is counted. `paused` by channel or token, None for all of them; `invalid` are the times of 401, 403 and 429."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._windows: dict[tuple[str, str | None], _Window] = {}
        self._lately: deque[float] = deque()
        self.paused: dict[str | None, Paused] = {}
        self.invalid: deque[float] = deque()

    def take(self, name: str, place: str | None, *, counted: bool) -> Verdict:
        """Count a call. `counted`: against the global limit too, which interactions are not."""
        if self._script.lifted:
            return Verdict(self._headers(name, _FREE))
        if counted and (wait := self._crowded()) is not None:
            return Verdict({"X-RateLimit-Global": "true", "X-RateLimit-Scope": "global"}, wait, everywhere=True)
        if name not in self._script.limits:
            return Verdict(self._headers(name, _FREE))
        return self._window(name, place)

    def _crowded(self) -> float | None:
        now = time.monotonic()
        while self._lately and self._lately[0] <= now - 1:
            self._lately.popleft()
        if len(self._lately) >= self._script.global_limit:
            return self._lately[0] + 1 - now
        self._lately.append(now)
        return None

    def _window(self, name: str, place: str | None) -> Verdict:
        limit, now = self._script.limits[name], time.monotonic()
        window = self._windows.setdefault((name, place), _Window())
        if now >= window.ends:
            window.ends, window.used = now + limit.per_s, 0
        left = window.ends - now
        over = window.used >= limit.calls
        window.used += not over
        counts = {"X-RateLimit-Limit": str(limit.calls), "X-RateLimit-Remaining": str(limit.calls - window.used)}
        headers = self._headers(name, {**counts, "X-RateLimit-Reset-After": f"{left:.3f}"})
        return Verdict(headers | ({"X-RateLimit-Scope": "user"} if over else {}), left if over else None)

    def _headers(self, name: str, counts: dict[str, str]) -> dict[str, str]:
        reset = time.time() + float(counts["X-RateLimit-Reset-After"])
        bucket = hashlib.blake2s(name.encode(), digest_size=16).hexdigest()
        return {**counts, "X-RateLimit-Reset": f"{reset:.3f}", "X-RateLimit-Bucket": bucket}

    def pause(self, name: str, place: str | None, retry_after: float) -> None:
        """Remember that a 429 was given."""
        now = time.monotonic()
        self.paused[place] = Paused(now, now + retry_after, name)

    def early(self, place: str | None, *, counted: bool) -> float | None:
        """How many seconds too early a call to this channel is, None when it is not."""
        now = time.monotonic()
        keys = {place, None} if counted else {place}
        untils = [self.paused[key].until for key in keys if key in self.paused]
        left = max(untils, default=0.0) - now
        return left if left > 0.002 else None

    def fail(self, status: int, *, shared: bool) -> None:
        """Count an invalid request."""
        if status in {401, 403} or (status == 429 and not shared):
            self.invalid.append(time.monotonic())

    @property
    def banned(self) -> bool:
        """Whether there were too many invalid requests."""
        since = time.monotonic() - self._script.ban_window_s
        while self.invalid and self.invalid[0] <= since:
            self.invalid.popleft()
        return len(self.invalid) >= self._script.ban_after


def too_many(retry_after: float, *, everywhere: bool) -> Json:
    """The body of a 429."""
    return {"message": "You are being rate limited.", "retry_after": round(retry_after, 3), "global": everywhere}
