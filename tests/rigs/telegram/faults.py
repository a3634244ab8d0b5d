"""What can go wrong between a bot and the platform, by order of a test."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.rigs.telegram import errors

if TYPE_CHECKING:
    from collections.abc import Callable

KINDS = {
    "429": "too many requests, with `retry_after`, nothing done",
    "500": "an internal error, nothing done",
    "502": "a bad gateway with an HTML page, nothing done",
    "500_after": "an internal error after it was done",
    "502_after": "a bad gateway after it was done",
    "drop": "the connection is reset, nothing done",
    "drop_after": "the connection is reset after it was done",
    "hang": "no answer ever, nothing done",
    "hang_after": "no answer ever after it was done",
    "garbage": "200 with a body that is no JSON, nothing done",
    "garbage_after": "200 with a body that is no JSON after it was done",
    "forbidden": "403 with a page that is none of the platform's, nothing done",
    "lost": "404 with such a page, nothing done",
    "slow": "done, and answered `delay_s` later",
    "blocked": "403, the person blocked the bot",
    "kicked": "403, the bot is no longer in the group",
    "no_right": "400, the bot may not write there",
    "401": "the token is not valid",
    "409": "another one polls",
    "entities": "400, can't parse entities",
    "migrated": "400, the group lives on as `migrate_to`",
    "400": "refused, with `text`",
}
_PAGE = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n</html>"


@dataclass(slots=True)
class Fault:
    """One misbehaviour. `method`: as in the URL, None: any; `chat`: an id, None: any; `times`: how often, None: always.

    `probability` is drawn from the seed of the rig; `skip`: that many calls are spared first. `getUpdates` is struck only when
    named.
    """

    kind: str
    method: str | None = None
    chat: int | None = None
    times: int | None = 1
    probability: float = 1.0
    skip: int = 0
    retry_after: float = 1
    migrate_to: int = 0
    delay_s: float = 0.1
    text: str = "Bad Request"
    struck: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"no fault {self.kind!r}; there are {', '.join(KINDS)}")

    @property
    def after(self) -> bool:
        """Whether the call is carried out."""
        return self.kind.endswith("_after") or self.kind == "slow"

    def error(self) -> errors.ApiError | None:
        """The refusal, where there is one."""
        made = _ERRORS.get(self.kind.removesuffix("_after"))
        return made(self) if made else None

    def fits(self, method: str, chat: int | None) -> bool:
        named = self.method.lower() == method.lower() if self.method else method.lower() != "getupdates"
        return named and self.chat in (None, chat) and (self.times is None or self.struck < self.times)


_ERRORS: dict[str, Callable[[Fault], errors.ApiError]] = {
    "429": lambda fault: errors.too_many(fault.retry_after),
    "500": lambda _: errors.ApiError(500, "Internal Server Error"),
    "blocked": lambda _: errors.blocked(),
    "kicked": lambda _: errors.kicked(),
    "no_right": lambda _: errors.no_right(),
    "401": lambda _: errors.unauthorized(),
    "409": lambda _: errors.other_poller(),
    "entities": lambda _: errors.bad("can't parse entities: Can't find end of the entity starting at byte offset 0"),
    "migrated": lambda fault: errors.migrated(fault.migrate_to),
    "400": lambda fault: errors.ApiError(400, fault.text),
}
PAGES = {
    "502": (502, _PAGE),
    "garbage": (200, "<html>not what you asked for"),
    "forbidden": (403, "<html>Access denied"),
    "lost": (404, "<html>Not here"),
}


class Faults:
    """The faults that wait for their call, in the order they were given."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)
        self._waiting: list[Fault] = []

    def add(self, kind: str, method: str | None = None, **fields: object) -> Fault:
        """Order a fault; see `Fault` for the fields. It counts in `struck` how often it happened."""
        fault = Fault(kind, method, **fields)  # type: ignore[arg-type]
        self._waiting.append(fault)
        return fault

    def clear(self) -> None:
        """Nothing goes wrong any more."""
        self._waiting.clear()

    def strike(self, method: str, chat: int | None) -> Fault | None:
        """The fault that hits this call."""
        for fault in self._waiting:
            if fault.fits(method, chat) and self._hits(fault):
                fault.struck += 1
                return fault
        return None

    def _hits(self, fault: Fault) -> bool:
        if fault.skip > 0:
            fault.skip -= 1
            return False
        return fault.probability >= 1 or self._random.random() < fault.probability
