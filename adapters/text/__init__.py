"""From Markdown (a model's or ours) to native message parts: cut within the limits, links and mentions made harmless.

Pure functions; nothing here is asynchronous. A long text takes tens of milliseconds (1 MiB: seconds): run it off the event loop.

What is decided here, for both platforms:
- `allowed_links` holds the addresses that may be clickable (those of the sources); None means that the text is our own, and that
  every http(s) address may be. All other addresses are shown as text: on Discord with an escape that nobody sees
  (`https\\://…`), on Telegram, which makes links of what looks like one, as `code`.
- Zero-width and bidi control characters are removed, but for those inside emoji and between letters of scripts that need them.
- HTML and what is Markdown on the platform only (mentions, spoilers, custom emoji) is shown as it was written.
"""

from adapters.text.characters import clean, fit, units
from adapters.text.discord_text import Marked, discord_parts, escape_discord
from adapters.text.live import discord_live, telegram_live
from adapters.text.telegram_text import Entity, Rich, rich, telegram_parts

__all__ = [
    "Entity",
    "Marked",
    "Rich",
    "clean",
    "discord_live",
    "discord_parts",
    "escape_discord",
    "fit",
    "rich",
    "telegram_live",
    "telegram_parts",
    "units",
]
