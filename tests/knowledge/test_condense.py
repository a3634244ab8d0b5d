import pytest

from knowledge.condense import condense, stands_alone
from knowledge.types import PastTurn


@pytest.mark.parametrize(
    "question",
    [
        "Quand sort-on la poubelle jaune ?",
        "What is the pressure of the rear tyres?",
        "Y a-t-il une piscine ouverte le lundi ?",
        "Is there a spare key for the garage?",
        "Comment redémarrer la chaudière ?",
        "Who do I call when the septic tank overflows?",
    ],
)
def test_a_question_that_names_its_subject_stands_alone(question: str) -> None:
    assert stands_alone(question)


@pytest.mark.parametrize(
    "question",
    [
        "Et la nuit ?",
        "Why is that?",
        "Combien coûte-t-elle ?",
        "And on Sunday mornings in winter?",
        "Pourquoi ?",
        "How often does it run?",
    ],
)
def test_a_follow_up_leans_on_what_came_before(question: str) -> None:
    assert not stands_alone(question)


def test_a_follow_up_is_searched_with_the_last_question_that_stood_alone() -> None:
    turns = [
        PastTurn("Who feeds the cat?", "Marie"),
        PastTurn("Where is the fuse box of the garage?", "Behind the door"),
        PastTurn("And the other?", "Upstairs"),
    ]
    assert condense("Why is it there?", turns) == "Where is the fuse box of the garage?\nWhy is it there?"


def test_without_an_earlier_turn_nothing_is_added() -> None:
    assert condense("Et la nuit ?", []) == "Et la nuit ?"


def test_a_question_that_stands_alone_is_searched_as_it_is() -> None:
    assert condense("Where is the fuse box?", [PastTurn("Who feeds the cat?", "Marie")]) == "Where is the fuse box?"
