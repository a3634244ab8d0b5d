"""Discord as a platform of the house: one connection at a time, watched, and what goes in and out of it."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from adapters.discord.allowance import Identifies, InvalidRequests, Starts
from adapters.discord.answers import Answers
from adapters.discord.attachments import fetched
from adapters.discord.calls import Calls
from adapters.discord.errors import LostError
from adapters.discord.gateway import Gateway
from adapters.discord.live import Lives
from adapters.discord.messages import NAME, Me
from adapters.discord.own import Own
from adapters.discord.parts import parts_of
from adapters.discord.places import Places
from adapters.discord.rest import Rest
from adapters.discord.running import Running
from adapters.discord.sender import Sender
from adapters.discord.sessions import Sessions
from adapters.discord.tokens import Visits
from adapters.types import Status, StoppedError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from adapters.discord.config import DiscordConfig
    from adapters.types import Attachment, CommandSpec, Host, Ledger, Live, Origin, Part, Reply

_KEEP_S = 2.0
_SOON_S = 0.2
"""A process that dies before its session is kept costs one more IDENTIFY, and the commands that nobody had stored."""
_CALM_S = 60.0
_LONGEST_S = 8.0

_log = logging.getLogger(__name__)


class IdentifyLimitError(Exception):
    """No new session may be begun now; the next `run` waits."""


class DiscordPlatform:
    """The platform. `say` gives sentences by key and language; `role_ids` are the roles that the settings name anywhere.

    `point` is called where a process may die (`fetch`, `confirm`, `edit`).
    """

    name = NAME

    def __init__(
        self,
        config: DiscordConfig,
        ledger: Ledger,
        commands: Sequence[CommandSpec],
        say: Callable[[str, str], str],
        role_ids: frozenset[str] = frozenset(),
        point: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._config = config
        self._ledger = ledger
        self._commands = tuple(commands)
        self._say = say
        self._role_ids = role_ids | frozenset(config.allow_roles)
        self._point = point
        self._identifies = Identifies(ledger, config.budgets.identifies_per_day)
        self._starts = Starts(ledger, config.deadlines.restarts_s)
        self._invalid = InvalidRequests(config.budgets.invalid_per_10_min)
        self._own = Own()
        self._visits = Visits()
        self._sessions = Sessions(ledger, [sorted(self._role_ids), config.message_content, config.gateway])
        self._rest = Rest(config, self._invalid)
        self._calls = Calls(self._rest, config.budgets)
        self._sender = Sender(config, self._calls, sent=self._own.note, point=point)
        self._answers = Answers(self._calls, self._sender, self._visits)
        self._lives = Lives(config, self._calls, self._sender, self._visits, sent=self._own.note, point=point)
        self._gateway: Gateway | None = None
        self._detail = ""
        self._good_at: float | None = None
        self._stopped = self._started = False
        logging.getLogger("discord").setLevel(logging.WARNING)
        if config.free_chats and not config.message_content:
            _log.warning("discord: free_chats need discord.message_content = true, and the intent in the developer portal")

    @property
    def status(self) -> Status:
        """How it is now."""
        return replace(self._connected(), limited=self._calls.limited)

    def _connected(self) -> Status:
        gateway = self._gateway
        good_at = (gateway.heard_at if gateway else None) or self._good_at
        warning = "Another daemon answers with the same token. " if self._own.foreign else ""
        if self._stopped:
            return Status("stopped", good_at, self._detail)
        if gateway is None:
            return Status("waiting" if self._detail else "starting", good_at, warning + self._detail)
        if gateway.connected:
            return Status("serving", good_at, warning.strip())
        return Status("waiting" if gateway.detail else "starting", good_at, warning + gateway.detail)

    async def run(self, host: Host) -> None:
        """Connect anew and serve until cancelled. Raises `StoppedError`; any other exception means: try again, patiently."""
        try:
            await self._run(host)
        except StoppedError as error:
            self._stopped, self._detail = True, str(error)
            raise
        except (LostError, IdentifyLimitError) as error:
            self._detail = f"{error}; it is tried again"
            raise
        finally:
            self._good_at = self._gateway.heard_at if self._gateway else self._good_at
            self._gateway = None

    async def show(self, origin: Origin, live: Callable[[], Live | None]) -> str | None:
        """Show how an answer is coming on; nothing while there is no connection."""
        return await self._lives.show(origin, live)

    def parts(self, origin: Origin, reply: Reply) -> Sequence[Part]:
        """The messages of a reply."""
        return parts_of(origin.message, reply, self._config.file_from_chars, self._say)

    async def send(self, origin: Origin, part: Part, key: str, *, tried_s: float | None = None) -> str | None:
        """Send one part and return its id. Raises `NotSentError`, `UnknownError`, `RefusedError`."""
        self._lives.ended(origin)
        return await self._answers.send(replace(origin, live=self._lives.known(origin)), part, key, tried_s)

    async def fetch(self, attachment: Attachment, limit_bytes: int) -> bytes:
        """Download a file that came with a message. Raises `FetchError`."""
        return await fetched(self._rest, attachment, limit_bytes, api_base=self._config.api_base)

    async def _run(self, host: Host) -> None:
        token = self._config.token.get_secret_value().strip() if self._config.token else ""
        if not token:
            raise StoppedError("There is no Discord token. Put it into the settings as discord.token.")
        self._stopped = False
        first, self._started = not self._started, True  # what is tried again within a process is no crash loop
        if first:
            await self._starts.space(self._note)
            await self._invalid.load(self._ledger)
        await self._await_identify()
        async with AsyncExitStack() as stack:
            self._rest.open()
            stack.push_async_callback(self._rest.close)
            gateway = await self._signed_in(token)
            stack.push_async_callback(gateway.leave)
            if first:
                await self._starts.count()
            running = await self._begin(gateway, host)
            stack.push_async_callback(running.close)
            gateway.take(running.handlers)
            self._gateway, self._detail = gateway, ""
            await self._serve(gateway, running, stack)

    async def _signed_in(self, token: str) -> Gateway:
        """A new client, as soon as Discord can be reached."""
        for tries in range(1_000_000):
            gateway = Gateway(self._config, self._identify)
            try:
                await gateway.sign_in(token)
            except LostError as error:
                self._detail = f"{error}; it is tried again"
                await gateway.leave()
                await asyncio.sleep(min(self._config.deadlines.reconnect_s * 2.0 ** min(tries, 10), _LONGEST_S))
            except BaseException:
                await gateway.leave()
                raise
            else:
                return gateway
        raise AssertionError("the tries never end")

    async def _begin(self, gateway: Gateway, host: Host) -> Running:
        assert gateway.user is not None
        assert gateway.application_id is not None
        me = Me(str(gateway.user.id), str(gateway.application_id))
        self._sender.me = me.user
        places = Places(self._ledger, self._role_ids)
        await places.load()
        running = Running(
            self._config,
            self._ledger,
            self._calls,
            places,
            host,
            me,
            self._visits,
            say=self._say,
            commands=self._commands,
            counts=self._role_ids,
            sent=self._own.note,
            own=self._own.came_back,
            point=self._point,
        )
        await running.intake.load()
        return running

    async def _serve(self, gateway: Gateway, running: Running, stack: AsyncExitStack) -> None:
        stack.push_async_callback(self._keep, gateway, running)
        listening = asyncio.create_task(gateway.listen(await self._sessions.former(running.me.user)), name="discord gateway")
        keeping = asyncio.create_task(self._keep_on(gateway, running), name="discord ledger")
        try:
            await asyncio.wait({listening, keeping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (listening, keeping):
                task.cancel()
            await asyncio.gather(listening, keeping, return_exceptions=True)
        (listening if listening.done() and not listening.cancelled() else keeping).result()

    async def _keep_on(self, gateway: Gateway, running: Running) -> None:
        began = time.monotonic()
        calm = kept = False
        while True:
            await asyncio.sleep(_KEEP_S if kept else _SOON_S)
            kept = kept or (gateway.connected and running.idle)
            await self._keep(gateway, running)
            if not calm and time.monotonic() - began > _CALM_S:
                calm = True
                await self._starts.calm()

    async def _keep(self, gateway: Gateway, running: Running) -> None:
        """Write down what a next process goes on from: only what is stored counts as told."""
        session = gateway.session if running.idle else None
        try:
            await running.intake.keep()
            await running.places.keep()
            await self._invalid.keep(self._ledger)
            if session is not None:
                await self._sessions.keep(running.me.user, session)
        except Exception as error:  # noqa: BLE001 -- the store is down: it is tried again, and nothing is lost by waiting
            _log.warning("discord: cursors not kept error=%s", type(error).__name__)

    async def _identify(self) -> None:
        if not await self._identifies.take():
            raise IdentifyLimitError("too many new sessions with Discord in 24 h")

    async def _await_identify(self) -> None:
        while (wait_s := await self._identifies.wait_s()) > 0:
            self._note(
                f"{self._config.budgets.identifies_per_day} sessions were begun in 24 h; the next one waits for {wait_s:.0f} s."
            )
            await asyncio.sleep(min(wait_s, 60.0))

    def _note(self, detail: str) -> None:
        self._detail = detail
        _log.warning("discord: %s", detail)
