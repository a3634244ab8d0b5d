"""Files that come with a question: read and cut like documents, never indexed; which of their pieces are given to the model.

Few pieces are given whole, in their order. Of many, the best by meaning and by words; by words alone where no vector can be made.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from knowledge.errors import ModelError
from knowledge.fulltext import folded, terms
from knowledge.questions import vectors_of
from knowledge.types import Passage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from knowledge.models import Embedder
    from knowledge.types import Chunk, Reading

ATTACHED = "(attached)"
"""Stands where the name of a collection does; no collection can be called so."""
_EMBEDDED = 64
"""Pieces that are turned into vectors for one question: one call."""


def pieces_of(name: str, reading: Reading, chunks: Sequence[Chunk]) -> list[Passage]:
    """The pieces of a file as passages. Their document is none: rights on documents do not speak of them."""
    title = reading.title or name
    return [Passage(0, 0, ATTACHED, name, title, tuple(chunk.headings), chunk.page, None, chunk.text, 1.0) for chunk in chunks]


async def chosen(question: str, pieces: Sequence[Passage], embedder: Embedder, count: int) -> list[Passage]:
    """At most `count` pieces, in the order of their file."""
    if len(pieces) <= count:
        return list(pieces)
    words = _by_words(question, [piece.text for piece in pieces])
    first = sorted(np.argsort(-words, kind="stable")[:_EMBEDDED].tolist())
    scores = words[first]
    try:
        meaning = await _by_meaning(question, [pieces[n].text for n in first], embedder)
    except ModelError:  # the answer says the same, only less surely
        meaning = np.zeros_like(scores)
    best = np.argsort(-(scores + meaning), kind="stable")[:count]
    return [
        replace(pieces[n], score=round(float(min(scores[k] + meaning[k], 1)), 4)) for k, n in sorted((k, first[k]) for k in best)
    ]


def _by_words(question: str, texts: Sequence[str]) -> NDArray[np.float32]:
    """The share of the question's words that stand in each text, by their rarity among these texts, 0 to 1."""
    held = [Counter(terms(text)) for text in texts]
    asked = {word: sum(word in one for one in held) for word in folded(question)}
    weights = {word: math.log(1 + len(texts) / (1 + found)) for word, found in asked.items()}
    whole = sum(weights.values()) or 1.0
    return np.array([sum(weights[word] for word in weights if word in one) / whole for one in held], np.float32)


async def _by_meaning(question: str, texts: Sequence[str], embedder: Embedder) -> NDArray[np.float32]:
    """Cosines on the scale of these texts, 0 to 1."""
    asked = np.stack(await vectors_of(embedder, question))
    cosines = ((await embedder.passages(texts)) @ asked.T).max(axis=1)
    spread = float(cosines.max() - cosines.min())
    return ((cosines - cosines.min()) / spread).astype(np.float32) if spread > 0 else np.zeros(len(texts), np.float32)
