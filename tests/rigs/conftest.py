"""What the tests of the Telegram stand-in share: the rig, and python-telegram-bot's own bot on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from telegram import Bot
from telegram.request import HTTPXRequest

from tests.rigs.telegram import Telegram

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def rig(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Telegram]:
    monkeypatch.setenv("PTB_TIMEDELTA", "true")  # else each RetryAfter warns, and a warning is an error
    async with Telegram() as rig:
        yield rig


@pytest.fixture
async def bot(rig: Telegram) -> AsyncIterator[Bot]:
    async with made(rig) as bot:
        yield bot


def made(rig: Telegram, token: str | None = None) -> Bot:
    """A bot that gives up within a second."""
    plain = {"verify": False}  # nothing is encrypted here, and reading the certificates takes long
    short = [HTTPXRequest(read_timeout=1, connect_timeout=1, pool_timeout=1, httpx_kwargs=plain) for _ in range(2)]
    return Bot(
        token or rig.token,
        base_url=rig.base_url,
        base_file_url=rig.base_file_url,
        request=short[0],
        get_updates_request=short[1],
    )
