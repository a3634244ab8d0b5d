"""Replies: numbers that agree with the prompt, refusals that name the nearest, a fitting sentence for each failure."""

import pytest

from bot.replies import failure, refusal, reply_of
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
    assert "Title 2" in reply.text


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
