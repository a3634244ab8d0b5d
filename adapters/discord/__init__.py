"""Discord: gateway events in, messages and interactions out."""

from adapters.discord.attachments import UnfetchableError
from adapters.discord.config import DiscordConfig
from adapters.discord.errors import RestError
from adapters.discord.examine import Examined, examine, server_link, user_link
from adapters.discord.platform import DiscordPlatform, IdentifyLimitError

__all__ = [
    "DiscordConfig",
    "DiscordPlatform",
    "Examined",
    "IdentifyLimitError",
    "RestError",
    "UnfetchableError",
    "examine",
    "server_link",
    "user_link",
]
