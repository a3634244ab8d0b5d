"""A house behind its local socket, for tests of the verbs: real database, inbox and line; the library says what it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from adapters.types import Platform
from bot.database.database import Database
from bot.dispatch import Dispatcher
from bot.doors import PullDoor
from bot.local.server import LocalSocket
from bot.people.codes import Codes
from bot.people.people import People, Person
from bot.settings.fields import Settings
from bot.state import State
from bot.tokens import Tokens
from knowledge.library import IndexReport, Progress
from tests.bot.house import open_house


@dataclass
class SocketHouse:
    """The parts of a house that the socket asks for; the library and its reports are told what to say."""

    settings: Settings
    state: State
    database: Database
    people: People
    codes: Codes
    tokens: Tokens
    dispatcher: Dispatcher
    wrong: list[str] = field(default_factory=list)
    gate: asyncio.Event | None = None
    stopped: list[str] = field(default_factory=list)
    platforms: dict[str, Platform] = field(default_factory=dict)

    async def loaded(self) -> Any:
        async def check() -> list[str]:
            return self.wrong

        return SimpleNamespace(library=SimpleNamespace(check=check))

    async def status(self, person: Person) -> dict[str, Any]:
        return {"person": person.name, "waiting": self.dispatcher.waiting()}

    async def reindex(self, name: str, *, prune: bool = False, progress: Callable[[Progress], None] | None = None) -> IndexReport:
        assert progress is not None
        progress(Progress(name, 1, 2, "one.md"))
        try:
            if self.gate is not None:
                await self.gate.wait()
        except asyncio.CancelledError:
            self.stopped.append(name)
            raise
        progress(Progress(name, 2, 2, "two.md"))
        return IndexReport(name, added=2, skipped=(("bad.pdf", "encrypted"),), missing_folder=prune)


def settings(folder: Path, **more: Any) -> Settings:
    collections = [{"name": "a", "folder": folder, "readers": ["everyone"]}, {"name": "b", "folder": folder}]
    people = [{"name": "anna", "owner": True}, {"name": "ben"}]
    return Settings.model_validate({"state": folder, "collections": collections, "people": people, **more})


@asynccontextmanager
async def served(folder: Path, answerer: object | None = None, **more: Any) -> AsyncIterator[tuple[SocketHouse, Path]]:
    """A house behind a socket."""
    told = settings(folder, **more)
    path = told.socket.path or folder / "grillon.sock"
    async with open_house(folder, answerer, doors={"terminal": PullDoor()}) as line:
        await line.people.declare(told.people)
        with State.claim(folder) as state:
            codes = Codes(line.database, line.people)
            house = SocketHouse(told, state, line.database, line.people, codes, Tokens(line.database), line.dispatcher)
            async with LocalSocket(house, path):
                yield house, path
