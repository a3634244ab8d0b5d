"""How verbs and the daemon speak over the local socket: one JSON object a line, each with the number of its request.

-> {"id": 1, "verb": "ask", "params": {"question": "…"}}
<- {"id": 1, "event": "words", "text": "…"}                          any number of events,
<- {"id": 1, "result": {…}}                                          then one result,
<- {"id": 1, "error": "…", "exit_code": 1, "code": "too_long"}       or one error
-> {"id": 1, "verb": "cancel"}                                       ends request 1
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import orjson

from adapters.types import Reply
from bot.errors import GrillonError
from bot.live import Event, Finished, Restarted, Step, Waiting, Words
from bot.stored import load_reply

LINE_BYTES = 8 * 2**20
"""The longest line, in either direction: the longest question and the longest answer that the settings allow fit."""

_EVENTS: dict[str, type[Event]] = {"waiting": Waiting, "step": Step, "words": Words, "restarted": Restarted}
_NAMES = {kind: name for name, kind in _EVENTS.items()}


class RemoteError(GrillonError):
    """An error of the daemon, with its sentence and its exit code. `code` is the word for machines, where there is one."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        super().__init__(values["error"])
        self.exit_code = values.get("exit_code", GrillonError.exit_code)
        self.code: str | None = values.get("code")


def as_text(value: Any) -> Any:  # noqa: ANN401 -- JSON values
    """What came from a command line, with what was no text in the terminal's coding marked: it is neither sent nor stored."""
    if isinstance(value, list):
        return [as_text(one) for one in value]
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace") if isinstance(value, str) else value


def line(values: Mapping[str, Any]) -> bytes:
    """One line. Dataclasses become objects."""
    return orjson.dumps(values, option=orjson.OPT_APPEND_NEWLINE)


def event_values(event: Event) -> dict[str, Any]:
    """A live event as JSON values; the last one, the reply, is the result."""
    if isinstance(event, Finished):
        return {"result": event.reply}
    return {"event": _NAMES[type(event)], **dataclasses.asdict(event)}


def event_of(values: Mapping[str, Any]) -> Event:
    """A live event from its JSON values."""
    return _EVENTS[values["event"]](**{name: value for name, value in values.items() if name not in {"id", "event"}})


def reply_of(values: Mapping[str, Any]) -> Reply:
    """The reply from its JSON values."""
    return load_reply(orjson.dumps(values).decode())


def error_values(error: Exception) -> dict[str, Any]:
    """An error as JSON values."""
    return {"error": str(error), "exit_code": getattr(error, "exit_code", 1), "code": getattr(error, "code", None)}
