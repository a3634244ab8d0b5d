"""One language for conversations: steps that a person takes, played at any door, and what must be the same at each of them.

A scenario is a list of steps. `play` takes them one after the other at one door, and returns what is remembered and what the
model was asked after each. A door that lacks something gets the nearest: who cannot edit a question hangs up and asks anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from tests.rigs.seats import DiscordQuestion, DiscordSeat, Question, Seat, TelegramQuestion

if TYPE_CHECKING:
    from tests.rigs.daemon import Daemon
    from tests.rigs.ollama import Ollama

Ask = Callable[[str], Awaitable[str]]
_PATIENCE_S = 20.0
_THINKS_S = 1.0
"""While something is stopped or edited, the model thinks that long: nobody has to be quick."""


@dataclass(frozen=True, slots=True)
class Say:
    """Say something, a question or a command. `hears`: what is in the answer; `not_hears`: what is not."""

    text: str
    hears: str = ""
    not_hears: str = ""


@dataclass(frozen=True, slots=True)
class Stop:
    """Ask, and stop the answer while the model is at it."""

    text: str


@dataclass(frozen=True, slots=True)
class Edit:
    """Ask, and change the question while the model is at it."""

    text: str
    into: str
    hears: str = ""


Step = Say | Stop | Edit


class Door(Protocol):
    """Where the scenario is played. `person` selects the person of the database who talks there, `space` the conversation."""

    @property
    def name(self) -> str:
        """What it is called in failures."""

    @property
    def person(self) -> tuple[str, tuple[str, ...]]:
        """A query for the id of the person, and its values."""

    @property
    def space(self) -> str:
        """The space of the conversation."""

    async def say(self, text: str) -> str:
        """Say something and return what is heard in the end."""

    async def stop(self, text: str, asked: Callable[[], Awaitable[None]]) -> None:
        """Ask, and stop it once `asked` returns: then the model has the question."""

    async def edit(self, text: str, into: str, asked: Callable[[], Awaitable[None]]) -> str:
        """Ask, change it into something else once `asked` returns, and return what is heard in the end."""


@dataclass
class ChatDoor:
    """A private chat on Discord or Telegram."""

    seat: Seat
    space: str = "private"

    @property
    def name(self) -> str:
        return self.seat.name

    @property
    def person(self) -> tuple[str, tuple[str, ...]]:
        platform = "discord" if isinstance(self.seat, DiscordSeat) else "telegram"
        return "SELECT person_id FROM identities WHERE platform = ? AND user = ?", (platform, str(self.seat.person.id))

    async def say(self, text: str) -> str:
        return await self._heard(self.seat.say(text))

    async def stop(self, text: str, asked: Callable[[], Awaitable[None]]) -> None:
        question = self.seat.say(text)
        await asked()
        self.seat.say("/stop")
        await self._heard(question)

    async def edit(self, text: str, into: str, asked: Callable[[], Awaitable[None]]) -> str:
        question = self.seat.say(text)
        await asked()
        if isinstance(self.seat, DiscordSeat):
            assert isinstance(question, DiscordQuestion)
            self.seat.person.edit(question.post, into)
        else:
            assert isinstance(question, TelegramQuestion)
            self.seat.person.edit(question.shown, into)
        return await self._heard(question)

    async def _heard(self, question: Question) -> str:
        async with asyncio.timeout(_PATIENCE_S):
            while not (question.settled() and question.answers()):
                await asyncio.sleep(0.02)
        return "\n".join(question.answers())


@dataclass
class LineDoor:
    """A door that answers on the line it was asked: HTTP, the terminal. Who hangs up stops the answer."""

    name: str
    ask: Ask
    person: tuple[str, tuple[str, ...]]
    space: str

    async def say(self, text: str) -> str:
        return await self.ask(text)

    async def stop(self, text: str, asked: Callable[[], Awaitable[None]]) -> None:
        line = asyncio.ensure_future(self.ask(text))
        await asked()
        line.cancel()
        await asyncio.wait({line})

    async def edit(self, text: str, into: str, asked: Callable[[], Awaitable[None]]) -> str:
        await self.stop(text, asked)
        return await self.ask(into)


@dataclass
class Played:
    """What came of a step: the turns that are remembered then, and the prompts that it cost."""

    turns: list[tuple[str, str]]
    prompts: list[list[dict[str, Any]]] = field(repr=False)


async def play(steps: Sequence[Step], door: Door, daemon: Daemon, ollama: Ollama) -> list[Played]:
    """Take the steps at a door. Raises `AssertionError` when something else is heard than expected."""
    played = []
    for step in steps:
        before = len(ollama.prompts)
        await _take(step, door, ollama)
        await _until(lambda: _idle(daemon), f"{door.name}: {step} is not done with")
        prompts = [one["messages"] for one in list(ollama.prompts)[before:]]
        played.append(Played(_turns(daemon, door), prompts))
    return played


async def _take(step: Step, door: Door, ollama: Ollama) -> None:
    before = len(ollama.prompts)

    async def asked() -> None:
        await _until(lambda: len(ollama.prompts) > before, f"{door.name}: the model was never asked")

    match step:
        case Say(text, hears, not_hears):
            heard = await door.say(text)
            assert hears in heard, f"{door.name}: to {text!r} it said {heard!r}"
            assert not not_hears or not_hears not in heard, f"{door.name}: to {text!r} it said {heard!r}"
        case Stop(text):
            with _thinking(ollama):
                await door.stop(text, asked)
        case Edit(text, into, hears):
            with _thinking(ollama):
                heard = await door.edit(text, into, asked)
            assert hears in heard, f"{door.name}: to {into!r} it said {heard!r}"


@contextlib.contextmanager
def _thinking(ollama: Ollama) -> Any:
    ollama.set(first_token_s=_THINKS_S)
    try:
        yield
    finally:
        ollama.set(first_token_s=0.0)


async def _until(true: Callable[[], bool], what: str) -> None:
    try:
        async with asyncio.timeout(_PATIENCE_S):
            while not true():
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(what) from None


def _rows(daemon: Daemon, query: str, values: Sequence[str] = ()) -> list[tuple[Any, ...]]:
    with contextlib.closing(sqlite3.connect(f"file:{daemon.state / 'grillon.db'}?mode=ro", uri=True)) as connection:
        return connection.execute(query, values).fetchall()


def _idle(daemon: Daemon) -> bool:
    return not _rows(daemon, "SELECT 1 FROM inbox WHERE state IN ('received', 'running', 'failed', 'answered') LIMIT 1")


def _turns(daemon: Daemon, door: Door) -> list[tuple[str, str]]:
    query, values = door.person
    mine = f"""SELECT question, answer FROM turns JOIN conversations ON conversations.id = conversation_id
        WHERE space = ? AND person_id = ({query}) ORDER BY turns.id"""
    return [(question, answer) for question, answer in _rows(daemon, mine, [door.space, *values])]
