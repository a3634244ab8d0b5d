"""Every sentence in both languages: none missing, none left over, none with other blanks, none said that does not exist."""

from __future__ import annotations

import ast
import io
import re
import string
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_file
from babel.messages.pofile import read_po, write_po

from bot.people.people import Person
from bot.replies import _MODEL_ERRORS as MODEL_ERRORS
from bot.speech.chosen_language import language_for
from bot.speech.english import SENTENCES, counted, sentence
from bot.speech.sentences import as_language, keys, say, translated
from tests.bot.house import message

ROOT = Path(__file__).parents[3]
CATALOGUE = ROOT / "bot" / "speech" / "locales" / "fr" / "LC_MESSAGES" / "grillon.po"
KEYWORDS = {"sentence": ((1, "c"), 2), "counted": ((1, "c"), 2, 3), "Command": ((1, "c"), 2), "Argument": ((1, "c"), 2)}
"""What `make words` tells Babel."""


def extracted(path: Path) -> list[tuple[str, tuple[str, ...]]]:
    """What stands in a file: context, then the sentence, or its singular and plural."""
    found = extract_from_file("python", path, keywords=KEYWORDS)
    return [(str(context), _texts(text)) for _, text, _, context in found]


def faults(catalogue: Catalog, source: set[tuple[str, tuple[str, ...]]]) -> list[str]:
    """What is wrong with a catalogue: missing, fuzzy, left over, empty, or with other blanks."""
    held = {(str(entry.context), _texts(entry.id)): entry for entry in catalogue if entry.id}
    found = [f"missing: {key}" for key in source - held.keys()] + [f"left over: {key}" for key in held.keys() - source]
    for (context, english), entry in held.items():
        found += [f"fuzzy: {context}"] * entry.fuzzy
        french = _texts(entry.string)
        found += [f"forms: {context}"] * (len(french) != (catalogue.num_plurals if entry.pluralizable else 1))
        found += [f"empty: {context}"] * (not all(text.strip() for text in french))
        found += [f"blanks: {context}"] * ({blanks(text) for text in french} != {blanks(english[-1])})
    return found


def blanks(text: str) -> frozenset[str]:
    return frozenset(name for _, name, _, _ in string.Formatter().parse(text) if name is not None)


def _texts(text: str | tuple[str, ...] | list[str] | None) -> tuple[str, ...]:
    return (text or "",) if isinstance(text, str | None) else tuple(text)


def source() -> set[tuple[str, tuple[str, ...]]]:
    return {*extracted(ROOT / "bot" / "speech" / "english.py"), *extracted(ROOT / "bot" / "commands.py")}


def french() -> Catalog:
    return read_po(io.BytesIO(CATALOGUE.read_bytes()), locale="fr", abort_invalid=True)


def test_every_sentence_has_its_translation() -> None:
    assert faults(french(), source()) == []
    assert not french().obsolete


@pytest.mark.parametrize("fault", ["missing", "left over", "fuzzy", "empty", "blanks", "forms"])
def test_a_faulty_catalogue_is_seen(fault: str) -> None:
    """The check itself can fail, in each of its ways."""
    catalogue = french()
    entry = catalogue.get("The nearest: {titles}.", context="nearest")
    many = catalogue.get("{name}: {count} document", context="collection")
    assert isinstance(entry, Message)
    assert isinstance(many, Message)
    if fault == "missing":
        catalogue.delete(entry.id, context="nearest")
    elif fault == "left over":
        catalogue.add("Nobody says this.", "Personne ne le dit.", context="nobody")
    elif fault == "fuzzy":
        entry.flags.add("fuzzy")
    elif fault == "empty":
        entry.string = " {titles}"[:1]
    elif fault == "blanks":
        entry.string = "Le plus proche : {titres}."
    else:
        many.string = ("{name} {count}",)
    assert any(found.startswith(fault) for found in faults(catalogue, source()))


def test_the_source_is_extracted_whole() -> None:
    """What Babel finds in the source is what the program says: nothing is computed, and nothing is called twice."""
    found = extracted(ROOT / "bot" / "speech" / "english.py")
    assert {key: texts if len(texts) > 1 else texts[0] for key, texts in found} == SENTENCES
    assert len(found) == len(SENTENCES)
    assert all(blanks(one) | {"count"} == blanks(many) | {"count"} for _, (one, many) in filter(lambda it: len(it[1]) > 1, found))


def test_a_key_stands_for_one_sentence() -> None:
    with pytest.raises(ValueError, match="nearest"):
        sentence("nearest", "Another one.")
    with pytest.raises(ValueError, match="nearest"):
        counted("nearest", "One.", "Many.")


def test_every_sentence_in_code_exists_and_is_of_use() -> None:
    said = set(_said())
    assert said <= keys(), f"said, but not in bot/speech/english.py: {said - keys()}"
    words = {word for path in sources() if path.name != "english.py" for word in _strings(path)}
    codes = {*MODEL_ERRORS.values(), "model_loading", "model_slow"}
    named = words | codes | {f"{code}_{provider}" for code in codes for provider in ("openai", "embedded")}
    composed = tuple(_beginnings())
    left = {key for key in keys() - named if not key.startswith(composed)}
    assert not left, f"never said: {left}"


