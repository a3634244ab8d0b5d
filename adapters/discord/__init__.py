"""Discord: gateway events in, messages and interactions out."""

from adapters.discord.attachments import UnfetchableError
from adapters.discord.config import DiscordConfig
from adapters.discord.platform import DiscordPlatform

__all__ = ["DiscordConfig", "DiscordPlatform", "UnfetchableError"]
