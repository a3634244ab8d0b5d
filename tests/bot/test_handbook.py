"""The demonstration's handbook: what it promises about itself is true, and its questions have their answers in it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import bot.demo
from bot.demo import make_pdf
from knowledge.language import language_of
from knowledge.readers import Limits, read_file

if TYPE_CHECKING:
    from knowledge.types import Reading

FOLDER = Path(bot.demo.__file__).parent
QUESTIONS: dict[str, list[dict[str, Any]]] = tomllib.loads((FOLDER / "questions.toml").read_text(encoding="utf-8"))
WORDS_A_PAGE = 400


@pytest.fixture(scope="module")
def handbook() -> dict[str, Reading]:
    return {path.name: read_file(path, Limits()) for path in sorted((FOLDER / "handbook").iterdir())}


def flat(reading: Reading) -> str:
    """The words of a document, markup of emphasis left out."""
    return " ".join(" ".join((*section.headings, section.text)) for section in reading.sections).replace("**", "")


def squeezed(text: str) -> str:
    return " ".join(text.split())


def test_it_has_the_size_and_the_formats_it_should(handbook: dict[str, Reading]) -> None:
    suffixes = [Path(name).suffix for name in handbook]
    assert (suffixes.count(".md"), suffixes.count(".html"), suffixes.count(".pdf")) == (12, 3, 1)
    pdf = handbook["appareils-appliances.pdf"]
    pages = pdf.sections[-1].page or 0
    words = sum(len(flat(reading).split()) for reading in handbook.values() if reading is not pdf)
    assert pages > 3
    assert 15 <= pages + words / WORDS_A_PAGE <= 30


def test_it_speaks_both_languages(handbook: dict[str, Reading]) -> None:
    languages = [reading.language for name, reading in handbook.items() if not name.endswith(".pdf")]
    assert None not in languages
    assert min(languages.count("fr"), languages.count("en")) >= 7


@pytest.mark.parametrize("entry", QUESTIONS["questions"], ids=lambda entry: entry["question"])
def test_a_question_is_answered_by_its_document_alone(handbook: dict[str, Reading], entry: dict[str, Any]) -> None:
    holding = [name for name, reading in handbook.items() if entry["phrase"] in squeezed(flat(reading))]
    assert holding == [entry["document"]]
    assert language_of(entry["question"]) == entry["language"]


def test_there_are_enough_questions_of_each_kind() -> None:
    for language in ("fr", "en"):
        assert sum(entry["language"] == language for entry in QUESTIONS["questions"]) == 20
        assert sum(entry["language"] == language for entry in QUESTIONS["unanswerable"]) == 5
    asked = [entry["question"] for entries in QUESTIONS.values() for entry in entries]
    assert len(set(asked)) == len(asked)
    assert {entry["document"] for entry in QUESTIONS["questions"]} == {path.name for path in (FOLDER / "handbook").iterdir()}


def test_the_manual_is_made_of_its_text(tmp_path: Path) -> None:
    make_pdf.make(tmp_path / "manual.pdf")
    shipped = (FOLDER / "handbook" / "appareils-appliances.pdf").read_bytes()
    made = (tmp_path / "manual.pdf").read_bytes()
    assert squeezed(flat(read_file(tmp_path / "manual.pdf", Limits()))) == squeezed(
        flat(read_file(FOLDER / "handbook" / "appareils-appliances.pdf", Limits()))
    )
    assert b"/CreationDate (D:2000" in made
    assert b"/CreationDate (D:2000" in shipped


def test_its_telephone_numbers_are_those_set_aside_for_fiction(handbook: dict[str, Reading]) -> None:
    numbers = re.findall(r"\b0[1-9](?: \d\d){4}\b", " ".join(squeezed(flat(reading)) for reading in handbook.values()))
    assert len(numbers) > 20
    assert all(re.match(r"01 99 00|02 61 91|05 36 49|06 39 98", number) for number in numbers)
