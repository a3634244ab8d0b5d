"""The words of a question, and what full text finds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Connection, create_engine, delete, insert, update

from knowledge import tables
from knowledge.fulltext import folded, names, search, words_of

if TYPE_CHECKING:
    from collections.abc import Iterator

PASSAGES = [
    ("home", "Chauffage", "La pression de la chaudière doit rester entre 1 et 2 bars."),
    ("home", "Cuisine", "Le filtre du lave-vaisselle se nettoie chaque mois."),
    ("office", "Heating", "The boiler pressure is shown on the dial."),
    ("home", "Jardin", "Les tomates demandent de l'eau, l’été surtout."),
]
BOTH = ("home", "office")


@pytest.fixture
def connection() -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    with engine.begin() as opened:
        tables.metadata.create_all(opened)
        tables.create_fulltext(opened)
        opened.execute(insert(tables.collections), [{"name": name, "readers": "[]"} for name in ("home", "office")])
        for number, (collection, heading, text) in enumerate(PASSAGES, 1):
            stamp = {"size": 1, "mtime_ns": 1, "ctime_ns": 1, "recipe": "r", "version": 1, "staged": 1}
            opened.execute(insert(tables.documents).values(id=number, collection=collection, path=str(number), **stamp))
            values = {"ordinal": 0, "headings": f'["{heading}"]', "text": text, "tokens": 1, "hash": b""}
            opened.execute(insert(tables.chunks).values(id=number, document_id=number, version=1, **values))
        yield opened
    engine.dispose()


def ask(connection: Connection, question: str, *collections: str) -> list[int]:
    return [
        hit.chunk_id for hit in search(connection, words_of(connection, question, collections or BOTH), collections or BOTH, 10)
    ]


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("Qu'est-ce que l'école d’Émile ?", ["ecole", "emile"]),
        ("Where is the Wi-Fi password?", ["wi", "fi", "password"]),
        ("Le Le chat, LE CHAT", ["chat"]),
        ("À quelle heure ferme la mairie le 7 ?", ["heure", "ferme", "mairie", "7"]),
        ("le la les the of and", []),
        ("", []),
        ("naïve_cœur-ﬁn", ["naive", "cœur", "ﬁn"]),
    ],
)
def test_words_are_folded_and_stop_words_left_out(question: str, words: list[str]) -> None:
    assert folded(question) == words


def test_accents_elisions_and_headings_are_found(connection: Connection) -> None:
    assert ask(connection, "pression de la chaudiere") == [1]
    assert ask(connection, "l'ÉTÉ") == [4]
    assert ask(connection, "Où est-il question de jardin ?") == [4]
    assert ask(connection, "boiler") == [3]


@pytest.mark.parametrize(
    "question", ['"', "NEAR(", "a AND (b OR", "tomates*", "text:tomates", "^ - + { }", "'; DROP TABLE chunks", "\0"]
)
def test_no_question_is_syntax(connection: Connection, question: str) -> None:
    assert set(ask(connection, question)) <= {4}


def test_only_live_chunks_of_the_collections_are_found(connection: Connection) -> None:
    assert ask(connection, "boiler", "home") == []
    assert search(connection, words_of(connection, "boiler", BOTH), [], 10) == []
    connection.execute(update(tables.documents).where(tables.documents.c.id == 1).values(version=2))
    assert ask(connection, "chaudière") == []


def test_hits_outside_the_scope_do_not_crowd_out_those_inside(connection: Connection) -> None:
    values = {"document_id": 3, "version": 1, "headings": '["x"]', "tokens": 1, "hash": b"", "page": None}
    rows = [{**values, "id": 100 + n, "ordinal": n, "text": "tomates tomates"} for n in range(50)]
    connection.execute(insert(tables.chunks), rows)
    words = words_of(connection, "tomates", BOTH)
    assert [hit.chunk_id for hit in search(connection, words, ["home"], 5)] == [4]


def test_a_removed_chunk_leaves_the_index(connection: Connection) -> None:
    connection.execute(delete(tables.chunks).where(tables.chunks.c.id == 1))
    assert ask(connection, "chaudière") == []
    assert words_of(connection, "chaudière", BOTH).asked == ()


def test_frequent_words_are_left_out_once_rare_ones_are_there(connection: Connection) -> None:
    values = {"document_id": 2, "version": 1, "headings": '["x"]', "tokens": 1, "hash": b"", "page": None}
    connection.execute(
        insert(tables.chunks), [{**values, "id": 100 + n, "ordinal": n, "text": "filtre propre"} for n in range(20)]
    )
    words = words_of(connection, "filtre propre tomates inconnu", BOTH)
    assert words.asked == ("tomates",)
    assert set(words.weights) == {"filtre", "propre", "tomates", "inconnu"}
    assert words.weights["inconnu"] > words.weights["tomates"] > words.weights["filtre"]
    assert words_of(connection, "filtre", BOTH).asked == ("filtre",), "the only word there is is asked for"


def test_at_most_twelve_words_are_asked_for(connection: Connection) -> None:
    text = " ".join(f"mot{n}" for n in range(30))
    values = {"document_id": 2, "version": 1, "headings": '["x"]', "tokens": 1, "hash": b"", "page": None}
    connection.execute(insert(tables.chunks), [{**values, "id": 100 + n, "ordinal": n, "text": "vide"} for n in range(200)])
    connection.execute(insert(tables.chunks), [{**values, "id": 500, "ordinal": 500, "text": text}])
    assert len(words_of(connection, text, BOTH).asked) == 12


@pytest.mark.parametrize(
    ("question", "named", "holds"),
    [
        ("Quelle est la référence XQ1-4431 ?", {"xq1", "4431"}, True),
        ("4431", {"4431"}, True),
        ("XQ1-9999", {"xq1", "9999"}, False),
        ("Et la pression de 2 bars ?", set(), False),
        ("ZZ9-0000", set(), False),
    ],
)
def test_a_number_or_code_is_held_whole_or_not(connection: Connection, question: str, named: set[str], holds: bool) -> None:
    passage = "Chaudière, référence XQ1-4431, 2 bars."
    values = {"document_id": 2, "version": 1, "headings": '["x"]', "tokens": 1, "hash": b"", "page": None}
    connection.execute(insert(tables.chunks).values(**values, id=100, ordinal=1, text=passage))
    words = words_of(connection, question, BOTH)
    assert words.named == named
    assert names(words, passage) is holds
