"""When is a passage related to a question? Calibrated for each embedder from pairs of texts that are not.

Cosines mean something else with every model, and shift with the language of the question: e5 gives unrelated texts 0.74, and
0.72 when the question is Spanish and the passage English. So a similarity is read against the question's own background: how
similar it is to texts drawn from the index at random. In standard deviations above that it is the *standing* of a passage, and
the threshold is the standing that the nearest of all unrelated texts in the index is expected to reach.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SAMPLE = 384
"""Texts of the background."""
ENOUGH = 128
DOCUMENTS = 16
"""With fewer texts, or documents that they are from, the index is no background of its own: neutral sentences are added."""

_LOWEST = 1e-6
_TYPICAL = 0.95
_FEWEST, _MOST = 200, 4000


@dataclass(frozen=True, slots=True)
class Background:
    """What questions are compared with. `vectors` has shape (n, dimension), `threshold` is a standing."""

    vectors: NDArray[np.float32]
    threshold: float

    def standing(self, question: NDArray[np.float32], cosines: NDArray[np.float32]) -> NDArray[np.float32]:
        """Standard deviations above the background of this question, shape as `cosines`."""
        usual = self.vectors @ question
        standing: NDArray[np.float32] = (cosines - usual.mean()) / max(float(usual.std()), _LOWEST)
        return standing


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
