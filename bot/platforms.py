"""The chat platforms that the settings name: made here, each supervised by itself."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from adapters.types import StoppedError
from bot.errors import told

if TYPE_CHECKING:
    from adapters.types import Host, Platform

_LEAST_S, _MOST_S = 1.0, 60.0
"""Between two tries to connect."""
_SOUND_S = 60.0
"""What served that long begins anew with the least wait."""

_log = logging.getLogger(__name__)


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
