"""What can go wrong in the daemon and on its command line.

GrillonError                 `exit_code` 1; its text is the sentence a person reads
├── SettingsError            2: the settings are wrong
├── StateInUseError          3: another process owns the state directory
├── NewerDatabaseError       4: the database was written by a newer program
├── DatabaseError            1: full disk, broken file; the sentence says what to do
├── CannotError              what a person asked for cannot be done: `key` and `values` choose the sentence
└── RejectedError            a message that is not taken: `code` and `status` (HTTP) say why
"""

from __future__ import annotations

import traceback
from pathlib import Path

from bot.speech.sentences import say


def told(error: BaseException) -> str:
    """An unforeseen error for the log: its type and where it arose, never its text, which may hold somebody's words."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{type(error).__name__} at " + " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames))


class GrillonError(Exception):
    """Its text is one sentence for a person: what happened, what to do."""

    exit_code = 1


class SettingsError(GrillonError):
    """The settings are wrong: file, line or key, and what is allowed."""

    exit_code = 2


class StateInUseError(GrillonError):
    """Another process owns the state directory."""

    exit_code = 3

    def __init__(self, message: str, pid: int | None = None) -> None:
        super().__init__(message)
        self.pid = pid


class NewerDatabaseError(GrillonError):
    """The database was written by a newer program; nothing was touched."""

    exit_code = 4


class DatabaseError(GrillonError):
    """The database cannot be used: full disk, broken file."""


class CannotError(GrillonError):
    """What a person asked for cannot be done. In a chat: `say(error.key, language, **error.values)`."""

    def __init__(self, key: str, **values: object) -> None:
        super().__init__(say(key, "en", **values))
        self.key = key
        self.values = values


class RejectedError(GrillonError):
    """A message that is not taken, and was not stored.

    `code`: `empty`, `too_long`, `binary`, `queue_full`, `too_many`, `conflict`, `forbidden`.
    """

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
