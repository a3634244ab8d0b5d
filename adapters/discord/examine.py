"""What Discord says of the bot, for whoever sets it up: its token, the developer portal's switches, the links to install it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlencode

import aiohttp

if TYPE_CHECKING:
    from collections.abc import Iterable

    from adapters.discord.config import DiscordConfig

PERMISSIONS = sum(
    1 << bit
    for bit in (
        10,  # View Channels
        11,  # Send Messages
        15,  # Attach Files: long answers, /mydata
        16,  # Read Message History: replies, and what was said while there was no connection
        38,  # Send Messages in Threads
    )
)
"""The permissions that are used, and no other."""

_AUTHORIZE = "https://discord.com/oauth2/authorize"
_CONTENT = 1 << 18 | 1 << 19
"""The application's flags of the Message Content intent; the second one is that of applications in few servers."""
_MOST_PLACES = 20
_HIDDEN = frozenset({403, 404})


@dataclass(frozen=True, slots=True)
class Examined:
    """The application as Discord knows it. Without `accepted` nothing more is known, and `detail` says why.

    `content`: the Message Content intent is on. `for_people`: people may install it for themselves. `code_grant`: inviting it is
    made impossible by a switch. `elsewhere`: commands are sent to an address instead of the gateway. `starts_left` new sessions
    of `starts_in_all` are left for `starts_reset_s` seconds. `hidden`: channels and servers of the settings that it cannot see.
    """

    state: Literal["accepted", "refused", "unreachable"]
    detail: str = ""
    bot: str = ""
    application: str = ""
    application_id: str = ""
    content: bool = False
    for_people: bool = True
    public: bool = True
    code_grant: bool = False
    elsewhere: bool = False
    starts_left: int = 0
    starts_in_all: int = 0
    starts_reset_s: float = 0
    hidden: tuple[str, ...] = ()

    @property
    def invite(self) -> str:
        """The address at which somebody who manages a server lets the bot in, with the permissions it needs."""
        return _link(self.application_id, permissions=PERMISSIONS, integration_type=0, scope="bot applications.commands")

    @property
    def install(self) -> str:
        """The address at which people install it for themselves."""
        return _link(self.application_id, integration_type=1, scope="applications.commands")


class _RefusedError(Exception):
    def __init__(self, route: str, status: int) -> None:
        super().__init__(f"GET {route}: {status}")
        self.status = status


class _UnreachableError(Exception):
    """No answer, or none of Discord's."""


async def examine(config: DiscordConfig) -> Examined:
    """Ask Discord about the bot of these settings, which have a token. Raises nothing; the token is in no text."""
    token = config.token.get_secret_value().strip() if config.token else ""
    if not token.isascii() or not token.isprintable() or " " in token or not token:
        return Examined("refused", "it holds characters that no token has")
    headers = {"Authorization": f"Bot {token}", "User-Agent": "DiscordBot (grillon, 0.1)"}
    timeout = aiohttp.ClientTimeout(total=config.deadlines.request_s, connect=min(5.0, config.deadlines.request_s))
    async with aiohttp.ClientSession(headers=headers, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as session:
        try:
            return await _asked(session, config)
        except _RefusedError as error:
            return Examined("refused" if error.status == 401 else "unreachable", str(error))
        except _UnreachableError as error:
            return Examined("unreachable", str(error))


async def _asked(session: aiohttp.ClientSession, config: DiscordConfig) -> Examined:
    me = await _get(session, config, "/users/@me")
    if "id" not in me:
        raise _UnreachableError("an answer that is none of Discord's")
    about = await _get(session, config, "/oauth2/applications/@me")
    starts = (await _get(session, config, "/gateway/bot")).get("session_start_limit") or {}
    installs = about.get("integration_types_config")
    return Examined(
        "accepted",
        bot=str(me.get("username") or ""),
        application=str(about.get("name") or ""),
        application_id=str(about.get("id") or ""),
        content=bool(int(about.get("flags") or 0) & _CONTENT),
        for_people=not isinstance(installs, dict) or "1" in installs,
        public=bool(about.get("bot_public", True)),
        code_grant=bool(about.get("bot_require_code_grant")),
        elsewhere=bool(about.get("interactions_endpoint_url")),
        starts_left=int(starts.get("remaining") or 0),
        starts_in_all=int(starts.get("total") or 0),
        starts_reset_s=float(starts.get("reset_after") or 0) / 1000,
        hidden=await _hidden(session, config),
    )


async def _hidden(session: aiohttp.ClientSession, config: DiscordConfig) -> tuple[str, ...]:
    channels = [f"/channels/{channel}" for channel in _once([*config.free_chats, *config.allow_chats])]
    found = []
    for path in (*channels, *(f"/guilds/{guild}" for guild in _once(config.allow_guilds))):
        try:
            await _get(session, config, path)
        except _RefusedError as error:
            if error.status not in _HIDDEN:
                raise
            found.append(path.rpartition("/")[2])
    return tuple(found)


def _once(ids: Iterable[str]) -> list[str]:
    """Each once, and not more than can be asked about in a moment."""
    return list(dict.fromkeys(ids))[:_MOST_PLACES]


async def _get(session: aiohttp.ClientSession, config: DiscordConfig, path: str) -> dict[str, Any]:
    try:
        async with session.get(config.api_base + path, allow_redirects=False) as response:
            raw = await response.read()
    except (TimeoutError, aiohttp.ClientError, OSError) as error:
        raise _UnreachableError(f"no answer: {type(error).__name__}") from error
    if response.status != 200:
        raise _RefusedError(path, response.status)
    try:
        told = json.loads(raw)
    except ValueError as error:
        raise _UnreachableError("an answer that is none of Discord's") from error
    return told if isinstance(told, dict) else {}


def _link(application: str, **query: object) -> str:
    return f"{_AUTHORIZE}?{urlencode({'client_id': application, **query})}"
