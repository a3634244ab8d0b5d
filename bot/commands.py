"""The one table of commands: what each platform announces, what a person may type, and what /help says are made from it."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from adapters.types import CommandSpec
from bot.speech.sentences import LANGUAGES, Language, say, translated

if TYPE_CHECKING:
    from collections.abc import Collection


@dataclass(frozen=True, slots=True)
class Argument:
    """What follows a command: its name and what it is, in English. `choices` are all values it may have, empty: any."""

    name: str
    english: str
    required: bool = False
    choices: tuple[str, ...] = ()

    def described(self, language: Language) -> str:
        """What it is, in a few words."""
        return translated(self.name, self.english, language)


@dataclass(frozen=True, slots=True)
class Command:
    """A command: its name, what it does in English, and the name that French-speaking people may use besides.

    `owner`: for the owner alone. `private`: answered in private chats alone, because its answer is about one person or several.
    """

    name: str
    english: str
    french: str | None = None
    argument: Argument | None = None
    owner: bool = False
    private: bool = False

    def described(self, language: Language) -> str:
        """What it does, in one line."""
        return translated(self.name, self.english, language)


_ASK = Argument("question", "what you want to know", required=True)
_WORDS = Argument("words", "what to look for", required=True)
_ON_OFF = Argument("mode", "on or off; without it: how it is", choices=("on", "off"))
_SPEECH = Argument("language", "en, fr or auto: as you write", choices=("en", "fr", "auto"))
_CODE = Argument("code", "the code that the other platform showed you")
_STRANGER = Argument("code", "the code that was shown to a stranger", required=True)
_WHO = Argument("who", "a name, or PLATFORM:ID", required=True)
_COLLECTION = Argument("name", "a collection; without it: all")
_MODEL = Argument("name", "a model of /models, or default", required=True)

COMMANDS = (
    Command("ask", "ask the documents a question", "demander", _ASK),
    Command("search", "show passages without asking the model", "chercher", _WORDS),
    Command("sources", "the sources of the last answer"),
    Command("continue", "go on with an answer that was cut", "continuer"),
    Command("retry", "ask the last question again", "réessayer"),
    Command("stop", "stop the answer that is being written", "arrêter"),
    Command("reset", "start a new conversation", "recommencer"),
    Command("collections", "which documents I may use here"),
    Command("status", "how I am", "état"),
    Command("language", "the language I speak with you", "langue", _SPEECH),
    Command("private", "erase what we say as soon as it is sent", "privé", _ON_OFF),
    Command("mydata", "everything stored about you, as a file", "mesdonnées", private=True),
    Command("forget", "erase everything stored about you", "oublier"),
    Command("link", "be the same person on another platform", "lier", _CODE, private=True),
    Command("unlink", "be another person here than elsewhere", "délier", private=True),
    Command("help", "what I can do", "aide"),
    Command("people", "who may talk to me", "personnes", owner=True, private=True),
    Command("approve", "let a stranger talk to me", "accepter", _STRANGER, owner=True),
    Command("block", "let somebody talk to me no more", "bloquer", _WHO, owner=True),
    Command("index", "bring the documents up to date", "indexer", _COLLECTION, owner=True),
    Command("models", "the models that are installed", "modèles", owner=True),
    Command("model", "choose the model that answers", "modèle", _MODEL, owner=True),
)
_START = Command("start", "greet me")
"""What Telegram sends when somebody opens the chat. It needs no announcing."""

_TYPED = re.compile(r"/((?:[^\W\d_][\u0300-\u036f]*){1,32})(?:@\w+)?(?:\s+(.*))?\s*\Z", re.DOTALL)


def _plain(name: str) -> str:
    """A name without capitals and accents: nobody need type those."""
    return "".join(char for char in unicodedata.normalize("NFD", name.lower()) if not unicodedata.combining(char))


_WISHES = {
    "on": ("oui", "yes"),
    "off": ("non", "no"),
    "en": ("english", "anglais"),
    "fr": ("french", "francais"),
}
_BY_NAME = {_plain(name): command for command in (*COMMANDS, _START) for name in (command.name, command.french) if name}


@dataclass(frozen=True, slots=True)
class Typed:
    """A command that a person typed. `command` is None when there is none of that name."""

    name: str
    command: Command | None
    argument: str


def typed(text: str) -> Typed | None:
    """The command in a message, by its English or its French name, None when it is a question.

    Only what a person typed is ever looked at, never a document or what a model wrote.
    """
    match = _TYPED.match(text.strip())
    if match is None:
        return None
    command = _BY_NAME.get(_plain(match[1]))
    return Typed(command.name if command else match[1].lower(), command, (match[2] or "").strip())


def wished(argument: str) -> str:
    """One of the choices of an argument, from what a person may write for it in either language."""
    word = _plain(argument)
    return next((choice for choice, words in _WISHES.items() if word in words), word)


def specs(*, lacking: Collection[str] = ()) -> tuple[CommandSpec, ...]:
    """The commands as platforms announce them, but for what a platform lacks."""
    return tuple(_spec(command) for command in COMMANDS if command.name not in lacking)


def help_text(language: Language, *, owner: bool = False, lacking: Collection[str] = ()) -> str:
    """The list of commands, as a person reads it: those of the owner only for the owner, and not what the platform lacks."""
    shown = (command for command in COMMANDS if command.name not in lacking and (owner or not command.owner))
    named = ((f"/{command.name}{' …' if command.argument else ''}", command.described(language)) for command in shown)
    lines = (say("labelled", language, name=name, what=what) for name, what in named)
    return "\n".join((say("help", language), *lines))


def _spec(command: Command) -> CommandSpec:
    argument = command.argument
    return CommandSpec(
        name=command.name,
        descriptions={language: command.described(language) for language in LANGUAGES},
        names={"fr": command.french} if command.french else {},
        argument=argument.name if argument else None,
        argument_descriptions={language: argument.described(language) for language in LANGUAGES} if argument else {},
        required=bool(argument and argument.required),
        choices=argument.choices if argument else (),
        owner=command.owner,
    )
