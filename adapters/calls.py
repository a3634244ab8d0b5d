"""A call to a platform is carried to its end: what was begun may arrive, whoever has lost interest in it meanwhile."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable

T = TypeVar("T")


async def to_its_end(work: Awaitable[T]) -> T:
    """The result of a call; cancelled, it waits for the call's end first, so that none is in flight afterwards."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        if not task.cancelled():
            task.exception()  # nobody is left to be told
        raise
