"""A greeting or a thank-you is answered as one: nobody wants "nothing found" for "bonjour"."""

from __future__ import annotations

import re

_GREETING = re.compile(
    r"\W*(?:hello|hi|hey|good (?:morning|evening|afternoon)|bonjour|bonsoir|salut|coucou)"
    r"(?:[ ,]+(?:grillon|there|all|toi|tous))?\W*\Z",
    re.IGNORECASE,
)
_THANKS = re.compile(
    r"\W*(?:(?:ok(?:ay)?|super|great|parfait|perfect)\W+)?"
    r"(?:thanks|thank you|thx|merci)(?: (?:a lot|so much|very much|beaucoup|bien|grillon))?\W*\Z",
    re.IGNORECASE,
)


def smalltalk(text: str) -> str | None:
    """The sentence (see `bot.speech.sentences`) that answers a mere greeting or thank-you, None for everything else."""
    if _GREETING.match(text):
        return "greeting"
    return "thanks" if _THANKS.match(text) else None
