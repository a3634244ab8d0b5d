"""What a test can tell the Discord stand-in to be and to do: deadlines, limits, intents, and faults."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Literal, NamedTuple

FAULTS = {
    "429": "too many requests, for `retry_after` seconds; `scope` is user, shared, global or cloudflare (no Via, no JSON)",
    "5xx": "`status`, 502 unless told",
    "hang": "no answer, the connection stays open",
    "drop": "the connection is reset",
    "garbage": "`status`, 200 unless told, with a body that is no JSON",
    "refuse": "`status` and `code` in Discord's form: 403 50013 unless told",
}


class Limit(NamedTuple):
    """So many calls in so many seconds, for each channel (or interaction token)."""

    calls: int
    per_s: float


# Measured values differ by day and route; these are those that bots commonly see. What is not named has no limit of its own.
LIMITS = {
    "message.create": Limit(5, 5.0),
    "message.edit": Limit(5, 5.0),
    "message.delete": Limit(5, 1.0),
    "reaction.add": Limit(1, 0.25),
    "reaction.remove": Limit(1, 0.25),
    "typing": Limit(5, 5.0),
    "history": Limit(5, 5.0),
    "original.edit": Limit(5, 2.0),
    "followup.create": Limit(5, 2.0),
    "followup.edit": Limit(5, 2.0),
}


@dataclass(eq=False, slots=True)
class Fault:
    """One misbehaviour of the REST routes whose name matches `route` (as a glob), in one channel or everywhere.

    The names are those of `desk.ROUTES`, and `attachment` (downloads), `gateway.connect` (the upgrade to a WebSocket).

    `times`: how often (None: always), each with `probability`. `after`: what was asked for is done first. `struck` counts.
    """

    kind: Literal["429", "5xx", "hang", "drop", "garbage", "refuse"]
    route: str = "*"
    channel: str | None = None
    after: bool = False
    times: int | None = 1
    probability: float = 1.0
    status: int = 0
    code: int = 50013
    retry_after: float = 0.5
    scope: Literal["user", "shared", "global", "cloudflare"] = "user"
    struck: int = 0

    def __post_init__(self) -> None:
        if self.kind not in FAULTS:
            raise ValueError(f"no fault {self.kind!r}; there are {', '.join(FAULTS)}")


@dataclass(slots=True)
class Script:
    """The behaviour of the stand-in: Discord's own unless told otherwise. Every field may be set at any time.

    `heartbeat_s` is announced; `heartbeat_limit_s`: without one for so long the socket is closed with 4009 (None: never); `acks`
    says whether heartbeats are acknowledged. `replay`, `replay_s`: events kept for a RESUME, and how long a session outlives its
    socket. `starts` IDENTIFYs in `starts_window_s` are allowed (more reset the token), `identify_spacing_s` apart. `on_identify`:
    a close code instead of READY. `on_resume`: a close code, or `invalid`. `privileged`: intents granted, of `members`,
    `presences`, `message_content`. `first_response_s`, `token_s`: deadlines of an interaction; `followups`: those of a
    user-installed app. `nonce_s`: how long a nonce is known. `limits` by route; `lifted`: none at all, `global_limit` (calls a
    second) neither. `ban_after` invalid requests in `ban_window_s` ban the address. `dm_channel_create`: announce private chats,
    which Discord has not done to bots since v8. `application`: what its maker set otherwise in the developer portal.
    """

    heartbeat_s: float = 41.25
    heartbeat_limit_s: float | None = None
    acks: bool = True
    replay: int = 250
    replay_s: float = 90.0
    starts: int = 1000
    starts_window_s: float = 86_400.0
    identify_spacing_s: float = 0.0
    on_identify: int | None = None
    on_resume: int | Literal["invalid"] | None = None
    privileged: frozenset[str] = frozenset()
    first_response_s: float = 3.0
    token_s: float = 900.0
    followups: int = 5
    nonce_s: float = 300.0
    file_bytes: int = 10 * 2**20
    limits: dict[str, Limit] = field(default_factory=lambda: dict(LIMITS))
    lifted: bool = False
    global_limit: int = 50
    ban_after: int = 10_000
    ban_window_s: float = 600.0
    dm_channel_create: bool = False
    application: dict[str, Any] = field(default_factory=dict)
    seed: int = 0

    def change(self, values: dict[str, Any]) -> None:
        """Set some fields. Raises `ValueError` for an unknown one."""
        unknown = set(values) - {item.name for item in fields(self)}
        if unknown:
            raise ValueError(f"the script has no {min(unknown)!r}")
        for name, value in values.items():
            setattr(self, name, value)
