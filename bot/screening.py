"""What is taken at the door: a message must be text, within the limits, and there must be room in the line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bot.errors import RejectedError

if TYPE_CHECKING:
    from adapters.types import Message
    from bot.settings import LimitsConfig

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters but tab and line breaks, and halves of surrogate pairs: no keyboard makes them."""


def screen(message: Message, limits: LimitsConfig) -> None:
    """Raise `RejectedError` (`empty`, `too_long`, `binary`) for what is not a question or a command."""
    if not message.text.strip():
        raise RejectedError("empty", "The message is empty: write a question.")
    if len(message.text) > limits.question_chars:
        raise RejectedError(
            "too_long", f"The message has {len(message.text)} characters; at most {limits.question_chars} are read."
        )
    if _CONTROL.search(message.text):
        raise RejectedError("binary", "The message holds control characters: send plain text.")


def check_room(waiting: int, of_person: int, limits: LimitsConfig) -> None:
    """Raise `RejectedError` (`queue_full`) when the line is full, or holds enough of this person's."""
    if of_person >= limits.queue_person:
        raise RejectedError(
            "queue_full", f"{of_person} of your questions are waiting already; at most {limits.queue_person}.", 429
        )
    if waiting >= limits.queue:
        raise RejectedError(
            "queue_full", f"{waiting} questions are waiting, and there is no room for more: try again later.", 503
        )
