"""What the HTTP door answers when it cannot answer: the codes, their statuses, and the shape of the body.

ProblemError    a request that is not answered: `code` for programs, a sentence for people, `status` of HTTP
"""

from __future__ import annotations

import logging
import secrets
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp import web

from bot.errors import DatabaseError, RejectedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import ValidationError

_log = logging.getLogger(__name__)

STATUS = {
    "bad_request": 400,
    "empty": 400,
    "binary": 400,
    "unknown_command": 400,
    "unauthorised": 401,
    "forbidden": 403,
    "not_found": 404,
    "unknown_model": 404,
    "unknown_collection": 404,
    "method_not_allowed": 405,
    "too_slow": 408,
    "forgotten": 410,
    "too_long": 413,
    "prompt_too_long": 413,
    "encoded": 415,
    "conflict": 422,
    "queue_full": 429,
    "too_many": 429,
    "cancelled": 499,
    "internal": 500,
    "gave_up": 500,
    "model_broken": 502,
    "stopping": 503,
    "database": 503,
    "index_unavailable": 503,
    "model_unreachable": 503,
    "model_missing": 503,
    "model_unfit": 503,
    "model_loading": 503,
    "model_busy": 503,
    "model_slow": 504,
    "expired": 504,
}
"""The status of each code, whether a door, the dispatcher or a reply says it. 499 is nobody's standard and everybody's habit."""

_RETRY_AFTER_S = {429: 10, 503: 30}
_REASON = {499: "Cancelled"}
_KINDS = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}
_SENTENCES = {
    "missing": "is missing",
    "extra_forbidden": "is not known here",
    "string_type": "must be a string",
    "string_too_short": "is too short: {min_length} at least",
    "string_too_long": "is too long: {max_length} characters at most",
    "string_pattern_mismatch": "holds characters that are not allowed",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "list_type": "must be a list",
    "too_short": "must not be empty",
    "too_long": "holds too many items: {max_length} at most",
    "model_type": "must be an object",
    "int_type": "must be a whole number",
    "literal_error": "must be {expected}",
}
_NAMED = 5
"""Fields named in one sentence about a wrong body."""


class ProblemError(Exception):
    """A request that is not answered. `more` are further fields of the body, `headers` further headers."""

    def __init__(
        self,
        code: str,
        message: str,
        *,
        status: int | None = None,
        more: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.status = status or STATUS.get(code, 500)
        self.more = dict(more or {})
        self.headers = dict(headers or {})
        if self.status in _RETRY_AFTER_S:
            self.headers.setdefault("Retry-After", str(_RETRY_AFTER_S[self.status]))

    @property
    def reason(self) -> str | None:
        """The reason phrase, None where HTTP has one."""
        return _REASON.get(self.status)

    def body(self, *, openai: bool = False) -> dict[str, Any]:
        """The JSON body: `{error: {code, message}}` and what else is known; OpenAI's clients expect `type` and `param` too."""
        error: dict[str, Any] = {"code": self.code, "message": str(self)}
        if openai:
            kind = "invalid_request_error" if self.status < 500 else "server_error"
            error |= {"type": _KINDS.get(self.status, kind), "param": None}
        return {"error": error, **self.more}


def stopped() -> ProblemError:
    """What to say when the daemon stops before the reply is there."""
    return ProblemError("stopping", "Grillon is stopping. Ask again in a minute; a question with an Idempotency-Key is kept.")


def problem_of(error: Exception, where: str) -> ProblemError:
    """What to say about an exception. Of one that nobody foresaw, the body has a number, the log its kind and place."""
    match error:
        case ProblemError():
            return error
        case RejectedError():
            return ProblemError(error.code, str(error), status=error.status)
        case DatabaseError():
            return ProblemError("database", str(error))
        case web.HTTPRequestEntityTooLarge():
            return ProblemError("too_long", "The request is too long.")
    number = secrets.token_hex(4)
    frames = list(traceback.walk_tb(error.__traceback__))[-4:]
    place = " > ".join(f"{Path(frame.f_code.co_filename).name}:{line}" for frame, line in frames)
    # The text of an exception may quote what a person wrote: it is never logged.
    _log.error("http error=%s route=%s kind=%s at=%s", number, where, type(error).__name__, place)
    return ProblemError("internal", f"Something went wrong here; the log has it under {number}.")


def wrong_body(error: ValidationError) -> ProblemError:
    """The sentence about a body that does not validate: which fields, and what is allowed. Never what was sent."""
    found = error.errors(include_url=False, include_input=False, include_context=True)
    sentences = []
    for one in found[:_NAMED]:
        if one["type"] == "json_invalid":
            return ProblemError("bad_request", "The body is not JSON in UTF-8.")
        name = ".".join(str(step) for step in one["loc"])[:100] or "the body"
        sentence = _SENTENCES.get(one["type"])
        sentences.append(f"{name} {sentence.format(**one.get('ctx', {})) if sentence else 'is not what it must be'}")
    return ProblemError("bad_request", "; ".join(sentences) + ".")
