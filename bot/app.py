"""The house: everything is built here and nowhere else, in the order it depends on one another, and taken down in reverse."""

from __future__ import annotations

import asyncio
import importlib
import logging
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

from bot.answer import HouseAnswerer
from bot.attachments import Attachments, clear
from bot.buttons import Buttons
from bot.chosen import ChosenModel
from bot.database.database import Database
from bot.dispatch import Dispatcher
from bot.doors import PullDoor
from bot.errors import DatabaseError
from bot.forget import Forget
from bot.host import PlatformHost
from bot.inbox import Inbox
from bot.ledger import Ledger
from bot.memory import Memory
from bot.orders.orders import Orders
from bot.orders.owner import OwnerOrders
from bot.orders.people import PeopleOrders
from bot.orders.status import Condition
from bot.people.codes import Codes
from bot.people.gate import Gate
from bot.people.people import People, Person
from bot.platforms import limited, platforms_of, serving, supervise
from bot.presses import Presses
from bot.schedule.upkeep import ANSWERS, Upkeep
from bot.speech.sentences import prepare
from bot.state import room
from bot.telemetry import Telemetry
from bot.tokens import Tokens

if TYPE_CHECKING:
    from pathlib import Path

    from adapters.types import Platform, Reply
    from bot.loading import Loaded
    from bot.schedule.schedule import Schedule
    from bot.settings.fields import Settings
    from bot.state import State
    from knowledge.library import IndexReport, Library, Progress

_log = logging.getLogger(__name__)
_ROOM_BYTES = 2**20
"""With less on its disk the database takes no question."""
_LACKING = {"http": ("stop",), "terminal": ("stop",)}
"""Commands that a door has no need of: who asked stops by leaving."""


