"""The chat platforms that the settings name: made here, each supervised by itself."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from adapters.types import StoppedError
from bot.commands import specs
from bot.errors import told
from bot.ledger import Ledger
from bot.speech.sentences import as_language, say
from knowledge.failpoints import failpoint

if TYPE_CHECKING:
    from adapters.types import Host, Platform
    from bot.settings.fields import Settings
    from knowledge.types import Sql

_LEAST_S, _MOST_S = 1.0, 60.0
"""Between two tries to connect."""
_SOUND_S = 60.0
"""What served that long begins anew with the least wait."""

_HEARD_S = 120.0
"""A platform that polls or beats its heart is heard of more often than that."""
_ROLE = "discord-role:"

_log = logging.getLogger(__name__)


def platforms_of(settings: Settings, sql: Sql) -> dict[str, Platform]:
    """The platforms that have a token, by name; none is connected yet. Imports their libraries: call it in a thread."""
    made: dict[str, Platform] = {}
    if settings.telegram.token is not None:
        from adapters.telegram.platform import TelegramPlatform

        made["telegram"] = TelegramPlatform(settings.telegram, Ledger(sql, "telegram"), specs(), _said, point=failpoint)
    if settings.discord.token is not None:
        from adapters.discord.platform import DiscordPlatform

        ledger, roles = Ledger(sql, "discord"), _roles(settings)
        made["discord"] = DiscordPlatform(settings.discord, ledger, specs(), _said, roles, point=failpoint)
    return made


def serving(platform: Platform) -> bool:
    """Whether a platform was heard of lately."""
    status = platform.status
    return status.state == "serving" and status.good_at is not None and time.time() - status.good_at < _HEARD_S


def limited(platform: Platform) -> int:
    """How many calls a platform put off."""
    return platform.status.limited


def _said(key: str, language: str) -> str:
    return say(key, as_language(language) or "en")


def _roles(settings: Settings) -> frozenset[str]:
    """The roles that the settings name as readers."""
    readers = (reader for one in settings.collections for reader in one.readers)
    return frozenset(reader.removeprefix(_ROLE) for reader in readers if reader.startswith(_ROLE))


async def supervise(platform: Platform, host: Host) -> None:
    """Keep a platform connected until cancelled. Returns when only a person can mend it: the others go on.

    Said once when it goes away; the platform itself says when it is back.
    """
    wait_s = _LEAST_S
    while True:
        started = time.monotonic()
        try:
            await platform.run(host)
        except StoppedError as error:
            _log.error("platform stopped name=%s: %s", platform.name, error)
            return
        except Exception as error:  # noqa: BLE001 -- whatever a platform's library raises: the next try is a new client
            _log.warning("platform lost name=%s retry_s=%.0f error=%s", platform.name, wait_s, told(error))
        if time.monotonic() - started > _SOUND_S:
            wait_s = _LEAST_S
        await asyncio.sleep(wait_s)
        wait_s = min(wait_s * 2, _MOST_S)
