"""Replies: numbers that agree with the prompt, refusals that name the nearest, a fitting sentence for each failure."""

import ast
from pathlib import Path

import pytest

from bot.replies import failure, reason, refusal, reply_of
from knowledge import errors
from knowledge.types import Answer, Citation, Passage


def passage(n: int, *headings: str, page: int | None = None) -> Passage:
    return Passage(n, n, "house", f"{n}.md", f"Title {n}", (f"Title {n}", *headings), page, None, "x" * 3000, 0.5)


def test_consulted_passages_keep_the_numbers_of_the_prompt() -> None:
    passages = [passage(n) for n in range(1, 6)]
    answer = Answer("Yes [2][4].", (Citation(2, passages[1]), Citation(4, passages[3])), (passages[0], passages[2], passages[4]))
    reply = reply_of(answer, "en")
    assert [source.n for source in reply.citations] == [2, 4]
    assert [(source.n, source.document) for source in reply.consulted] == [(1, "1.md"), (3, "3.md"), (5, "5.md")]


def test_a_source_says_where_it_stands_and_is_bounded() -> None:
    reply = reply_of(Answer("", consulted=(passage(1, "Boiler", "Reset", page=3),)), "fr")
    assert reply.consulted[0].locator == "Boiler › Reset › p. 3"
    assert len(reply.consulted[0].excerpt) <= 1200
    assert "Title 1 › Boiler › Reset › p. 3" in reply.text


def test_a_refusal_names_the_nearest_once() -> None:
    reply = refusal([passage(1, "Bins"), passage(1, "Bins"), passage(2)], "fr")
    assert reply.refused
    assert reply.text.count("Title 1 › Bins") == 1
    assert "Title 1 › Bins\N{NO-BREAK SPACE}; Title 2" in reply.text


@pytest.mark.parametrize(
    ("error", "provider", "code", "remedy"),
    [
        (errors.ModelUnreachableError("no", address="http://a"), "ollama", "model_unreachable", "systemctl start ollama"),
        (errors.ModelUnreachableError("no", address="http://a"), "openai", "model_unreachable", "Start it, then"),
        (errors.ModelMissingError("no", model="m"), "ollama", "model_missing", "ollama pull m"),
        (errors.ModelMissingError("no", model="m", address="http://a"), "openai", "model_missing", "http://a has no model m"),
        (errors.ModelMissingError("pip install x", model="m"), "embedded", "model_missing", "pip install x"),
        (errors.ModelSlowError("no", step="load", model="m"), "ollama", "model_loading", "ollama ps"),
        (errors.ModelSlowError("no", step="next_token", model="m"), "ollama", "model_slow", "grillon doctor"),
        (errors.IndexUnavailableError("no"), "ollama", "index_unavailable", "grillon status"),
    ],
)
def test_each_failure_has_its_sentence_with_what_mends_it(
    error: errors.KnowledgeError, provider: str, code: str, remedy: str
) -> None:
    reply = failure(error, "en", provider)
    assert reply.error == code
    assert remedy in reply.text


READERS = Path(__file__).parents[2] / "knowledge" / "readers"
OF_THE_HOUSE = {"it is not a regular file", "this account may not read it"}
"""What a file of a folder may be, and one that was sent is not."""


def reasons() -> set[str]:
    """What the readers say of a file, but for limits, which have numbers in them."""
    calls = [one for path in READERS.glob("*.py") for one in ast.walk(ast.parse(path.read_text())) if isinstance(one, ast.Call)]
    named = [one for one in calls if isinstance(one.func, ast.Name) and one.func.id == "UnreadableError"]
    return {str(one.args[0].value) for one in named if isinstance(one.args[0], ast.Constant)} - OF_THE_HOUSE


def test_why_a_file_cannot_be_read_is_said_in_french() -> None:
    """The readers speak English; each of their reasons has its own words, and an unforeseen one is not shown."""
    assert len(reasons()) >= 9
    said = {english: reason(english, "fr") for english in (*reasons(), "it has 3 GB")}
    assert len(set(said.values())) == len(said)
    assert not set(said) & set(said.values())
    assert said["it is protected by a password"] == "il est protégé par un mot de passe"
    assert reason("it has 3 GB", "en") == "it has 3 GB"


def test_what_a_server_says_of_its_model_is_english() -> None:
    error = errors.ModelUnfitError("it runs on ollama.com", model="m")
    assert "ollama.com" in failure(error, "en", "ollama").text
    told = failure(error, "fr", "ollama").text
    assert "grillon doctor" in told
    assert "ollama.com" not in told
