"""Pieces of attached files: few are given whole, of many the best, in their order, with vectors or without."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from knowledge.attached import ATTACHED, chosen, pieces_of
from knowledge.errors import ModelUnreachableError
from knowledge.types import Chunk, Passage, Reading
from tests.rigs.embedder import HashedEmbedder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TEXTS = [f"Paragraph {n} about gardens and trees." for n in range(30)]
TEXTS[7] = "The warranty of the dishwasher ends in May 2031."
TEXTS[21] = "The dishwasher was bought in Quimper."


def pieces() -> list[Passage]:
    chunks = [Chunk(n, text, ("Invoice",), n + 1, 9) for n, text in enumerate(TEXTS)]
    return pieces_of("invoice.pdf", Reading("", ()), chunks)


def silent() -> HashedEmbedder:
    embedder = HashedEmbedder()
    embedder.error = ModelUnreachableError("gone", model="m", address="a")
    return embedder


def test_a_piece_says_where_it_stands_and_belongs_to_no_document() -> None:
    piece = pieces()[3]
    assert (piece.document_id, piece.collection, piece.title, piece.headings, piece.page) == (
        0, ATTACHED, "invoice.pdf", ("Invoice",), 4,
    )  # fmt: skip


async def test_few_pieces_are_given_whole() -> None:
    few = pieces()[:3]
    assert await chosen("anything", few, silent(), 5) == few


@pytest.mark.parametrize("embedder", [HashedEmbedder(), silent()])
async def test_of_many_the_best_are_given_in_their_order(embedder: HashedEmbedder) -> None:
    given = await chosen("When does the warranty of the dishwasher end?", pieces(), embedder, 2)
    assert [piece.page for piece in given] == [8, 22]
    assert given[0].score > given[1].score


class Translating(HashedEmbedder):
    """Knows one word in two languages, so that it finds what the words cannot."""

    def vector(self, text: str) -> NDArray[np.float32]:
        return super().vector(text.replace("lave-vaisselle", "dishwasher"))


async def test_a_question_over_the_window_of_the_embedder_is_compared_too() -> None:
    letter = "Cher client, nous vous remercions de votre confiance. " * 40
    given = await chosen(f"Et le lave-vaisselle ? {letter}", pieces(), Translating(dimension=8192), 2)
    assert [piece.page for piece in given] == [8, 22]


async def test_a_question_that_names_nothing_gets_the_beginning() -> None:
    assert [piece.page for piece in await chosen("???", pieces(), silent(), 3)] == [1, 2, 3]
