"""Follow-ups: what is searched for when a question leans on the one before it. No model is asked: rules never wander.

A question that stands alone is searched as it is. One that leans on the conversation ("et la nuit ?", "why is that?") is searched
together with the last question that stood alone, which names what "that" is.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from knowledge.types import PastTurn

_WORD = re.compile(r"[\w’'-]+")
_OPENING = re.compile(
    r"^\W*(?:et|mais|donc|alors|sinon|pourquoi\s*\W*$|comment ça|comment cela|ou|aussi|pareil|"
    r"and|but|so|then|what about|how about|why\s*\W*$|how so|or|also|same)\b",
    re.IGNORECASE,
)
_LEANING = re.compile(
    r"\b(?:il|elle|ils|elles|lui|leur|eux|celui-ci|celle-ci|ceux-ci|celles-ci|celui-là|celle-là|ça|cela|ceci|y|dedans|"
    r"it|its|they|them|their|that|this|those|these|he|she|his|her|one|ones|there|"
    r"précédent|précédente|dessus|dernier point|above|previous|latter|former|the same|le même|la même)\b",
    re.IGNORECASE,
)
_IMPERSONAL = re.compile(
    r"\b(?:il y a|y a-t-il|il faut|faut-il|est-il possible|s'il|s’il|qu'il faut|is it possible|is there|are there|"
    r"there is|there are|this (?:year|month|week|morning|evening|house)|that (?:the|we|you))\b",
    re.IGNORECASE,
)
_SHORT_WORDS = 3


def stands_alone(question: str) -> bool:
    """Whether a question can be searched without the conversation before it."""
    words = _WORD.findall(question)
    if len(words) < _SHORT_WORDS or _OPENING.match(question):
        return False
    return not _LEANING.search(_IMPERSONAL.sub(" ", question))


def condense(question: str, turns: Sequence[PastTurn]) -> str:
    """The text to search for: the question itself, or the last question that stood alone followed by this one."""
    if not turns or stands_alone(question):
        return question
    asked = (turn.question for turn in reversed(turns))
    subject = next((text for text in asked if stands_alone(text)), turns[0].question)
    return f"{subject}\n{question}"