def sources() -> Iterator[Path]:
    """All code that says something: the platforms are given `say`."""
    yield from (ROOT / "bot").rglob("*.py")
    yield from (ROOT / "adapters").rglob("*.py")


def _said() -> Iterator[str]:
    """The keys that stand in calls of `say`, `said`."""
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and _name(node.func) in {"say", "said", "_say"} and node.args:
                yield from _literals(node.args[0])


def _beginnings() -> Iterator[str]:
    """How keys begin that are put together: `waiting_` of f"waiting_{reason}"."""
    for path in (ROOT / "bot").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            first = node.values[0] if isinstance(node, ast.JoinedStr) and node.values else None
            if isinstance(first, ast.Constant) and str(first.value).endswith("_"):
                yield str(first.value)


def _literals(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.IfExp):
        yield from (*_literals(node.body), *_literals(node.orelse))
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _strings(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_each_sentence_can_be_said() -> None:
    for key, english in SENTENCES.items():
        names = blanks(english if isinstance(english, str) else english[1])
        for count in (0, 1, 2, 1_000_000):
            filled = {name: count if name == "count" else f"<{name}>" for name in names}
            texts = say(key, "en", **filled), say(key, "fr", **filled)
            assert all(f"<{name}>" in text for text in texts for name in names - {"count"})
            words = re.sub(r"<\w+>|\W|\d", "", texts[0])
            assert texts[0] != texts[1] or len(words) <= 3, key  # units and symbols are alike


def test_a_sentence_counts() -> None:
    assert [say("status_waiting", "en", count=count) for count in (0, 1, 2)] == [
        "0 questions are waiting for their turn.",
        "1 question is waiting for its turn.",
        "2 questions are waiting for their turn.",
    ]
    assert [say("status_waiting", "fr", count=count) for count in (0, 1, 2)] == [
        "0 question attend son tour.",
        "1 question attend son tour.",
        "2 questions attendent leur tour.",
    ]


def test_what_is_not_translated_is_said_in_english() -> None:
    assert translated("no such context", "Words", "fr") == "Words"


def test_a_sentence_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(KeyError):
        say("no such sentence", "en")
    with pytest.raises(KeyError):
        say("nearest", "fr")


def test_a_blank_is_data() -> None:
    """What fills a blank is never itself a sentence with blanks."""
    assert (
        say("nearest", "fr", titles="{count} %s {0.__class__}") == "Le plus proche\N{NO-BREAK SPACE}: {count} %s {0.__class__}."
    )


def test_french_marks_stay_on_the_line_of_their_word() -> None:
    told = say("model_loading", "fr", model="a ; b")
    assert "minute\N{NO-BREAK SPACE}; «\N{NO-BREAK SPACE}ollama ps\N{NO-BREAK SPACE}» montre" in told
    assert "a ; b" in told, "what fills a blank is data"
    assert say("collection", "fr", name="x", count=2) == "x\N{NO-BREAK SPACE}: 2 documents"
    assert translated("name", "a collection; without it: all", "fr").count("\N{NO-BREAK SPACE}") == 2
    every = [say(key, "fr", **dict.fromkeys(blanks(_texts(one)[-1]), 2)) for key, one in SENTENCES.items()]
    assert [text for text in every if re.search(r" [:;!?»]|« ", text)] == []


@pytest.mark.parametrize(("locale", "language"), [("fr-CA", "fr"), ("en_GB", "en"), ("de", None), (None, None), ("", None)])
def test_a_locale_names_a_language(locale: str | None, language: str | None) -> None:
    assert as_language(locale) == language


@pytest.mark.parametrize(
    ("text", "locale", "chosen", "language"),
    [
        ("Where is the key of the cellar?", "fr", "fr", "fr"),
        ("Where is the key of the cellar?", "fr", None, "en"),
        ("Où est la clé de la cave ?", "en-US", None, "fr"),
        ("Wi-Fi?", "fr-FR", None, "fr"),
        ("/reset", "fr-FR", None, "fr"),
        ("Wi-Fi?", "de", None, "en"),
        ("Wo ist der Schlüssel von dem Keller?", None, None, "en"),
    ],
)
def test_the_language_of_a_reply(text: str, locale: str | None, chosen: Literal["en", "fr"] | None, language: str) -> None:
    """The person's choice, else the question's, else the platform's, else the settings'."""
    assert language_for(replace(message("1", text), locale=locale), Person(1, None, False, chosen), "en") == language


def test_english_costs_no_catalogue() -> None:
    """Neither `grillon --help` nor an English sentence imports Babel."""
    script = (
        "import sys, bot.command_line, bot.commands, bot.speech.sentences as s; s.say('greeting', 'en'); "
        "bot.commands.help_text('en'); assert 'babel' not in sys.modules; s.say('greeting', 'fr'); assert 'babel' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, timeout=60)


def test_what_translators_write_stays_as_it_is() -> None:
    """The catalogue is in the form that `make words` leaves, so that a change shows only what changed."""
    written = io.BytesIO()
    write_po(written, french(), width=130, no_location=True)
    known = [line for line in CATALOGUE.read_text().splitlines() if not line.startswith('"') or "-" not in line]
    made = [line for line in written.getvalue().decode().splitlines() if not line.startswith('"') or "-" not in line]
    assert made == known
