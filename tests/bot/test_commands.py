"""Commands: what a person may type, what platforms announce, what /help says, in both languages."""

import re

import pytest

from bot.commands import COMMANDS, _plain, help_text, specs, typed, wished
from bot.speech.sentences import Language
from bot.speech.smalltalk import smalltalk


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


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("/réessayer", "retry"),
        ("/reessayer", "retry"),
        ("/RÉESSAYER", "retry"),
        ("/re\u0301essayer", "retry"),
        ("/état", "status"),
        ("/modèle smollm2", "model"),
        ("/modeles", "models"),
        ("/start K7Q2-9XWM", "start"),
    ],
)
def test_french_names_are_understood_with_and_without_accents(text: str, name: str) -> None:
    found = typed(text)
    assert found is not None
    assert found.command is not None
    assert found.name == found.command.name == name


def test_names_are_unambiguous() -> None:
    names = [_plain(name) for command in COMMANDS for name in (command.name, command.french) if name]
    assert len(names) == len(set(names))


def test_help_is_set_as_french_is() -> None:
    assert "\n/sources\N{NO-BREAK SPACE}: les sources" in help_text("fr")


@pytest.mark.parametrize("language", ["en", "fr"])
def test_help_names_every_command(language: Language) -> None:
    text = help_text(language, owner=True)
    assert all(f"/{command.name}" in text for command in COMMANDS)


def test_help_keeps_to_itself_what_is_not_for_the_reader() -> None:
    lines = help_text("en", lacking=("stop",)).splitlines()
    names = {line.split(":")[0].removesuffix(" …") for line in lines[1:]}
    assert names == {f"/{command.name}" for command in COMMANDS if not command.owner and command.name != "stop"}


def test_commands_are_announced_as_the_platforms_want_them() -> None:
    """Discord: names of 1 to 32 small letters, descriptions of 1 to 100 characters; Telegram: names of a to z alone."""
    made = specs()
    assert [spec.name for spec in made] == [command.name for command in COMMANDS]
    for spec in made:
        assert re.fullmatch(r"[a-z]{1,32}", spec.name)
        assert all(re.fullmatch(r"[^\W\d_]{1,32}", name) and name == name.lower() for name in spec.names.values())
        assert spec.descriptions.keys() == {"en", "fr"}
        texts = [*spec.descriptions.values(), *spec.argument_descriptions.values()]
        assert all(1 <= len(text) <= 100 for text in texts)
        assert (spec.argument is None) == (not spec.argument_descriptions)
        assert spec.argument is None or re.fullmatch(r"[a-z]{1,32}", spec.argument)
    assert {spec.name for spec in made if spec.owner} == {"people", "approve", "block", "index", "models", "model"}
    assert "stop" not in {spec.name for spec in specs(lacking={"stop"})}


@pytest.mark.parametrize(
    ("argument", "wish"),
    [("on", "on"), ("OUI", "on"), ("off", "off"), ("Français", "fr"), ("auto", "auto"), ("", ""), ("?", "?")],
)
def test_choices_may_be_written_in_either_language(argument: str, wish: str) -> None:
    assert wished(argument) == wish


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
