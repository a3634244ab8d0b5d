"""A house opened for one verb, where no daemon runs: in a thread, so that the verb speaks to it exactly as to the daemon."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AsyncExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from bot.errors import SettingsError
from bot.local.client import LocalClient
from bot.places import exists, refuse_foreign, socket_path
from bot.state import State, database_path, state_folder

if TYPE_CHECKING:
    from pathlib import Path

    from bot.app import House
    from bot.settings.fields import Settings

Leave = Callable[[], object]
"""Close the house once others have their answers; called again, at once."""


def existing_state(settings: Settings, *, or_empty: bool = False) -> Path:
    """The state folder, which has to be one: no verb but `run` makes one, least of all out of somebody's folder of documents.

    `or_empty`: a folder that is there and empty will do as well, or one that lost its database. Raises `SettingsError`.
    """
    folder = state_folder(settings.state)
    if exists(database_path(folder)):
        refuse_foreign(folder)
        return folder
    if or_empty and folder.is_dir() and ((folder / "backups").is_dir() or not any(folder.iterdir())):
        return folder
    raise SettingsError(f"there is no state in {folder}: `grillon run` makes it, and --state names another")


@contextmanager
def alone(settings: Settings, *, http: bool = False) -> Iterator[LocalClient]:
    """Open the house here, and speak to it; with `http`, its HTTP door too.

    Other verbs take this house for the daemon: what they asked is answered before it closes, unless Ctrl-C is pressed meanwhile.
    Raises what opening raises: `StateInUseError`, `DatabaseError`, `SettingsError`.
    """
    opened: Future[Leave] = Future()
    with State.claim(existing_state(settings, or_empty=True)) as state, ThreadPoolExecutor(1, "house") as thread:
        house = thread.submit(lambda: asyncio.run(_serve(settings, state, opened, http=http)))
        either: list[Future[Any]] = [opened, house]
        wait(either, return_when=FIRST_COMPLETED)
        if not opened.done():
            house.result()  # raises what opening raised
        leave = opened.result()
        try:
            with LocalClient(socket_path(settings)) as client:
                yield client
        finally:
            try:
                with suppress(RuntimeError):  # the loop is closed: the house fell down, and the next line says why
                    leave()
                house.result()
            except KeyboardInterrupt:
                with suppress(RuntimeError):
                    leave()  # now
                raise


async def _serve(settings: Settings, state: State, opened: Future[Leave], *, http: bool) -> None:
    from bot.app import House
    from bot.local.server import LocalSocket

    loop, calls = asyncio.get_running_loop(), asyncio.Semaphore(0)
    async with AsyncExitStack() as stack:
        house = await stack.enter_async_context(House.open(settings, state))
        door = await stack.enter_async_context(LocalSocket(house, socket_path(settings)))
        if http:
            await _open_http(house, stack)
        opened.set_result(lambda: loop.call_soon_threadsafe(calls.release))
        await calls.acquire()
        await _first(door.finish(), calls.acquire())


async def _first(*either: Coroutine[Any, Any, object]) -> None:
    tasks = [asyncio.ensure_future(one) for one in either]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _open_http(house: House, stack: AsyncExitStack) -> None:
    from bot.http.server import HttpDoor

    door = HttpDoor(house, house.settings.http)
    await door.start()
    stack.push_async_callback(door.stop)
