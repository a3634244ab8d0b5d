"""Two legs become one order."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from knowledge.fulltext import Words
from knowledge.fuse import diversified, fused, lexical


def array(*values: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.array(values, np.float32)


def test_unknown_words_make_the_lexical_leg_humble() -> None:
    """A Spanish question over English passages: one name is known, five words are not."""
    known = Words(("panthers",), {"panthers": 4.0}, 100)
    mixed = Words(("panthers",), {"panthers": 4.0, "puntos": 5.3, "dejaron": 5.3, "escapar": 5.3}, 100)
    assert lexical(array(4.4), known)[0] == np.float32(0.5)
    assert lexical(array(4.4), mixed)[0] < 0.15
    assert lexical(array(100.0), known)[0] == 1
    assert lexical(array(1.0), Words((), {}, 0))[0] == 0


def test_a_strong_vector_outweighs_a_weak_word_and_words_decide_between_equals() -> None:
    assert fused(array(0.9, 0.4), array(0.0, 0.2)).argmax() == 0
    assert fused(array(0.6, 0.6), array(0.0, 0.5)).argmax() == 1


def test_diversity_passes_over_a_copy() -> None:
    scores, alike = array(1.0, 0.99, 0.8), np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1]], np.float32)
    assert diversified(scores, (0.9 * alike).__getitem__, 2, 0.0) == [0, 1]
    assert diversified(scores, alike.__getitem__, 2, 0.3) == [0, 2]
    assert diversified(scores, alike.__getitem__, 9, 0.3) == [0, 2, 1]
    assert diversified(array(1.0, 1.0, 0.1), alike.__getitem__, 2, 0.0) == [0, 2], "a copy adds nothing at all"


@given(st.lists(st.floats(0, 1, width=32), max_size=12), st.integers(0, 15), st.floats(0, 1))
def test_the_best_is_first_and_nobody_is_chosen_twice(values: list[float], count: int, diversity: float) -> None:
    alike = np.eye(len(values), dtype=np.float32)
    chosen = diversified(array(*values), alike.__getitem__, count, diversity)
    assert len(chosen) == len(set(chosen)) == min(count, len(values))
    if chosen and diversity < 1:
        assert values[chosen[0]] == max(values)
