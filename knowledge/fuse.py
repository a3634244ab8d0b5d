"""How the two legs become one order: a weighted sum of comparable scores, then as much diversity as was asked for. Pure numpy.

Weighted sum: Bruch, Gai and Ingber, "An Analysis of Fusion Functions for Hybrid Retrieval" (ACM TOIS 2023): a convex
combination of scores brought to one scale by their theoretical bounds beats reciprocal ranks. Diversity: Carbonell and
Goldstein, "The Use of MMR, Diversity-Based Reranking for Reordering Documents and Producing Summaries" (SIGIR 1998).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from knowledge.fulltext import Words

_SATURATION = 2.2
"""BM25 with k1 1.2 gives a word at most k1 + 1 times its weight."""
LEXICAL_WEIGHT = 0.5
_COPY = 0.95


def lexical(scores: NDArray[np.float32], words: Words) -> NDArray[np.float32]:
    """BM25 scores as the share of what a passage that repeats every word of the question would get, 0 to 1.

    A word the index does not know counts with the weight of the rarest: so a question in another language than its passages, of
    which only names are found, gets little from this leg, without anybody asking which language that is.
    """
    best = _SATURATION * sum(words.weights.values())
    return np.clip(scores / best, 0, 1).astype(np.float32) if best else np.zeros_like(scores)


def fused(dense: NDArray[np.float32], words: NDArray[np.float32]) -> NDArray[np.float32]:
    """One score, 0 to 1, of two that are 0 to 1: `dense` counts fully, `words` by its weight."""
    return ((dense + LEXICAL_WEIGHT * words) / (1 + LEXICAL_WEIGHT)).astype(np.float32)


def diversified(
    scores: NDArray[np.float32], alike: Callable[[int], NDArray[np.float32]], count: int, diversity: float
) -> list[int]:
    """Indices of the `count` best, each as different from those before as `diversity` (0 to 1) asks: maximal marginal relevance.

    `alike(n)` is the similarity of candidate n to each, 0 to 1, shape as `scores`. A copy of one that was chosen comes after all
    that are none.
    """
    chosen: list[int] = []
    redundancy = np.zeros(len(scores), np.float32)
    while len(chosen) < min(count, len(scores)):
        marginal = (1 - diversity) * scores - diversity * redundancy - (redundancy >= _COPY)
        marginal[chosen] = -np.inf
        best = int(marginal.argmax())
        chosen.append(best)
        redundancy = np.maximum(redundancy, alike(best))
    return chosen
