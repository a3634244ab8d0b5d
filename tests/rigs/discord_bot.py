"""A small bot on discord.py's own client, unmodified, that plays against the Discord stand-in."""

from __future__ import annotations

import asyncio
import io
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import discord
import yarl
from discord import app_commands
from discord.gateway import DiscordWebSocket

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.rigs.discord import Discord


class Bot(discord.Client):
    """It answers `echo X` with `X`, and remembers what happened."""

    def __init__(self, **options: Any) -> None:
        intents = options.pop("intents", discord.Intents(guilds=True, guild_messages=True, dm_messages=True))
        super().__init__(intents=intents, allowed_mentions=discord.AllowedMentions.none(), guild_ready_timeout=0, **options)
        self.tree = app_commands.CommandTree(self)
        self.readied = asyncio.Event()
        self.seen: list[discord.Message] = []
        self.happened: list[str] = []
        self.raw: list[Any] = []
        self.members: list[tuple[discord.Member, discord.Member]] = []
        _add_commands(self.tree)

    async def setup_hook(self) -> None:
        await self.tree.set_translator(_Names())
        await self.tree.sync()

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Do not wait five seconds before another IDENTIFY."""

    async def on_ready(self) -> None:
        self.happened.append("ready")
        self.readied.set()

    async def on_resumed(self) -> None:
        self.happened.append("resumed")

    async def on_message(self, message: discord.Message) -> None:
        if message.author != self.user:
            self.seen.append(message)
            if (words := message.clean_content.partition("echo ")[2]) and not message.author.bot:
                await message.reply(words, nonce=str(message.id))

    async def on_member_update(self, before: discord.Member, after: discord.Member) -> None:
        self.members.append((before, after))

    async def on_interaction(self, interaction: discord.Interaction) -> None:
        if interaction.type is discord.InteractionType.component:
            await interaction.response.send_message("the passage", ephemeral=True)

    async def on_raw_message_edit(self, event: discord.RawMessageUpdateEvent) -> None:
        self.raw.append(event)

    async def on_raw_message_delete(self, event: discord.RawMessageDeleteEvent) -> None:
        self.raw.append(event)

    async def on_raw_bulk_message_delete(self, event: discord.RawBulkMessageDeleteEvent) -> None:
        self.raw.append(event)


class _Names(app_commands.Translator):
    async def translate(
        self, string: app_commands.locale_str, locale: discord.Locale, _context: app_commands.TranslationContextTypes
    ) -> str | None:
        return {"ask": "demander"}.get(string.message) if locale is discord.Locale.french else None


def _add_commands(tree: app_commands.CommandTree) -> None:
    """`/ask question`, `/show file`, and an entry in the menu of a message; usable everywhere."""

    @tree.command(name=app_commands.locale_str("ask"), description="Ask")
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    async def ask(interaction: discord.Interaction, question: str) -> None:
        await interaction.response.defer(thinking=True)
        view = discord.ui.View(timeout=None)
        view.add_item(discord.ui.Button(label="Source", custom_id=f"src:{interaction.id}"))
        await interaction.edit_original_response(content=f"answer to {question}", view=view)

    @tree.command(name="show", description="Show a file")
    async def show(interaction: discord.Interaction, file: discord.Attachment) -> None:
        words = (await file.read()).decode()
        await interaction.response.send_message(f"{file.filename}: {words}", ephemeral=True)

    @tree.context_menu(name="Ask about this")
    async def about(interaction: discord.Interaction, message: discord.Message) -> None:
        await interaction.response.send_message(f"about {message.content}", file=discord.File(io.BytesIO(b"whole"), "answer.md"))


@asynccontextmanager
async def addressed(rig: Discord) -> AsyncIterator[None]:
    """Inside of the block discord.py talks to the stand-in."""
    before = discord.http.Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY
    discord.http.Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY = rig.api_base, yarl.URL(rig.gateway_url)
    try:
        yield
    finally:
        discord.http.Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY = before


@asynccontextmanager
async def running(rig: Discord, bot: Bot | None = None, token: str | None = None) -> AsyncIterator[Bot]:
    """A bot that is ready."""
    bot = bot or Bot()
    async with addressed(rig):
        task = asyncio.create_task(bot.start(token or rig.token))
        try:
            ready = asyncio.create_task(bot.readied.wait())
            await asyncio.wait({task, ready}, timeout=10, return_when=asyncio.FIRST_COMPLETED)
            ready.cancel()
            if task.done():
                await task
            yield bot
        finally:
            await bot.close()
            await asyncio.gather(task, return_exceptions=True)
