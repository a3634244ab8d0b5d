"""Messages that cannot be stored whatever one does: after five tries they are set aside, so that their channel goes on."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from adapters.types import Ledger

_TRIES = 5

_log = logging.getLogger(__name__)


async def set_aside(ledger: Ledger, id_: int, channel: str, cursor: str) -> bool:
    """Count a try, lasting; after the fifth the message is set aside, and its channel's cursor moved past it: True.

    A try that cannot be counted does not count: then the store is down, which is not the message's fault.
    """
    key = f"poison:{id_}"
    try:
        tries = int(await ledger.get(key) or 0) + 1
        await ledger.put(key, str(tries))
        if tries < _TRIES:
            return False
        await ledger.put(f"aside:{id_}", channel)
        await ledger.put(cursor, str(id_))
        await ledger.put(key, None)
    except Exception as error:  # noqa: BLE001 -- the store is down: everything waits until it is back
        _log.error("discord: nothing can be stored error=%s", type(error).__name__)
        return False
    _log.error("discord: message set aside after %d tries id=%d channel=%s", tries, id_, channel)
    return True