class House:
    """What doors and verbs speak to. Made by `open`."""

    def __init__(
        self, settings: Settings, state: State, database: Database, platforms: Mapping[str, Platform], buttons: Buttons
    ) -> None:
        self.settings = settings
        self.state = state
        self.database = database
        self.platforms = platforms
        self.started_at = time.time()
        self.people = People(database)
        self.codes = Codes(database, self.people)
        self.tokens = Tokens(database)
        self.people.watch(self.tokens.load)
        self.telemetry = Telemetry()
        self.memory = Memory(database)
        configs = {"telegram": settings.telegram, "discord": settings.discord}
        self.gate = Gate(database, self.people, self.codes, configs, settings.limits, language=settings.daemon.language)
        self.forget = Forget(database, state.folder, handled_days=settings.limits.handled_days)
        self.inbox = Inbox(database, settings.limits)
        self.schedule: Schedule | None = None
        self.attachments = Attachments(database, platforms, state.attachments)
        self._loading: asyncio.Task[Loaded] | None = None
        answerer = HouseAnswerer(
            settings,
            database,
            self.people,
            self.memory,
            self._orders(),
            self.loaded,
            lambda: self.library is not None,
            self._answered,
            self.attachments,
        )
        self.dispatcher = Dispatcher(
            self.inbox,
            answerer,
            {"http": PullDoor(), "terminal": PullDoor(), **platforms},
            settings.limits,
            settings.model.slots,
            language=settings.daemon.language,
            settled=self.loaded,
            dress=buttons.dressed,
            stop=buttons.stop,
            sent=self.telemetry.sent,
        )
        self.people.watch_blocks(self.dispatcher.silence)
        self._presses = Presses(
            buttons, self.memory, self.people, self.dispatcher, self.loaded, self.gate.paced, settings.daemon.language
        )
        self._hosts = {name: self._host(name) for name in platforms}
        self.upkeep = Upkeep(self.loaded, self.dispatcher.idle, self.telemetry)
        self.telemetry.watch_queue(self.dispatcher.waiting, self.dispatcher.answering)
        for name, platform in platforms.items():
            self.telemetry.watch_platform(name, partial(serving, platform), partial(limited, platform))

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings, state: State) -> AsyncGenerator[House]:
        """Open the database, serve the inbox, and load the rest behind. On leaving, what runs is cancelled and stored.

        Raises `DatabaseError`, `NewerDatabaseError`, `SettingsError`.
        """
        async with AsyncExitStack() as stack:
            database = await Database.open(state.database)
            stack.push_async_callback(database.close)
            await asyncio.to_thread(clear, state.attachments)
            platforms = await asyncio.to_thread(platforms_of, settings, database)
            house = cls(settings, state, database, platforms, await Buttons.of(database))
            await house.forget.resume()
            await house.people.declare(settings.people)
            readers = house.readers()
            stack.push_async_callback(house._unload)
            async with asyncio.TaskGroup() as tasks:
                serving = tasks.create_task(house.dispatcher.run(), name="dispatcher")
                house._loading = asyncio.create_task(house._load(readers), name="loading")
                try:
                    yield house
                finally:
                    serving.cancel()

    @property
    def library(self) -> Library | None:
        """The library, None until it is loaded."""
        return self._now.library if self._now else None

    @property
    def model_name(self) -> str:
        """The model that writes the answers."""
        return self._now.model.name if self._now else self.settings.model.name

    @property
    def collections(self) -> list[str]:
        """The names of the collections of the settings."""
        return [config.name for config in self.settings.collections]

    def waiting(self) -> int:
        """How many messages wait for their turn."""
        return self.dispatcher.waiting()

    async def loaded(self) -> Loaded:
        """Wait until the library and the models are there. Raises what kept them from it; what the disk refused is tried anew."""
        if self._loading is None:
            raise RuntimeError("the house is not open")
        if _refused(self._loading):
            self._loading = asyncio.create_task(self._load(self.readers()), name="loading")
        return await asyncio.shield(self._loading)

    def _answered(self, platform: str, reply: Reply) -> None:
        self.telemetry.answered(platform, reply)
        if reply.model is not None and not reply.refused and reply.error is None:
            self.upkeep.heard_of(reply.model)

    def ready(self) -> dict[str, bool]:
        """Which parts are ready; names no person and no collection."""
        health = self.upkeep.health
        model = health is not None and health.state in ANSWERS
        platforms = {name: serving(platform) for name, platform in self.platforms.items()}
        database = room(self.state.folder) >= _ROOM_BYTES
        return {"database": database, "index": self.library is not None, "model": model, **platforms}

    async def status(self, person: Person) -> dict[str, Any]:
        """What a person may know of the house: the owner everything, others their own queue and the collections they may read."""
        status: dict[str, Any] = {
            "uptime_s": round(time.time() - self.started_at, 1),
            "waiting": self.dispatcher.waiting(),
            "ready": self.ready(),
            "model": self.model_status(),
            "collections": await self._collections(person),
        }
        if person.owner:
            status["platforms"] = {name: asdict(platform.status) for name, platform in self.platforms.items()}
        if person.owner and self.schedule is not None:
            status["jobs"] = [asdict(run) for run in await self.schedule.last_runs()]
        return status

    def readers(self) -> dict[str, frozenset[str]]:
        """Who may read each collection of the settings."""
        return {config.name: self.people.resolve_readers(config.readers) for config in self.settings.collections}

    async def serve(self, name: str) -> None:
        """Keep a platform connected until cancelled."""
        await supervise(self.platforms[name], self._hosts[name])

    def stop_receiving(self) -> None:
        """Take nothing from platforms any more: it stays with them until the next start. What is written is still delivered."""
        for host in self._hosts.values():
            host.stop_receiving()

    async def reindex(
        self,
        name: str,
        *,
        prune: bool = False,
        changed: set[Path] | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> IndexReport:
        """Bring a collection up to date with its folder; pauses while anyone waits for an answer."""
        return await self.upkeep.reindex(name, prune=prune, changed=changed, progress=progress)

    def index_soon(self, names: Sequence[str]) -> None:
        """Bring these collections up to date in the background; what fails is in its report."""
        self.upkeep.soon(names)

    def _host(self, name: str) -> PlatformHost:
        config = self.settings.telegram if name == "telegram" else self.settings.discord
        return PlatformHost(
            self.gate,
            self.people,
            self.dispatcher,
            self._presses,
            Ledger(self.database, name),
            language=self.settings.daemon.language,
            most_mb=config.attachment_mb,
            count=self.telemetry.received,
        )

    def _orders(self) -> Orders:
        condition = Condition(self, self.people, self.loaded)
        of_owner = OwnerOrders(self, ChosenModel(self.settings.model, self.database, self.loaded))
        return Orders(
            self.database,
            self.people,
            self.memory,
            self.forget,
            self.attachments,
            self.loaded,
            condition,
            of_owner,
            PeopleOrders(self.people, self.codes),
            lacking=_LACKING,
        )

    @property
    def _now(self) -> Loaded | None:
        task = self._loading
        return task.result() if task and task.done() and not task.cancelled() and task.exception() is None else None

    async def _load(self, readers: Mapping[str, frozenset[str]]) -> Loaded:
        started = time.perf_counter()
        loading = await asyncio.to_thread(importlib.import_module, "bot.loading")
        await asyncio.to_thread(prepare)
        loaded: Loaded = await loading.load(self.settings, self.database, self.state.index, readers)
        _log.info("library loaded seconds=%.2f", time.perf_counter() - started)
        return loaded

    async def _unload(self) -> None:
        await self.upkeep.stop()
        if self._loading is None:
            return
        if self._now is not None:
            await self._now.close()
        self._loading.cancel()
        await asyncio.gather(self._loading, return_exceptions=True)

    def model_status(self) -> dict[str, Any]:
        """The chat model: its name, its state, and what there is to say about it."""
        health = self.upkeep.health
        if health is None or health.model != self.model_name:
            return {"name": self.model_name, "state": "unknown"}
        return {"name": health.model, "state": health.state, "detail": health.detail, "vram_share": health.vram_share}

    async def _collections(self, person: Person) -> list[dict[str, Any]]:
        if self.library is None:
            return []
        readers = {"everyone", f"person:{person.id}"} | ({"owner"} if person.owner else set())
        scope = self.library.scope(frozenset(readers))
        found = await self.library.status()
        return [asdict(one) for one in found if person.owner or one.name in scope.collections]


def _refused(loading: asyncio.Task[Loaded]) -> bool:
    """Whether the disk kept the library from being loaded: there may be room by now."""
    return loading.done() and not loading.cancelled() and isinstance(loading.exception(), DatabaseError)
