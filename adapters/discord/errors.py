"""What can go wrong in a call to Discord, and what it means for a delivery.

RestError
├── AmbiguousError     the call may have been carried out: time-out, lost connection, 5xx
├── UnreachableError   it surely was not: no connection, the budget of invalid requests is used up
├── PausedError        429: not before `retry_after`
└── AnsweredError      Discord refused it: `status`, `code`
"""

from __future__ import annotations

from adapters.types import NotSentError, RefusedError

UNKNOWN_CHANNEL = 10003
UNKNOWN_MESSAGE = 10008
UNKNOWN_WEBHOOK = 10015
UNKNOWN_INTERACTION = 10062
ALREADY_ACKNOWLEDGED = 40060
CANNOT_MESSAGE = 50007
EXPIRED_TOKEN = 50027
TOO_MANY_EDITS = 30046
NO_REPLIES = 160002

_GONE_FOR_GOOD = frozenset({10003, 10004, 50001, 50007, 50013, 50083, 160005})
"""Unknown channel or guild, no access, cannot message this person, no permission, archived or locked thread."""


class MalformedError(Exception):
    """What came in is not what Discord sends: trying again changes nothing."""


class RestError(Exception):
    """A call failed. Its text holds the method, the route and the numbers, never an address: those hold tokens."""


class AmbiguousError(RestError):
    """It may have been carried out."""


class UnreachableError(RestError):
    """It surely was not carried out."""


class PausedError(RestError):
    """429. `retry_after` is in seconds; `everywhere` when it holds for all channels."""

    def __init__(self, message: str, retry_after: float, *, everywhere: bool = False) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.everywhere = everywhere


class AnsweredError(RestError):
    """Discord refused it. `code` is its own, 0 when it gave none."""

    def __init__(self, message: str, status: int, code: int) -> None:
        super().__init__(message)
        self.status = status
        self.code = code

    @property
    def malformed(self) -> bool:
        """Whether the payload was at fault."""
        return self.status == 400

    @property
    def token_is_over(self) -> bool:
        """Whether an interaction cannot be answered any more, or never was acknowledged."""
        return self.status == 404 or self.code in (UNKNOWN_WEBHOOK, UNKNOWN_INTERACTION, EXPIRED_TOKEN)


class LostError(Exception):
    """The connection ended, or never was: begin with a new one."""


def undelivered(error: RestError) -> NotSentError | RefusedError:
    """What a failed call means for the delivery, when it is known that nothing arrived."""
    if isinstance(error, PausedError):
        return NotSentError(str(error), error.retry_after)
    if isinstance(error, AnsweredError) and (error.status in (403, 404, 400, 413) or error.code in _GONE_FOR_GOOD):
        return RefusedError(str(error))
    return NotSentError(str(error))
