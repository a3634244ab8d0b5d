"""In which language somebody is spoken to: the one they chose, else that of their message, else their platform's, else ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.speech.sentences import Language, as_language
from knowledge.language import language_of

if TYPE_CHECKING:
    from adapters.types import Message
    from bot.people.people import Person


def language_for(message: Message | None, person: Person | None, default: Language) -> Language:
    """The language of a sentence of ours about a message."""
    chosen = as_language(person.language) if person else None
    if chosen or message is None:
        return chosen or default
    return as_language(language_of(message.text)) or as_language(message.locale) or default
