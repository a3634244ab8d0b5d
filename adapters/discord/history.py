"""What was written in a channel while nobody listened: read page by page, oldest first, within bounds."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from adapters.discord.payloads import snowflake_at

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from adapters.discord.calls import Calls
    from adapters.discord.config import DiscordConfig
    from adapters.discord.payloads import Json

_PAGE = 100

_log = logging.getLogger(__name__)


async def missed(calls: Calls, config: DiscordConfig, channel: str, after: int) -> list[Json]:
    """The messages of a channel behind an id, oldest first: at most `history_limit`, none older than `history_hours`.

    Raises `RestError`.
    """
    oldest = snowflake_at(time.time() - config.history_hours * 3600)
    found = [message async for message in messages_after(calls, channel, max(after, oldest), config.history_limit)]
    if config.history_limit and len(found) >= config.history_limit:
        _log.warning("discord: gap too long, the rest is left out channel=%s read=%d", channel, len(found))
    return found


async def messages_after(calls: Calls, channel: str, after: int, limit: int) -> AsyncIterator[Json]:
    """The messages of a channel behind an id, oldest first, at most `limit`. Raises `RestError`."""
    while limit > 0:
        page = min(limit, _PAGE)
        told = await calls.listing(f"/channels/{channel}/messages", {"after": str(after), "limit": str(page)})
        for message in sorted(told, key=lambda message: int(message["id"])):
            after = int(message["id"])
            yield message
        limit -= page
        if len(told) < page:
            return
