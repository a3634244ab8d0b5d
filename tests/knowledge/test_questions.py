"""The vectors of a question that is longer than the embedder's window."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from knowledge.questions import vectors_of
from tests.rigs.embedder import HashedEmbedder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SENTENCE = "Dear customer, the warranty asks for a visit each year."
PASTE = f"{SENTENCE} " * 100


class Listening(HashedEmbedder):
    """Keeps what it was asked for."""

    def __init__(self) -> None:
        super().__init__(window=20)
        self.asked: list[str] = []

    def vector(self, text: str) -> NDArray[np.float32]:
        self.asked.append(text)
        return super().vector(text)


@pytest.mark.parametrize(
    ("question", "pieces"),
    [
        ("When is the boiler serviced?", ["When is the boiler serviced?"]),
        (f"When is the boiler serviced? {PASTE}", ["When is the boiler serviced?", SENTENCE]),
        (f"{PASTE}\nWhen is the boiler serviced?", [SENTENCE, "When is the boiler serviced?"]),
        (f"Hello!\n{PASTE}Is that so? {PASTE}\nYours, Bob", [SENTENCE, "Is that so?"]),
        (f"Why? {PASTE}How? When? {PASTE}Who? Where?", ["Why?", "How?", "When?", "Where?"]),
        ("Où ? " * 500, ["Où ?"]),
        (f"begin {'word ' * 200}end", ["begin word word word word word word word word word word", "word word word end"]),
        ("\n" * 500, ["\n"]),
    ],
)
async def test_of_a_long_question_what_somebody_asks_is_taken(question: str, pieces: list[str]) -> None:
    embedder = Listening()
    assert len(await vectors_of(embedder, question)) == len(embedder.asked) == len(pieces)
    assert all(asked.startswith(piece) or asked.endswith(piece) for asked, piece in zip(embedder.asked, pieces, strict=True))
