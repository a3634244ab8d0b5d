"""discord.py's own client plays against the stand-in: what it sends is understood, what it gets it understands."""

from __future__ import annotations

from tests.rigs.discord import Discord
from tests.rigs.discord_bot import running


async def test_a_mention_in_a_channel_is_read_and_answered() -> None:
    async with Discord() as rig:
        alice = rig.person("Alice")
        hall = rig.guild("Home", alice).channel("hall")
        async with running(rig) as bot:
            asked = alice.say(hall, "echo bonjour", mention=True)
            [answer] = await rig.answered(asked, "bonjour")
            assert bot.seen[0].guild is not None
            assert bot.seen[0].author.display_name == "Alice"
        assert (answer.author, answer.nonce, answer.reference) == (rig.bot, asked.id, asked)
        assert rig.violations == []
