"""The language guess: right on short questions, silent rather than wrong."""

from __future__ import annotations

import time

import pytest

from knowledge.language import language_of

FRENCH = [
    "Où est le compteur d'eau ?",
    "Comment réarmer la chaudière ?",
    "Quand passe le camion des recyclables ?",
    "À quelle heure ouvre la piscine ?",
    "Que faire en cas de fuite ?",
    "Quel est le code du portail ?",
    "Qu’est-ce qu’il faut donner au chat le soir ?",
    "Impayés de factures (électricité ou gaz, eau) : quelles conséquences ?",
    "bonjour",
]
ENGLISH = [
    "Where is the fuse box?",
    "How do I reset the boiler?",
    "When are the bins collected?",
    "What's the Wi-Fi password?",
    "tyre pressure of the estate car when it is loaded",
    "Don't forget the ferns",
    "thanks",
]
NEITHER = [
    "",
    "Wi-Fi?",
    "404",
    "🦗🦗🦗",
    "¿Cuántos puntos cedió la defensa de los Panthers?",
    "¿En qué año se fundó la universidad?",
    "Wann wird die Heizung gewartet und wer hat den Schlüssel?",
    "Dove sono le chiavi della macchina?",
    "Onde estão as chaves da casa?",
    "ボイラーの再起動方法は何ですか",
]


@pytest.mark.parametrize("text", FRENCH)
def test_french(text: str) -> None:
    assert language_of(text) == "fr"


@pytest.mark.parametrize("text", ENGLISH)
def test_english(text: str) -> None:
    assert language_of(text) == "en"


@pytest.mark.parametrize("text", NEITHER)
def test_neither(text: str) -> None:
    assert language_of(text) is None


def test_a_long_text_costs_no_more_than_its_beginning() -> None:
    long = "the boiler and the house " * 400_000
    begun = time.process_time()
    assert language_of(long) == "en"
    assert time.process_time() - begun < 0.05


def test_capitals_and_curly_apostrophes_change_nothing() -> None:
    assert language_of("OÙ EST L’EAU") == language_of("où est l'eau") == "fr"
