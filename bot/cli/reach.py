"""How a verb reaches the house: through the daemon where one runs, else by opening what it needs itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from bot.cli.alone import alone, existing_state
from bot.errors import GrillonError, StateInUseError
from bot.local.client import LocalClient
from bot.local.wire import as_text
from bot.places import daemon_sockets
from bot.state import State

if TYPE_CHECKING:
    from bot.cli.told import Told
    from bot.people.codes import Codes
    from bot.people.people import People
    from bot.settings.fields import Settings
    from bot.tokens import Tokens


T = TypeVar("T")
OPENING_S = 15.0
"""A house opens in 3 to 6 s on a small machine."""
_LOOK_S = 0.2


@contextmanager
def reached(told: Told) -> Iterator[LocalClient]:
    """The daemon, or a house opened for this verb."""
    settings = told.load().settings
    with ExitStack() as stack:
        yield _patiently(lambda: stack.enter_context(LocalClient.find(daemon_sockets(settings)) or alone(settings)))


def daemon(told: Told) -> LocalClient:
    """The daemon. Raises `GrillonError` where none runs."""
    settings = told.load().settings
    client = LocalClient.find(daemon_sockets(settings))
    if client is None:
        places = ", ".join(str(path) for path in daemon_sockets(settings))
        raise GrillonError(f"no daemon is running (looked at {places}); start it with `systemctl start grillon` or `grillon run`")
    return client


def paper(told: Told, verb: str, **params: Any) -> Any:  # noqa: ANN401 -- JSON values
    """Carry out a verb that needs the database alone."""
    settings = told.load().settings

    def carried_out() -> Any:  # noqa: ANN401 -- JSON values
        client = LocalClient.find(daemon_sockets(settings))
        if client is None:
            return asyncio.run(_on_paper(settings, verb, {name: as_text(value) for name, value in params.items()}))
        with client:
            return client.call(verb, **params)

    return _patiently(carried_out)


def _patiently(attempt: Callable[[], T]) -> T:
    """Try again while the state is in use and nobody listens: another verb, or the daemon, opens its house or closes it."""
    deadline = time.monotonic() + OPENING_S
    while True:
        try:
            return attempt()
        except StateInUseError:
            if time.monotonic() > deadline:
                raise
        time.sleep(_LOOK_S)


@dataclass(frozen=True, slots=True)
class _Papers:
    settings: Settings
    state: State
    people: People
    codes: Codes
    tokens: Tokens


async def _on_paper(settings: Settings, verb: str, params: dict[str, Any]) -> Any:  # noqa: ANN401 -- JSON values
    from bot.database.database import Database
    from bot.local.verbs import PAPERS
    from bot.people.codes import Codes
    from bot.people.people import People
    from bot.tokens import Tokens

    with State.claim(existing_state(settings)) as state:
        database = await Database.open(state.database)
        try:
            people = People(database)
            papers = _Papers(settings, state, people, Codes(database, people), Tokens(database))
            await people.declare(settings.people)
            return await PAPERS[verb](papers, params)
        finally:
            await database.close()
