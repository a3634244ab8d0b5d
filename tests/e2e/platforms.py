"""The daemon between stand-ins of Discord, Telegram and Ollama: what a test of the chat platforms stands on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.rigs.daemon import Daemon
from tests.rigs.discord import Discord
from tests.rigs.ollama import Ollama
from tests.rigs.telegram import Telegram

DOCUMENTS = {
    "heating.md": "# Heating\n\nThe boiler stands in the cellar, behind the freezer. Its pressure should be 1.5 bar.\n",
    "poubelles.md": "# Poubelles\n\nLa poubelle jaune sort le mardi soir. La poubelle verte sort le vendredi matin.\n",
}
BOILER = "What pressure should the boiler in the cellar have?"
ANSWER = "The boiler stands in the cellar, behind the freezer. [1]"
BINS = "Quand sort la poubelle jaune ?"


def settings_of(telegram: Telegram, discord: Discord, *, telegram_more: str = "", discord_more: str = "") -> str:
    """The tables of both platforms, their budgets lifted."""
    return f"""
[telegram]
token = "{telegram.token}"
base_url = "{telegram.base_url}"
poll_timeout_s = 2
chat_per_second = 0
group_per_minute = 0
global_per_second = 0
{telegram_more}

[discord]
token = "{discord.token}"
api_base = "{discord.api_base}"
gateway = "{discord.gateway_url}"
budgets = {{ channel_per_5_s = 0, edit_every_s = 0.2, global_per_s = 0 }}
{discord_more}
"""


@dataclass
class Street:
    """Everything there is: the daemon, and what it talks to."""

    daemon: Daemon
    telegram: Telegram
    discord: Discord
    ollama: Ollama


@asynccontextmanager
async def street(
    folder: Path, *, settings: str = "", model: str = "", start: bool = True, telegram_more: str = "", discord_more: str = ""
) -> AsyncIterator[Street]:
    """A daemon that serves both platforms; everybody may talk to it unless the settings say otherwise."""
    documents = folder / "documents"
    documents.mkdir()
    for name, text in DOCUMENTS.items():
        (documents / name).write_text(text, encoding="utf-8")
    async with AsyncExitStack() as stack:
        ollama = await stack.enter_async_context(Ollama())
        telegram = await stack.enter_async_context(Telegram())
        discord = await stack.enter_async_context(Discord(lifted=True, heartbeat_s=2))
        tables = settings_of(telegram, discord, telegram_more=telegram_more, discord_more=discord_more)
        daemon = Daemon(folder / "daemon", ollama.address, {"house": documents}, settings=settings + tables, model=model)
        await stack.enter_async_context(daemon)
        if start:
            await daemon.start(indexed=True)
        yield Street(daemon, telegram, discord, ollama)
