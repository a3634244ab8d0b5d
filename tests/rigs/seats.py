"""Where a person sits and talks, on either chat platform, and what they see there: the ledgers of both stand-ins, read alike.

Of a question: `at` when it was asked, `views()` all that was shown as its answer and when (drafts, messages, their edits),
`answers()` what answers it now, part by part, none while it is still being written, `settled()` whether the newest message there
is an answer that is written to its end (cheap to ask again and again), `sign_s()` the seconds to the first sign of life. Times
are of `time.monotonic`.
Of a seat: `say()` says something to the bot, as one does in that kind of chat; `slow`: a Telegram group, where words come rarely.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.rigs.discord import Discord
    from tests.rigs.discord.people import Person as DiscordPerson
    from tests.rigs.discord.places import Channel
    from tests.rigs.discord.world import Post
    from tests.rigs.telegram import Telegram
    from tests.rigs.telegram.groups import Group
    from tests.rigs.telegram.people import Person as TelegramPerson
    from tests.rigs.telegram.records import Shown

STOP = "🛑"


@dataclass(eq=False)
class DiscordQuestion:
    """Asked on Discord."""

    rig: Discord
    post: Post

    @property
    def at(self) -> float:
        return self.post.at

    def posts(self) -> Sequence[Post]:
        """The messages that answer it."""
        return self.rig.ledger.answers_to(self.post)

    def views(self) -> list[tuple[float, str]]:
        return [(shown.at, shown.content) for post in self.posts()[:1] for shown in post.history]

    def answers(self) -> list[str]:
        posts = self.posts()
        writing = any(STOP in (button.get("label") or "") for post in posts for button in post.buttons)
        return [] if writing else [post.content for post in posts]

    def settled(self) -> bool:
        newest = self.post.channel.posts[-1]
        writing = newest.loading or any(STOP in (button.get("label") or "") for button in newest.buttons)
        return newest.author is self.rig.bot and not writing

    def sign_s(self) -> float | None:
        return self.rig.ledger.first_sign_of_life(self.post)


@dataclass(eq=False)
class DiscordSeat:
    """In a private chat, or in a channel, where one mentions the bot."""

    rig: Discord
    person: DiscordPerson
    channel: Channel
    slow: bool = False

    @property
    def name(self) -> str:
        return f"discord {'private' if self.channel.private else 'channel'} {self.person.name}"

    def say(self, text: str) -> DiscordQuestion:
        return DiscordQuestion(self.rig, self.person.say(self.channel, text, mention=not self.channel.private))


@dataclass(eq=False)
class TelegramQuestion:
    """Asked on Telegram."""

    rig: Telegram
    shown: Shown

    @property
    def at(self) -> float:
        return self.shown.at

    def messages(self) -> Sequence[Shown]:
        """The messages that answer it."""
        return self.rig.ledger.answers_to(self.shown)

    def views(self) -> list[tuple[float, str]]:
        if self.shown.chat < 0:
            return [(version.at, version.text) for one in self.messages()[:1] for version in one.history]
        return [(one.at, one.text) for one in self.rig.ledger.writing(self.shown.chat) if one.at >= self.shown.at]

    def answers(self) -> list[str]:
        messages = self.messages()
        writing = any(STOP in label for message in messages for label in message.labels())
        return [] if writing else [message.text for message in messages]

    def settled(self) -> bool:
        newest = next(reversed(self.rig.ledger.chats[self.shown.chat].values()))
        return newest.by_bot and not any(STOP in label for label in newest.labels())

    def sign_s(self) -> float | None:
        sign = self.rig.ledger.first_sign_of_life(self.shown)
        return None if sign is None else sign.delay_s


@dataclass(eq=False)
class TelegramSeat:
    """In a private chat, or in a group, where one mentions the bot."""

    rig: Telegram
    person: TelegramPerson
    group: Group | None = None

    @property
    def name(self) -> str:
        return f"telegram {'private' if self.group is None else 'group'} {self.person.user.first_name}"

    @property
    def slow(self) -> bool:
        return self.group is not None

    def say(self, text: str) -> TelegramQuestion:
        words = text if self.group is None else f"@{self.rig.world.bot.username} {text}"
        return TelegramQuestion(self.rig, self.person.say(words, self.group))


Question: TypeAlias = DiscordQuestion | TelegramQuestion
Seat: TypeAlias = DiscordSeat | TelegramSeat


def crowd(telegram: Telegram, discord: Discord, *, each: int) -> list[Seat]:
    """`each` people in private chats and as many in channels of Discord, the same on Telegram in private chats and groups."""
    seats: list[Seat] = []
    guild = discord.guild("House")
    for n in range(each):
        ann, ben = discord.person(f"Ann {n}"), discord.person(f"Ben {n}")
        guild.join(ben)
        seats += [DiscordSeat(discord, ann, ann.dm), DiscordSeat(discord, ben, guild.channel(f"room-{n}"))]
        cleo, dan = telegram.person(f"Cleo {n}"), telegram.person(f"Dan {n}")
        seats += [TelegramSeat(telegram, cleo), TelegramSeat(telegram, dan, telegram.supergroup(f"Group {n}", dan))]
    return seats


def limit_errors(telegram: Telegram, discord: Discord) -> list[str]:
    """What either platform refused because it was too much, or came too early."""
    found = [f"telegram {one.method} {one.kind}: {one.detail}" for one in telegram.ledger.violations()]
    found += [f"telegram {one.method}: 429" for one in telegram.ledger.calls if one.status == 429]
    found += [f"discord {one.where} {one.kind}: {one.detail}" for one in discord.violations]
    found += [f"discord {one.name}: 429" for one in discord.calls if one.status == 429]
    return found
