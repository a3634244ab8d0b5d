"""A command that a person gave."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from adapters.types import Reply
from bot.speech.sentences import Language, say

if TYPE_CHECKING:
    from bot.live import Received


@dataclass(frozen=True, slots=True)
class Order:
    """A command to be carried out, for one person, in one chat."""

    received: Received
    argument: str
    language: Language

    def say(self, key: str, **blanks: object) -> Reply:
        """A sentence as the reply."""
        return Reply(say(key, self.language, **blanks), language=self.language)
