"""The stand-in and the platform on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest_asyncio

from tests.adapters.telegram.house import House
from tests.rigs.telegram import Telegram

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest_asyncio.fixture
async def rig() -> AsyncIterator[Telegram]:
    async with Telegram() as rig:
        yield rig


@pytest_asyncio.fixture
async def house(rig: Telegram) -> AsyncIterator[House]:
    async with House(rig) as house:
        yield house
