"""What Discord sends: JSON objects, and ids that say when they were made."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

_EPOCH_MS = 1_420_070_400_000


def time_of(snowflake: int) -> float:
    """When an id was made, in seconds since the epoch."""
    return ((snowflake >> 22) + _EPOCH_MS) / 1000


def snowflake_at(at: float) -> int:
    """The lowest id of a moment in seconds since the epoch."""
    return max(0, int(at * 1000) - _EPOCH_MS) << 22
