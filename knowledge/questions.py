"""The vectors of a question: one, or those of some of its sentences where it is longer than the embedder's window.

Such a question is a few words of somebody's own beside a letter, a log or a page that they pasted. The vector of as much as fits
is that of the paste: tried on the demo's handbook, it found next to nothing of what the question alone finds. Its first and its
last sentence found the same, and nothing else.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from knowledge.errors import PromptTooLongError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from knowledge.models import Embedder

_BETWEEN = re.compile(r"(?<=[.?!…])\s+|(?<=[。？！])|\n+")
_ASKING = 2
"""Sentences with a question mark that are taken, besides the first and the last."""
_GREETING = 4
"""Fewer words are a greeting or a name, which is somewhat near to any person's page."""
_CHARS_A_TOKEN = 8
"""No text has more."""


async def vectors_of(embedder: Embedder, question: str) -> list[NDArray[np.float32]]:
    """One vector, or one to four of pieces; shape (dimension,), length 1. Raises the `ModelError` family."""
    try:
        return [await embedder.query(question)]
    except PromptTooLongError:
        return [await embedder.query(piece) for piece in _pieces(embedder, question)]


def _pieces(embedder: Embedder, question: str) -> list[str]:
    """The first and the last sentence that says something, and some between them that ask."""
    sentences = [sentence for sentence in _BETWEEN.split(question) if sentence.strip()] or [question]
    sentences = [one for one in sentences if _asks(one) or len(one.split()) >= _GREETING] or sentences
    asking = list(filter(_asks, sentences[1:-1]))[:_ASKING]
    first = [_within(embedder, one) for one in (sentences[0], *asking)]
    return list(dict.fromkeys([*first, _within(embedder, sentences[-1], end=True)]))


def _asks(sentence: str) -> bool:
    return sentence.rstrip().endswith(("?", "？"))


def _within(embedder: Embedder, sentence: str, *, end: bool = False) -> str:
    """As much of its beginning or end as the window takes. That tokens are counted from above leaves room for a prefix."""
    size = embedder.window * _CHARS_A_TOKEN
    while True:
        kept = sentence[-size:] if end else sentence[:size]
        if size <= 1 or embedder.count(kept) <= embedder.window:
            return kept
        size = min(size, len(sentence)) * 9 // 10
