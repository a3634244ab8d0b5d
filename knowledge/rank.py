"""The order of the candidates, which of them are given, and whether any of them is related to the question."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from knowledge.fulltext import Words, covered
from knowledge.fuse import diversified, fused, lexical
from knowledge.language import language_of
from knowledge.types import Passage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray
    from sqlalchemy import Row

    from knowledge.calibrate import Measure

_NEIGHBOURS = 0.6
_LOWEST = 1e-6
_WORDS_SUFFICE = 0.8
"""A passage with this share of the question's words is related, whatever its vector says."""
_SHARED, _USUAL_SHARE = 0.7, 0.5
"""Within one language half of a question's words are usual; all of them raise its standing, none lowers it, by a third."""
_BESIDE = 0.75
"""Beside a passage above the threshold, another is given from this part of the threshold on."""


@dataclass(slots=True)
class Near:
    """What the vectors say of a chunk. `measures` are what is usual for the question, by language; empty without a background."""

    cosine: float
    measures: Mapping[str | None, Measure]
    vector: NDArray[np.float32]

    def measure(self, language: str | None) -> Measure | None:
        """What is usual for the question and passages in this language."""
        return self.measures.get(language) or self.measures.get(None)


@dataclass(slots=True)
class Ranking:
    """Live candidates in one order, with `scores`, 0 to 1, which rank them, and `standings`, which say what is related.

    Scores compare cosines as they are; standings read each against what is usual in its language.
    """

    language: str | None
    rows: Sequence[Row[Any]]
    near: list[Near | None]
    words: Words
    standings: list[float]
    scores: NDArray[np.float32]

    def chosen(self, count: int, diversity: float) -> list[tuple[Passage, bool]]:
        """The best, diversified, in order of their score, and whether each is related to the question.

        One of them must stand above the threshold; then the others may stand a little below.
        """
        best = sorted(diversified(self.scores, self._alike(), count, diversity), key=lambda n: -self.scores[n])
        shares = [covered(self.words, f"{self.rows[n].headings} {self.rows[n].text}") for n in best]
        answered = max((self.standings[n] for n in best), default=0.0) + self._expected(best, shares) >= 1
        related = [
            share >= _WORDS_SUFFICE or (answered and self.standings[n] >= _BESIDE) for n, share in zip(best, shares, strict=True)
        ]
        return [(self._passage(n), one) for n, one in zip(best, related, strict=True)]

    def _expected(self, best: Sequence[int], shares: Sequence[float]) -> float:
        """What the shared words add or take away: related texts in one language share half of them; across languages few do."""
        same = [share for n, share in zip(best, shares, strict=True) if self.language and self.language == self.rows[n].language]
        return _SHARED * (max(same) - _USUAL_SHARE) if same else 0.0

    def _alike(self) -> Callable[[int], NDArray[np.float32]]:
        """How alike a candidate is to each, 0 to 1: their cosines on the scale of these candidates; neighbours overlap."""
        size = max((len(near.vector) for near in self.near if near is not None), default=1)
        vectors = np.zeros((len(self.near), size), np.float32)
        for n, near in enumerate(self.near):
            if near is not None and len(near.vector) == size:
                vectors[n] = near.vector
        documents = np.array([row.document_id for row in self.rows])
        ordinals = np.array([row.ordinal for row in self.rows])

        def alike(n: int) -> NDArray[np.float32]:
            cosines = vectors @ vectors[n]  # row by row: the whole product would wake the threads of the algebra library
            usual = float(cosines.min())
            neighbours = (documents == documents[n]) & (np.abs(ordinals - ordinals[n]) == 1)
            scaled = np.square(np.clip((cosines - usual) / max(1 - usual, _LOWEST), 0, 1))
            closest: NDArray[np.float32] = np.maximum(scaled, np.float32(_NEIGHBOURS) * neighbours)
            return closest

        return alike

    def _passage(self, n: int) -> Passage:
        row, near = self.rows[n], self.near[n]
        return Passage(
            chunk_id=row.id,
            document_id=row.document_id,
            collection=row.collection,
            document=row.path,
            title=row.title,
            headings=tuple(orjson.loads(row.headings)[1:]),
            page=row.page,
            url=None,
            text=row.text,
            score=round(float(self.scores[n]), 4),
            similarity=None if near is None else round(near.cosine, 4),
        )


def ranked(question: str, rows: Sequence[Row[Any]], near: dict[int, Near], words: Words, found: dict[int, float]) -> Ranking:
    """Score the live candidates `rows`: `near` is what vectors say of them, `found` their BM25 scores."""
    of_rows = [near.get(row.id) for row in rows]
    standings = [_standing(one, row.language) for one, row in zip(of_rows, rows, strict=True)]
    overall = np.array([_standing(one, None) for one in of_rows], np.float32)
    by_words = lexical(np.array([found.get(row.id, 0.0) for row in rows], np.float32), words)
    scores = fused(np.clip(overall / max(2.0, *overall, 2.0), 0, 1), by_words) if near else by_words
    return Ranking(language_of(question), rows, of_rows, words, standings, scores)


def _standing(near: Near | None, language: str | None) -> float:
    """In thresholds. Without a vector nothing is related; before there is a background everything is, the nearest most."""
    if near is None:
        return 0.0
    measure = near.measure(language)
    return 1 + near.cosine if measure is None else measure.standing(near.cosine)
