"""Discord as a platform of the house: one connection at a time, watched, and what goes in and out of it."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import time
from collections import OrderedDict
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from adapters.discord.allowance import Identifies, InvalidRequests, Starts
from adapters.discord.attachments import fetched
from adapters.discord.gateway import Gateway, Session
from adapters.discord.messages import NAME, Me
from adapters.discord.parts import parts_of
from adapters.discord.payloads import time_of
from adapters.discord.places import Places
from adapters.discord.rest import Rest
from adapters.discord.running import Running
from adapters.discord.tokens import Visits
from adapters.types import NotSentError, Status, StoppedError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from adapters.discord.config import DiscordConfig
    from adapters.discord.payloads import Json
    from adapters.types import Attachment, CommandSpec, Host, Ledger, Live, Origin, Part, Reply

_SESSION = "session"
_KEEP_S = 2.0
_CALM_S = 60.0
_NONCES = 5000
_GRACE_S = 3.0
"""Messages so soon after the start may be a former process's."""

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
        self._starts = Starts(ledger)
        self._invalid = InvalidRequests(config.budgets.invalid_per_10_min)
        self._nonces: OrderedDict[str, None] = OrderedDict()
        self._visits = Visits()
        self._kept_session: Session | None = None
        wanted = json.dumps([sorted(self._role_ids), config.message_content, config.gateway])
        self._fingerprint = hashlib.sha256(wanted.encode()).hexdigest()[:16]
        self._running: Running | None = None
        self._gateway: Gateway | None = None
        self._detail = ""
        self._foreign = False
        self._stopped = False
        self._began_at = time.time()
        logging.getLogger("discord").setLevel(logging.WARNING)
        if config.free_chats and not config.message_content:
            _log.warning("discord: free_chats need discord.message_content = true, and the intent in the developer portal")

    @property
    def status(self) -> Status:
        """How it is now."""
        gateway = self._gateway
        good_at = gateway.heard_at if gateway else None
        warning = "Another daemon answers with the same token. " if self._foreign else ""
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
        except Exception as error:
            self._detail = f"the connection to Discord ended ({type(error).__name__}); it is tried again"
            raise
        finally:
            self._running = self._gateway = None

    async def show(self, origin: Origin, live: Callable[[], Live | None]) -> str | None:
        """Show how an answer is coming on; nothing while there is no connection."""
        running = self._running
        return origin.live if running is None else await running.lives.show(origin, live)

    def parts(self, origin: Origin, reply: Reply) -> Sequence[Part]:
        """The messages of a reply."""
        return parts_of(origin.message, reply, self._config.file_from_chars, self._say)

    async def send(self, origin: Origin, part: Part, key: str, *, tried_s: float | None = None) -> str | None:
        """Send one part and return its id. Raises `NotSentError`, `UnknownError`, `RefusedError`."""
        if self._running is None:
            raise NotSentError("there is no connection to Discord", 2.0)
        return await self._running.answers.send(origin, part, key, tried_s)

    async def fetch(self, attachment: Attachment, limit_bytes: int) -> bytes:
        """Download a file that came with a message. Raises `UnfetchableError`, `RestError`, `NotSentError`."""
        if self._running is None:
            raise NotSentError("there is no connection to Discord", 2.0)
        return await fetched(self._running.rest, attachment, limit_bytes, api_base=self._config.api_base)

    async def _run(self, host: Host) -> None:
        token = self._config.token.get_secret_value().strip() if self._config.token else ""
        if not token:
            raise StoppedError("There is no Discord token. Put it into the settings as discord.token.")
        self._stopped, self._detail = False, ""
        await self._starts.space(self._note)
        await self._invalid.load(self._ledger)
        await self._await_identify()
        async with AsyncExitStack() as stack:
            rest = Rest(self._config, token, self._invalid)
            stack.push_async_callback(rest.close)
            gateway = Gateway(self._config, self._identify)
            stack.push_async_callback(gateway.leave)
            await gateway.sign_in(token)
            running = await self._begin(rest, gateway, host)
            stack.push_async_callback(running.close)
            gateway.take(running.handlers)
            self._running, self._gateway, self._detail = running, gateway, ""
            await self._serve(gateway, running, stack)

    async def _begin(self, rest: Rest, gateway: Gateway, host: Host) -> Running:
        assert gateway.user is not None
        assert gateway.application_id is not None
        me = Me(str(gateway.user.id), str(gateway.application_id))
        places = Places(self._ledger, self._role_ids)
        await places.load()
        running = Running(
            self._config,
            self._ledger,
            rest,
            places,
            host,
            me,
            self._visits,
            say=self._say,
            commands=self._commands,
            counts=self._role_ids,
            sent=self._note_nonce,
            own=self._own,
            point=self._point,
        )
        await running.intake.load()
        return running

    async def _serve(self, gateway: Gateway, running: Running, stack: AsyncExitStack) -> None:
        stack.push_async_callback(self._keep, gateway, running)
        listening = asyncio.create_task(gateway.listen(await self._former(running.me)), name="discord gateway")
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
        calm = False
        while True:
            await asyncio.sleep(_KEEP_S)
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
            if session is not None and session != self._kept_session:
                self._kept_session = session
                told = [running.me.user, self._fingerprint, session.id, session.sequence, session.address]
                await self._ledger.put(_SESSION, json.dumps(told))
        except Exception as error:  # noqa: BLE001 -- the store is down: it is tried again, and nothing is lost by waiting
            _log.warning("discord: cursors not kept error=%s", type(error).__name__)

    async def _former(self, me: Me) -> Session | None:
        """The session of a former process, if it was ours and asked for the same."""
        told = json.loads(await self._ledger.get(_SESSION) or "[]")
        if len(told) != 5 or told[:2] != [me.user, self._fingerprint]:
            return None
        return Session(told[2], told[3], told[4])

    async def _identify(self) -> None:
        if not await self._identifies.take():
            raise IdentifyLimitError("too many new sessions with Discord in 24 h")

    async def _await_identify(self) -> None:
        while (wait_s := await self._identifies.wait_s()) > 0:
            self._note(
                f"{self._config.budgets.identifies_per_day} sessions were begun in 24 h; the next one waits for {wait_s:.0f} s."
            )
            await asyncio.sleep(min(wait_s, 60.0))

    def _note_nonce(self, nonce: str) -> None:
        self._nonces[nonce] = None
        while len(self._nonces) > _NONCES:
            self._nonces.popitem(last=False)

    def _own(self, data: Json) -> None:
        """A message of ours came back. One that this process did not send is of another daemon with the same token."""
        by_interaction = data.get("webhook_id") or data.get("interaction_metadata") or data.get("interaction")
        early = time_of(int(data["id"])) < self._began_at + _GRACE_S
        if by_interaction or early or self._foreign or str(data.get("nonce")) in self._nonces:
            return
        self._foreign = True
        _log.warning("discord: another daemon answers with the same token: stop one of them, or make a second bot")

    def _note(self, detail: str) -> None:
        self._detail = detail
        _log.warning("discord: %s", detail)
