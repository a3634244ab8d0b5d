"""The connection to Discord's gateway: one session, kept over lost sockets by RESUME, begun anew when it is void.

The library speaks the protocol. The loop is ours: the library's own one reconnects without a pause when a socket closes at once,
and waits for minutes after an outage.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiohttp
import discord
import yarl
from discord.gateway import DiscordWebSocket, ReconnectWebSocket

from adapters.discord.errors import LostError
from adapters.types import StoppedError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from adapters.discord.config import DiscordConfig
    from adapters.discord.payloads import Json

_CONNECT_S = 30.0
_SIGN_IN_S = 10.0
_LONGEST_S = 8.0
_LOST = (OSError, TimeoutError, aiohttp.ClientError, discord.HTTPException)
_STOPPED = {
    4004: "Discord refused the bot token (gateway code 4004). Make a new one in the developer portal under Bot > Reset Token, "
    "and put it into the settings as discord.token.",
    4014: "Discord refused the Message Content intent (gateway code 4014). Turn it on in the developer portal under Bot > "
    "Privileged Gateway Intents > Message Content Intent, or set discord.message_content = false.",
}

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Session:
    """A session of the gateway, as it can be resumed: also by the next process."""

    id: str
    sequence: int
    address: str


def address_library(config: DiscordConfig) -> None:
    """Point the library at the servers of the settings. It has no other way; this is the only place that does."""
    discord.http.Route.BASE = config.api_base
    DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(config.gateway)
    discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False


class Gateway(discord.Client):
    """One client, for one `run`. `identify` says whether a session may begin, by raising when not."""

    def __init__(self, config: DiscordConfig, identify: Callable[[], Awaitable[None]]) -> None:
        address_library(config)
        super().__init__(
            intents=discord.Intents(guilds=True, guild_messages=True, dm_messages=True, message_content=config.message_content),
            heartbeat_timeout=config.deadlines.silence_s,
            max_messages=None,
            guild_ready_timeout=0,
            chunk_guilds_at_startup=False,
            member_cache_flags=discord.MemberCacheFlags.none(),
            allowed_mentions=discord.AllowedMentions.none(),
        )
        self._config = config
        self._identify = identify
        self.connected = False
        self.heard_at: float | None = None
        self.detail = ""

    @property
    def session(self) -> Session | None:
        """The session as it is now, None when there is none."""
        socket = self.ws
        if socket is None or socket.session_id is None or socket.sequence is None:
            return None
        return Session(socket.session_id, socket.sequence, str(socket.gateway))

    def take(self, handlers: Mapping[str, Callable[[Json], None]]) -> None:
        """Give the raw events to whoever handles them, by name. The library's own cache is left empty."""
        self._connection.parsers = {name: _guarded(name, handler) for name, handler in handlers.items()}
        for name in ("READY", "RESUMED"):
            self._connection.parsers[name] = self._connected(self._connection.parsers[name])

    def _connected(self, then: Callable[[Json], None]) -> Callable[[Json], None]:
        def handler(data: Json) -> None:
            self.connected, self.detail = True, ""
            then(data)

        return handler

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:  # noqa: ARG002 -- the library's signature
        """Count the new session before it is asked for."""
        await self._identify()

    async def sign_in(self, token: str) -> None:
        """Check the token. Raises `StoppedError` when Discord does not know it, `LostError` when it cannot be asked."""
        try:
            async with asyncio.timeout(_SIGN_IN_S):
                await self.login(token)
        except discord.LoginFailure as error:
            raise StoppedError(_STOPPED[4004].replace("gateway code 4004", "401")) from error
        except _LOST as error:
            raise LostError(f"Discord is not reached ({type(error).__name__})") from error

    async def listen(self, session: Session | None) -> None:
        """Receive events until cancelled. Raises `StoppedError`, `LostError`: begin with a new client."""
        failures = 0
        while True:
            began_at = time.monotonic()
            try:
                await self._one_socket(session)
            except ReconnectWebSocket as error:
                session = (self.session or session) if error.resume else None
                wait_s = 0.0 if error.resume else random.uniform(0.2, 1) * self._config.deadlines.reidentify_s  # noqa: S311 -- no secret
            except discord.ConnectionClosed as error:
                if error.code in _STOPPED:
                    raise StoppedError(_STOPPED[error.code]) from error
                raise LostError(f"Discord closed the connection ({error.code})") from error
            except _LOST as error:
                session = self.session or session
                self.detail = f"the connection to Discord was lost ({type(error).__name__}); it is tried again"
                wait_s = self._config.deadlines.reconnect_s
            finally:
                self.connected = False
            failures = 0 if time.monotonic() - began_at > _CONNECT_S else failures + 1
            if failures > 1:
                wait_s = max(wait_s, min(self._config.deadlines.reconnect_s * 2.0 ** (failures - 2), _LONGEST_S))
            await asyncio.sleep(wait_s)

    async def leave(self) -> None:
        """Close without ending the session: the next process resumes it."""
        await self._close_socket()
        await self.close()

    async def _one_socket(self, session: Session | None) -> None:
        known: Json = {}
        if session is not None:
            known = {"session": session.id, "sequence": session.sequence, "gateway": yarl.URL(session.address), "resume": True}
        try:
            async with asyncio.timeout(_CONNECT_S):
                self.ws = await self._socket_class().from_client(self, initial=True, **known)
            while True:
                await self.ws.poll_event()
        finally:
            await self._close_socket()

    def _socket_class(self) -> type[DiscordWebSocket]:
        """The library's class, known to us from its birth on: one that fails while it connects has a thread to be ended."""
        client = self

        class Socket(DiscordWebSocket):
            def __init__(self, socket: aiohttp.ClientWebSocketResponse, *, loop: asyncio.AbstractEventLoop) -> None:
                super().__init__(socket, loop=loop)
                client.ws = self

            async def received_message(self, msg: str | bytes, /) -> None:
                client.heard_at = time.time()
                await super().received_message(msg)

        return Socket

    async def _close_socket(self) -> None:
        if self.ws is not None and self.ws.open:
            await self.ws.close(4000)


def _guarded(name: str, handler: Callable[[Json], None]) -> Callable[[Json], None]:
    """An event that cannot be read costs that event, not the connection."""

    def guarded(data: Json) -> None:
        try:
            handler(data)
        except Exception as error:  # noqa: BLE001 -- whatever a payload holds, the others are still to be read
            _log.error("discord: event not read name=%s error=%s", name, type(error).__name__)

    return guarded
