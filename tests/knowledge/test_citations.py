import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.citations import CitationStream


def through(text: str, passages: int, size: int = 3) -> tuple[str, list[int]]:
    stream = CitationStream(passages)
    shown = "".join(stream.feed(text[start : start + size]) for start in range(0, len(text), size)) + stream.end()
    return shown, stream.cited


@pytest.mark.parametrize(
    ("text", "shown", "cited"),
    [
        ("Le mardi [2].", "Le mardi [2].", [2]),
        ("Tuesday [1][3] and [1].", "Tuesday [1][3] and [1].", [1, 3]),
        ("Both [1, 2].", "Both [1][2].", [1, 2]),
        ("All [1-3].", "All [1][2][3].", [1, 2, 3]),
        ("Invented [7].", "Invented.", []),
        ("Half [2, 9].", "Half [2].", [2]),
        ("Wide 【1】 [Passage 2] [^3] [source: 1]", "Wide [1] [2] [3] [1]", [1, 2, 3]),
        ("Zero [0] and [000].", "Zero and.", []),
        ("A list [a, b] and x[i] stay.", "A list [a, b] and x[i] stay.", []),
        ("A link [here](http://x) stays.", "A link [here](http://x) stays.", []),
        ("Ends with an open [1", "Ends with an open [1", []),
        ("A line's end [1\n] is none.", "A line's end [1\n] is none.", []),
        ("A line.\n[2] A line.", "A line.\n[2] A line.", [2]),
        ("So many [1, 2, 3, 1, 2, 3, 1, 2, 3].", "So many [1, 2, 3, 1, 2, 3, 1, 2, 3].", []),
        ("A backwards range [3-1].", "A backwards range [3][1].", [3, 1]),
    ],
)
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_citations_are_checked_against_the_passages(text: str, shown: str, cited: list[int], size: int) -> None:
    assert through(text, 3, size) == (shown, cited)


def test_a_citation_without_a_passage_is_not_shown_for_a_moment() -> None:
    stream = CitationStream(1)
    seen = [stream.feed(piece) for piece in ("See ", "[", "9", "]", " now")]
    assert "9" not in "".join(seen)


@given(st.text(alphabet="ab [](),-123456789【】\n", max_size=200), st.integers(1, 7), st.integers(0, 5))
def test_however_it_is_cut_the_words_and_citations_are_the_same(text: str, size: int, passages: int) -> None:
    assert through(text, passages, size)[1] == through(text, passages, 10_000)[1]
    shown, cited = through(text, passages, size)
    assert all(1 <= n <= passages for n in cited)
    assert "".join(shown.split()) == "".join(through(text, passages, 10_000)[0].split())


def test_a_bracket_that_never_closes_is_not_held_for_ever() -> None:
    stream = CitationStream(3)
    assert stream.feed("[" + "x" * 30) != ""
