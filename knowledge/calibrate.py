"""When is a passage related to a question? Calibrated for each embedder from pairs of texts that are not.

Cosines mean something else with every model, and shift with the languages: e5 gives unrelated texts 0.74, and 0.72 when the
question is Spanish and the passage English. So a similarity is read against the question's own background: how similar it is to
texts in the passage's language, drawn from the index at random. In standard deviations above that it is the *standing* of a
passage, and the threshold is the standing that the nearest of all unrelated texts in the index is expected to reach.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

_LOWEST = 1e-6
_TYPICAL = 0.95
_FEWEST, _MOST = 200, 4000


@dataclass(frozen=True, slots=True)
class Measure:
    """What is usual for one question: mean and deviation of its similarities to unrelated texts, and the threshold."""

    mean: float
    deviation: float
    threshold: float

    def standing(self, cosine: float) -> float:
        """In thresholds: 1 is related."""
        return (cosine - self.mean) / self.deviation / self.threshold


@dataclass(frozen=True, slots=True)
class Yardstick:
    """Texts that questions are compared with: `vectors` has shape (n, dimension), `threshold` is a standing."""

    vectors: NDArray[np.float32]
    threshold: float

    def measure(self, question: NDArray[np.float32]) -> Measure:
        """What is usual for this question."""
        usual = self.vectors @ question
        return Measure(float(usual.mean()), max(float(usual.std()), _LOWEST), self.threshold)


@dataclass(frozen=True, slots=True)
class Background:
    """A yardstick for each language of the passages; that of None serves all others."""

    yardsticks: Mapping[str | None, Yardstick]

    def measures(self, question: NDArray[np.float32]) -> dict[str | None, Measure]:
        """What is usual for this question, by language of the passage."""
        return {language: yardstick.measure(question) for language, yardstick in self.yardsticks.items()}


def spread(vectors: NDArray[np.float32], owners: Sequence[int]) -> float:
    """How far unrelated texts stand out with this embedder, as a multiple of the normal distribution; 0 when there are no pairs.

    `vectors` have length 1 and shape (n, dimension); two of different `owners` (documents) count as unrelated. Some pairs of
    documents are about the same thing after all: hence the 95th percentile, which one pair in twenty does not move.
    """
    owner = np.asarray(owners)
    cosines = np.where(owner[:, None] != owner[None, :], vectors @ vectors.T, np.nan)
    cosines = cosines[np.isfinite(cosines).sum(1) > 1]
    if not len(cosines):
        return 0.0
    deviation = np.maximum(np.nanstd(cosines, 1, keepdims=True), _LOWEST)
    standings = (cosines - np.nanmean(cosines, 1, keepdims=True)) / deviation
    return float(np.nanpercentile(standings, 100 * _TYPICAL)) / NormalDist().inv_cdf(_TYPICAL)


def threshold(spread_: float, chunks: int) -> float:
    """The standing above which one unrelated text is expected among `chunks` texts: an extreme of the normal distribution.

    Few chunks count as 200, lest an index of three finds everything related; many as 4,000: what is related does not stand
    higher because there is more to read.
    """
    return spread_ * NormalDist().inv_cdf(1 - 1 / min(max(chunks, _FEWEST), _MOST))
