"""When is a passage related to a question? Calibrated for each embedder from pairs of texts that are not.

Cosines mean something else with every model, and shift with the language of the question: e5 gives unrelated texts 0.74, and
0.72 when the question is Spanish and the passage English. So a similarity is read against the question's own background: how
similar it is to texts drawn from the index at random. In standard deviations above that it is the *standing* of a passage, and
the threshold is the standing that the nearest of unrelated texts reaches half of the time.
"""

from __future__ import annotations

from dataclasses import dataclass
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


def threshold(vectors: NDArray[np.float32], owners: Sequence[int]) -> float:
    """The standing that the nearest unrelated text reaches half of the time.

    `vectors` have length 1 and shape (n, dimension); two of different `owners` (documents) count as unrelated. Each text is
    the question once. Some pairs of documents are about the same thing, hence the median.
    """
    owner = np.asarray(owners)
    cosines = np.where(owner[:, None] != owner[None, :], vectors @ vectors.T, np.nan)
    cosines = cosines[np.isfinite(cosines).sum(1) > 1]
    if not len(cosines):
        return 0.0
    deviation = np.maximum(np.nanstd(cosines, 1), _LOWEST)
    return float(np.median((np.nanmax(cosines, 1) - np.nanmean(cosines, 1)) / deviation))
