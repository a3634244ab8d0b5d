"""The one table of commands: their names, what they do, in English and in French. Every door is made from it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bot.sentences import Language, say


@dataclass(frozen=True, slots=True)
class Command:
    """A command as people type it. `argument` names what follows it, None when nothing does."""

    name: str
    english: str
    french: str
    argument: str | None = None

    def described(self, language: Language) -> str:
        """What it does, in one line."""
        return self.french if language == "fr" else self.english


COMMANDS = (
    Command("help", "what I can do", "ce que je sais faire"),
    Command("search", "show passages without asking the model", "montrer des passages sans passer par le modèle", "words"),
    Command("sources", "the sources of the last answer", "les sources de la dernière réponse"),
    Command("continue", "go on with an answer that was cut", "poursuivre une réponse coupée"),
    Command("reset", "start a new conversation", "commencer une nouvelle conversation"),
    Command("forget", "erase everything stored about you", "effacer tout ce qui est enregistré à votre sujet"),
)
_BY_NAME = {command.name: command for command in COMMANDS}
_TYPED = re.compile(r"/([a-zA-Z]{1,32})(?:@\w+)?(?:\s+(.*))?\s*\Z", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Typed:
    """A command that a person typed. `command` is None when there is none of that name."""

    name: str
    command: Command | None
    argument: str


def typed(text: str) -> Typed | None:
    """The command in a message, None when it is a question. Only a person's own message is ever looked at."""
    match = _TYPED.match(text.strip())
    if match is None:
        return None
    name = match[1].lower()
    return Typed(name, _BY_NAME.get(name), (match[2] or "").strip())


def help_text(language: Language) -> str:
    """The list of commands, as a person reads it."""
    lines = [f"/{command.name}{' …' if command.argument else ''}: {command.described(language)}" for command in COMMANDS]
    return "\n".join((say("help", language), *lines))
