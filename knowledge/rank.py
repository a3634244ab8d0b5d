"""The order of the candidates, which of them are given, and whether any of them is related to the question."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import orjson

from knowledge.fulltext import Found, Words, covered, names
from knowledge.fuse import diversified, fused, lexical
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
_STANDS_OUT = 1.5
"""The first hit of full text stands out when its BM25 score is so many times the next one's."""
_LITERAL = 3
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


class Candidate(NamedTuple):
    """A live chunk: where it stands, and in which language it is."""

    id: int
    document_id: int
    ordinal: int
    language: str | None


@dataclass(slots=True)
class Ranking:
    """Live candidates in one order, with `scores`, 0 to 1, which rank them.

    Scores compare cosines as they are; standings, which say what is related, read each against what is usual in its language.
    """

    candidates: Sequence[Candidate]
    near: list[Near | None]
    words: Words
    scores: NDArray[np.float32]

    def best(self, count: int, diversity: float) -> list[int]:
        """The indices of the best, diversified, in order of their score."""
        return sorted(diversified(self.scores, self._alike(), count, diversity), key=lambda n: -self.scores[n])

    def literal(self, found: Sequence[Found]) -> list[int]:
        """The indices of the hits of full text that may hold the question's own words, which the vectors may not understand.

        The first ones where it gives a number or code; else the first alone, where it stands out.
        """
        if not self.words.named:
            stands_out = found and (len(found) == 1 or found[0].score >= _STANDS_OUT * found[1].score)
            found = found[:1] if stands_out else ()
        places = {candidate.id: n for n, candidate in enumerate(self.candidates)}
        return [places[hit.chunk_id] for hit in found[:_LITERAL] if hit.chunk_id in places]

    def seated(self, best: Sequence[int], literal: Sequence[int], rows: Mapping[int, Row[Any]]) -> list[int]:
        """As many of the best, those among them that hold the question's own words: who holds its number or code comes first."""
        naming = [n for n in literal if names(self.words, _of(rows[n]))]
        saying = [n for n in literal if n not in naming and covered(self.words, _of(rows[n])) >= _WORDS_SUFFICE]
        others = [n for n in best if n not in (*naming, *saying)][: max(0, len(best) - len(naming) - len(saying))]
        return [*naming, *sorted((*others, *saying), key=lambda n: -self.scores[n])]

    def judged(self, language: str | None, best: Sequence[tuple[int, Row[Any]]]) -> list[tuple[Passage, bool]]:
        """The best (index and row, with its text) as passages, and whether each is related to the question in this language.

        One of them must stand above the threshold; then the others may stand a little below.
        """
        shares = [1.0 if names(self.words, _of(row)) else covered(self.words, _of(row)) for _, row in best]
        standings = [_standing(self.near[n], row.language) for n, row in best]
        same = [share for share, (_, row) in zip(shares, best, strict=True) if language and language == row.language]
        answered = max(standings, default=0.0) + _expected(same) >= 1
        related = [
            share >= _WORDS_SUFFICE or (answered and standing >= _BESIDE)
            for standing, share in zip(standings, shares, strict=True)
        ]
        return [(self._passage(n, row), one) for (n, row), one in zip(best, related, strict=True)]

    def _alike(self) -> Callable[[int], NDArray[np.float32]]:
        """How alike a candidate is to each, 0 to 1: their cosines on the scale of these candidates; neighbours overlap."""
        size = max((len(near.vector) for near in self.near if near is not None), default=1)
        none = np.zeros(size, np.float32)
        vectors = np.array([none if near is None or len(near.vector) != size else near.vector for near in self.near])
        documents = np.array([candidate.document_id for candidate in self.candidates])
        ordinals = np.array([candidate.ordinal for candidate in self.candidates])

        def alike(n: int) -> NDArray[np.float32]:
            cosines = vectors @ vectors[n]  # row by row: the whole product would wake the threads of the algebra library
            usual = float(cosines.min())
            neighbours = (documents == documents[n]) & (np.abs(ordinals - ordinals[n]) == 1)
            scaled = np.square(((cosines - usual) / max(1 - usual, _LOWEST)).clip(0, 1))
            closest: NDArray[np.float32] = np.maximum(scaled, np.float32(_NEIGHBOURS) * neighbours)
            return closest

        return alike

    def _passage(self, n: int, row: Row[Any]) -> Passage:
        near = self.near[n]
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
            score=round(float(self.scores[n]), 2),  # not finer: full text weighs words by the whole index
            similarity=None if near is None else round(near.cosine, 4),
        )


def ranked(candidates: Sequence[Candidate], near: Mapping[int, Near], words: Words, found: Mapping[int, float]) -> Ranking:
    """Score the live candidates: `near` is what vectors say of them, `found` their BM25 scores."""
    of_candidates = [near.get(candidate.id) for candidate in candidates]
    overall = np.array([_standing(one, None) for one in of_candidates], np.float32)
    by_words = lexical(np.array([found.get(candidate.id, 0.0) for candidate in candidates], np.float32), words)
    scores = fused((overall / overall.max(initial=2.0)).clip(0, 1), by_words) if near else by_words
    return Ranking(candidates, of_candidates, words, scores)


def _of(row: Row[Any]) -> str:
    return f"{row.headings} {row.text}"


def _standing(near: Near | None, language: str | None) -> float:
    """In thresholds. Without a vector nothing is related; before there is a background everything is, the nearest most."""
    if near is None:
        return 0.0
    measure = near.measure(language)
    return 1 + near.cosine if measure is None else measure.standing(near.cosine)


def _expected(shares: Sequence[float]) -> float:
    """What the shared words add or take away: related texts in one language share half of them; across languages few do."""
    return _SHARED * (max(shares) - _USUAL_SHARE) if shares else 0.0
