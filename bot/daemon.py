"""`grillon run`: the life of the daemon. Open, say ready, watch, and leave in good order."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Self

from bot.app import House
from bot.delivery import RETRY_S, insist
from bot.errors import DatabaseError, told
from bot.http.server import HttpDoor
from bot.http.webhook import Webhook, webhook_path
from bot.local.server import LocalSocket
from bot.places import refuse_foreign, socket_path
from bot.stall import StallWatch
from bot.state import State, state_folder
from bot.systemd import Notifier
from knowledge.errors import KnowledgeError

if TYPE_CHECKING:
    from pathlib import Path

    from bot.settings.sources import Loaded as LoadedSettings

_log = logging.getLogger(__name__)
_ALIVE_S = 10.0
"""The loop answers its watch at least that often, or the service's watchdog is not told."""


def run(loaded: LoadedSettings) -> int:
    """Serve until SIGTERM or SIGINT; the exit code. Raises `GrillonError` when it cannot start."""
    settings = loaded.settings
    _set_up_logging(settings.daemon.log_level)
    for warning in loaded.warnings:
        _log.warning("settings: %s", warning)
    folder = state_folder(settings.state)
    if folder.exists():
        refuse_foreign(folder)
    with State.claim(folder, create=True) as state:
        asyncio.run(Daemon(loaded, state, Notifier()).serve())
    return 0


class Daemon:
    """One life of the daemon."""

    def __init__(self, loaded: LoadedSettings, state: State, notifier: Notifier) -> None:
        self._settings = loaded.settings
        self._state = state
        self._notifier = notifier
        self._leaving = asyncio.Event()

    async def serve(self) -> None:
        """Open everything in order, serve, and take it down: nothing new, then what is being written, then the rest."""
        self._listen_to_signals()
        async with AsyncExitStack() as stack:
            stall = StallWatch(self._settings.daemon.stall_s)
            stall.start()
            stack.callback(stall.stop)
            house = await stack.enter_async_context(House.open(self._settings, self._state))
            house.telemetry.watch_loop(stall)
            local = await stack.enter_async_context(LocalSocket(house, socket_path(self._settings)))
            http = await self._open_http(house)
            platforms = await stack.enter_async_context(_Background())
            tasks = await stack.enter_async_context(_Background())
            self._notifier.ready("ready to receive; the library is loading")
            _log.info("ready pid=%d", os.getpid())
            for name in house.platforms:
                platforms.start(f"platform {name}", house.serve(name))
            tasks.start("watchdog", self._notifier.watch(lambda: _alive(stall)))
            tasks.start("after loading", self._after_loading(house, tasks, stall))
            await self._leaving.wait()
            self._notifier.stopping("finishing what is being written")
            _log.info("leaving grace_s=%.0f", self._settings.daemon.grace_s)
            local.stop_receiving()
            house.stop_receiving()
            if http is not None:
                http.stop_receiving()
            await tasks.stop()
            await house.dispatcher.drain(self._settings.daemon.grace_s)
            await platforms.stop()
            if http is not None:
                await http.stop()

    async def _open_http(self, house: House) -> HttpDoor | None:
        if not self._settings.http.enabled:
            return None
        door = HttpDoor(house, self._settings.http)
        if self._settings.telegram.mode == "webhook" and "telegram" in house.platforms:
            door.open_route("POST", webhook_path(self._settings.telegram), Webhook(house.platforms["telegram"]).take)
        _log.info("http address=%s", await door.start())
        return door

    async def _after_loading(self, house: House, tasks: _Background, stall: StallWatch) -> None:
        """What needs the library: index once, watch the folders, keep the hours, look at the model."""
        from bot.schedule.watch import watch

        await insist(house.loaded, RETRY_S, _not_loaded)
        stall.forget()
        self._notifier.status("ready")
        tasks.start("schedule", _keep_hours(house))
        for config in house.settings.collections:
            if config.watch:
                tasks.start(f"watch {config.name}", watch(config.folder, partial(_changed, house, config.name)))
        tasks.start("model", house.upkeep.look_at_model())
        await house.upkeep.reindex_each(house.collections)

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._told_to_leave)

    def _told_to_leave(self) -> None:
        if self._leaving.is_set():
            # A second signal means at once: the inbox is durable, and the children die with us.
            os._exit(1)
        self._leaving.set()


class _Background:
    """Tasks that run beside the doors. One that fails is logged, and takes nobody with it."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, name: str, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(self._guarded(name, work), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _guarded(self, name: str, work: Coroutine[None, None, None]) -> None:
        try:
            await work
        except Exception as error:  # noqa: BLE001 -- logged; the doors stay open whatever happens behind them
            _log.error("background task failed name=%s error=%s", name, told(error))


async def _keep_hours(house: House) -> None:
    """Start the jobs of the night. A task of its own: a TZ that the scheduler does not know must not keep anything else back."""
    from bot.schedule.nights import schedule_of

    house.schedule = schedule_of(house)
    house.schedule.start()


async def _changed(house: House, name: str, paths: set[Path]) -> None:
    """What the watcher saw. A folder that came back is looked at whole."""
    folder = next(config.folder for config in house.settings.collections if config.name == name)
    try:
        await house.reindex(name, changed=None if folder in paths else paths)
    except (KnowledgeError, DatabaseError) as error:  # the house tries again
        _log.warning("index collection=%s error=%s", name, type(error).__name__)


def _not_loaded(error: DatabaseError) -> None:
    _log.warning("the library could not be loaded, and is tried again: %s", error)


def _alive(stall: StallWatch) -> bool:
    return stall.age_s() < _ALIVE_S


def _set_up_logging(level: str) -> None:
    # systemd adds the time itself; its journal takes the level from the prefix.
    plain = "%(levelname)s %(name)s %(message)s"
    timed = f"%(asctime)s {plain}"
    logging.basicConfig(level=level.upper(), stream=sys.stderr, format=plain if "JOURNAL_STREAM" in os.environ else timed)
    for name in ("apscheduler", "watchfiles", "httpx", "httpcore", "telegram", "discord", "chromadb", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
