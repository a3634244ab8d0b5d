"""Commands and sentences: what a person may type, in both languages."""

import string

import pytest

from bot.commands import COMMANDS, help_text, typed
from bot.sentences import _SENTENCES as SENTENCES
from bot.sentences import as_language, keys, say
from bot.smalltalk import smalltalk


@pytest.mark.parametrize(
    ("text", "name", "argument"),
    [
        ("/reset", "reset", ""),
        ("  /HELP  ", "help", ""),
        ("/search la chaudière\nbleue", "search", "la chaudière\nbleue"),
        ("/reset@grillon_bot", "reset", ""),
    ],
)
def test_a_command_is_read_with_its_argument(text: str, name: str, argument: str) -> None:
    found = typed(text)
    assert found is not None
    assert found.command is not None
    assert (found.command.name, found.argument) == (name, argument)


@pytest.mark.parametrize("text", ["What is /etc/fstab?", "/etc/fstab ?", "", "/", "// comment", "a /reset", "/re-set it"])
def test_a_question_with_a_slash_is_a_question(text: str) -> None:
    assert typed(text) is None


def test_an_unknown_command_is_known_as_such() -> None:
    found = typed("/dance now")
    assert found is not None
    assert found.command is None


@pytest.mark.parametrize("language", ["en", "fr"])
def test_help_names_every_command(language: str) -> None:
    text = help_text("fr" if language == "fr" else "en")
    assert all(f"/{command.name}" in text for command in COMMANDS)


def test_every_sentence_has_the_same_blanks_in_both_languages() -> None:
    for key, sentences in SENTENCES.items():
        blanks = [{name for _, name, _, _ in string.Formatter().parse(text) if name} for text in sentences]
        assert blanks[0] == blanks[1], key
        assert all(text.strip() for text in sentences), key
    assert keys() == set(SENTENCES)


def test_a_sentence_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(KeyError):
        say("no such sentence", "en")


@pytest.mark.parametrize(("locale", "language"), [("fr-CA", "fr"), ("en_GB", "en"), ("de", None), (None, None), ("", None)])
def test_a_locale_names_a_language(locale: str | None, language: str | None) -> None:
    assert as_language(locale) == language


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("Bonjour !", "greeting"),
        ("hello, grillon", "greeting"),
        ("merci beaucoup", "thanks"),
        ("OK, thanks!", "thanks"),
        ("Bonjour, où est la clé ?", None),
        ("Merci de me dire où est la clé", None),
        ("Hi-fi manual?", None),
    ],
)
def test_a_mere_greeting_is_told_from_a_question(text: str, sentence: str | None) -> None:
    assert smalltalk(text) == sentence
