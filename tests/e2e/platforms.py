"""The daemon between stand-ins of Discord, Telegram and Ollama: what a test of the chat platforms stands on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.rigs.daemon import Daemon
from tests.rigs.discord import Discord
from tests.rigs.ollama import Ollama
from tests.rigs.telegram import Telegram
from tests.rigs.telegram.limits import Limits

DOCUMENTS = {
    "heating.md": "# Heating\n\nThe boiler stands in the cellar, behind the freezer. Its pressure should be 1.5 bar.\n",
    "poubelles.md": "# Poubelles\n\nLa poubelle jaune sort le mardi soir. La poubelle verte sort le vendredi matin.\n",
}
BOILER = "What pressure should the boiler in the cellar have?"
ANSWER = "The boiler stands in the cellar, behind the freezer. [1]"
BINS = "Quand sort la poubelle jaune ?"
_TELEGRAM_LIFTED = "chat_per_second = 0\ngroup_per_minute = 0\nglobal_per_second = 0"
_DISCORD_LIFTED = "budgets = { channel_per_5_s = 0, edit_every_s = 0.2, global_per_s = 0 }"


def settings_of(
    telegram: Telegram, discord: Discord, *, telegram_more: str = "", discord_more: str = "", lifted: bool = True
) -> str:
    """The tables of both platforms, their budgets lifted unless told otherwise.

    Whoever is there by now may talk, unless what is added says who may.
    """
    users = [user for user in telegram.world.users if user != telegram.world.bot.id]
    people = [int(person) for person in discord.house.world.people if person != discord.bot.id]
    return f"""
[telegram]
token = "{telegram.token}"
base_url = "{telegram.base_url}"
poll_timeout_s = 2
{"" if "allow_users" in telegram_more else f"allow_users = {users}"}
{_TELEGRAM_LIFTED if lifted else ""}
{telegram_more}

[discord]
token = "{discord.token}"
api_base = "{discord.api_base}"
gateway = "{discord.gateway_url}"
{"" if "allow_users" in discord_more else f"allow_users = {people}"}
{_DISCORD_LIFTED if lifted else ""}
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
    folder: Path,
    *,
    settings: str = "",
    model: str = "",
    start: bool = True,
    telegram_more: str = "",
    discord_more: str = "",
    lifted: bool = True,
    invite: Callable[[Telegram, Discord], object] | None = None,
    documents: Mapping[str, str] | None = None,
    **script: Any,
) -> AsyncIterator[Street]:
    """A daemon that serves both platforms. Whom `invite` makes before it starts may talk to it; others are strangers.

    `lifted`: no limits at the stand-ins and no budgets, else the platforms' own and the default ones. `script` is for the model.
    """
    shelf = folder / "documents"
    shelf.mkdir()
    for name, text in {**DOCUMENTS, **(documents or {})}.items():
        (shelf / name).write_text(text, encoding="utf-8")
    async with AsyncExitStack() as stack:
        ollama = await stack.enter_async_context(Ollama(**script))
        telegram = await stack.enter_async_context(Telegram(limits=None if lifted else Limits.real()))
        discord = await stack.enter_async_context(Discord(lifted=lifted, heartbeat_s=2))
        if invite is not None:
            invite(telegram, discord)
        tables = settings_of(telegram, discord, telegram_more=telegram_more, discord_more=discord_more, lifted=lifted)
        daemon = Daemon(folder / "daemon", ollama.address, {"house": shelf}, settings=settings + tables, model=model)
        await stack.enter_async_context(daemon)
        if start:
            await daemon.start(indexed=True)
            await discord.connected()
        yield Street(daemon, telegram, discord, ollama)
