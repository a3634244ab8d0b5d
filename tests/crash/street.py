"""People on both platforms who ask a daemon that is killed again and again; what became of it, by what they see alone."""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from tests.e2e.platforms import DOCUMENTS, Street, settings_of
from tests.rigs.daemon import Daemon
from tests.rigs.discord import Channel, Discord, Interaction, Post
from tests.rigs.discord import Person as DiscordPerson
from tests.rigs.ollama import Ollama
from tests.rigs.telegram import Telegram
from tests.rigs.telegram.groups import Group
from tests.rigs.telegram.people import Person as TelegramPerson
from tests.rigs.telegram.records import Shown

QUESTION = "What pressure should the boiler in the cellar have? It is question {}."
ANSWER = "{quote} [{n}] {question} ({nonce})"
"""Every answer says which question it is to, and is another one each time."""
SETTINGS = """
[limits]
attempts = 20
queue = 20000
queue_person = 20000
person_minute = 100000
person_day = 100000
"""
TELEGRAM = "gather_s = 0"
DISCORD = "deadlines = { paste_s = 0, restarts_s = 0, reidentify_s = 0.2, reconnect_s = 0.2, request_s = 5 }"
_FINAL = re.compile(r"question (\d+)\b.*\(([0-9a-f]{8})\)", re.DOTALL)
_NOTICE = "may not have arrived"
_STOP = "🛑"
_READ_S = 0.5
"""What a killed process had sent is read that much later at most."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A message of the bot. `at`: since then it says this. `number`: of the question it answers. `live`: it can be stopped."""

    text: str
    at: float
    live: bool

    @property
    def number(self) -> int | None:
        found = _FINAL.search(self.text)
        return int(found[1]) if found and not self.live else None


class Place(Protocol):
    """Where somebody talks with the bot."""

    @property
    def platform(self) -> str:
        """`telegram` or `discord`."""

    def ask(self, text: str) -> Shown | Post | Interaction:
        """Ask something."""

    def since(self, asked: Shown | Post | Interaction) -> Iterator[Seen]:
        """What the bot said there since then, to whomever."""

    def answers_to(self, asked: Shown | Post | Interaction) -> list[Seen]:
        """What can be taken for an answer to this, by where it stands."""


@dataclass(frozen=True, slots=True)
class OnTelegram:
    """A private chat, or with `group` a group, or a topic of it."""

    rig: Telegram
    person: TelegramPerson
    group: Group | None = None
    thread: int | None = None
    platform: str = "telegram"

    def ask(self, text: str) -> Shown:
        if self.group is None:
            return self.person.say(text)
        return self.person.say(f"@{self.rig.world.bot.username} {text}", self.group, thread=self.thread)

    def since(self, asked: Shown | Post | Interaction) -> Iterator[Seen]:
        assert isinstance(asked, Shown)
        for shown in reversed(self.rig.ledger.chats[asked.chat].values()):
            if shown is asked:
                return
            if shown.by_bot and shown.deleted_at is None:
                yield _on_telegram(shown)

    def answers_to(self, asked: Shown | Post | Interaction) -> list[Seen]:
        assert isinstance(asked, Shown)
        return [_on_telegram(shown) for shown in self.rig.ledger.answers_to(asked)]


def _on_telegram(shown: Shown) -> Seen:
    return Seen(shown.text, shown.now.at, any(_STOP in label for label in shown.labels()))


@dataclass(frozen=True, slots=True)
class OnDiscord:
    """A private chat, channel or thread; `slash`: by the command `/ask`."""

    rig: Discord
    person: DiscordPerson
    channel: Channel
    slash: bool = False
    platform: str = "discord"

    def ask(self, text: str) -> Post | Interaction:
        if self.slash:
            return self.person.slash("ask", {"question": text}, where=self.channel)
        return self.person.say(self.channel, text, mention=not self.channel.private)

    def since(self, asked: Shown | Post | Interaction) -> Iterator[Seen]:
        assert isinstance(asked, Post | Interaction)
        for post in reversed(self.channel.posts):
            if int(post.id) <= int(asked.id):
                return
            if post.author is self.rig.bot and post.deleted_at is None:
                yield _on_discord(post)

    def answers_to(self, asked: Shown | Post | Interaction) -> list[Seen]:
        assert isinstance(asked, Post | Interaction)
        return [_on_discord(post) for post in self.rig.ledger.answers_to(asked, following=not isinstance(asked, Interaction))]


def _on_discord(post: Post) -> Seen:
    return Seen(post.content, post.history[-1].at, any(_STOP in str(button.get("label")) for button in post.buttons))


@dataclass(slots=True)
class Talk:
    """One person in one place: in strict order. `asked` is by number, and `open` what has no answer and no notice yet."""

    place: Place
    asked: dict[int, Shown | Post | Interaction] = field(default_factory=dict)
    open: set[int] = field(default_factory=set)

    def look(self) -> None:
        """See what was answered since."""
        if not self.open:
            return
        self.open -= {seen.number for seen in self.place.since(self.asked[min(self.open)])}
        for number in list(self.open):
            if self.noticed(number):
                self.open.discard(number)

    def noticed(self, number: int) -> int:
        """How often it was said that the answer may not have arrived."""
        return len(self.notices(number))

    def notices(self, number: int) -> list[float]:
        """When it was said that the answer may not have arrived."""
        return sorted(seen.at for seen in self.place.answers_to(self.asked[number]) if _NOTICE in seen.text)

    def finals(self, number: int) -> list[Seen]:
        """The whole answers to a question, wherever they stand."""
        return [seen for seen in self.place.since(self.asked[number]) if seen.number == number]


class People:
    """Everybody who asks. `at_once`: so many questions of one talk are on their way at the same time."""

    def __init__(self, street: Street, talks: Sequence[Talk], at_once: int = 3, numbers: Iterator[int] | None = None) -> None:
        self.street = street
        self.talks = talks
        self._at_once = at_once
        self._before = len(street.discord.violations), len(street.telegram.ledger.violations())
        self.numbers = numbers or itertools.count(1)
        self._left = dict.fromkeys(("telegram", "discord"), 0)

    @property
    def asked(self) -> int:
        return sum(len(talk.asked) for talk in self.talks)

    def looked(self) -> Sequence[Talk]:
        """All talks, as they are now."""
        for talk in self.talks:
            talk.look()
        return self.talks

    def open_on(self, *platforms: str) -> int:
        """How many were asked there and have nothing yet."""
        return sum(len(talk.open) for talk in self.looked() if talk.place.platform in platforms)

    @property
    def open(self) -> int:
        """How many were asked and have nothing yet."""
        return self.open_on(*self._left)

    @property
    def left(self) -> int:
        """How many are still to be asked."""
        return sum(self._left.values())

    def release(self, count: int, *platforms: str) -> None:
        """Let so many more questions be asked on these platforms, or on both, each when its talk has room."""
        for n, platform in enumerate(platforms or self._left):
            self._left[platform] += (count + n) // len(platforms or self._left)
        self.ask()

    def ask(self) -> int:
        """Ask what there is room for; how many are asked but open, or still to be asked."""
        opened = self.open
        for platform in self._left:
            talks = [talk for talk in self.talks if talk.place.platform == platform]
            while self._left[platform] and (room := [talk for talk in talks if len(talk.open) < self._at_once]):
                for talk in room[: self._left[platform]]:
                    self._left[platform] -= 1
                    opened += 1
                    self._put(talk)
        return opened + self.left

    def ask_each(self) -> None:
        """Ask one more question everywhere."""
        for talk in self.talks:
            self._put(talk)

    def _put(self, talk: Talk) -> None:
        number = next(self.numbers)
        talk.asked[number] = talk.place.ask(QUESTION.format(number))
        talk.open.add(number)

    async def told(self, timeout_s: float = 90) -> None:
        """Ask on, until everything has its answer or a notice."""
        try:
            await self.until(lambda: not self.ask(), timeout_s)
        except TimeoutError:
            raise AssertionError(f"{self.open} open: {self.told_of_open()}\n{self.street.daemon.tail(40)}") from None

    def _died(self, since: float, until: float) -> bool:
        """Whether the daemon was killed in that time, or just before what it had sent was read."""
        return any(since - _READ_S < died < until for died in self.street.daemon.deaths)

    def told_of_open(self) -> list[tuple[str, int, list[Seen]]]:
        """What is not answered, with what there is instead."""
        return [
            (f"{talk.place}", number, talk.place.answers_to(talk.asked[number]))
            for talk in self.talks
            for number in sorted(talk.open)[:1]
        ][:5]

    async def until(self, true: Callable[[], bool], timeout_s: float) -> None:
        """Wait for what either platform, or the daemon, brings about."""
        await self.street.discord.until(true, timeout_s)

    def check(self, kills: int = 0) -> dict[str, int]:
        """Nothing lost, nothing twice, order kept; how much there was of what. Only a kill in a group leaves half an answer.

        A notice comes twice when the daemon died between the two: it could not know that the first had arrived.
        """
        counts = defaultdict[str, int](int)
        for talk in self.talks:
            for number in talk.asked:
                finals, times = talk.finals(number), talk.notices(number)
                notices = len(times)
                what = f"question {number} of {talk.place}: {finals}, {notices} notices"
                assert len(finals) + notices >= 1, f"lost: {what}"
                assert len({seen.text for seen in finals}) <= 1, f"answered twice: {what}"
                assert len(finals) <= 1, f"a copy: {what}"
                assert not notices or talk.place.platform == "telegram", f"noticed: {what}"
                assert all(self._died(*pair) for pair in itertools.pairwise(times)), f"noticed twice: {what}"
                counts["answered"] += len(finals)
                counts["noticed"] += notices
                counts["both"] += bool(finals and notices)
            ordered = [(seen.at, number) for number in talk.asked for seen in talk.finals(number)]
            assert [number for _, number in sorted(ordered)] == sorted(talk.asked.keys() & {n for _, n in ordered}), talk.place
        halves = [shown for shown in self.street.telegram.ledger.by_bot() if _on_telegram(shown).live]
        assert len(halves) <= kills, halves
        counts["halves"] = len(halves)
        stuck = [post for post in self.street.discord.ledger.by_bot() if _on_discord(post).live]
        assert not stuck, stuck
        again = {"late", "acknowledged twice"} if kills else set()  # what a killed process did not know of
        on_discord, on_telegram = self._before
        broken = [each for each in self.street.discord.violations[on_discord:] if each.kind not in again]
        assert not broken, broken[:5]
        assert not self.street.telegram.ledger.violations()[on_telegram:]
        return dict(counts)


def talks_of(telegram: Telegram, discord: Discord, people: int) -> list[Talk]:
    """`people` on each platform: each in private and in a group or channel; the first of them with commands and topics too."""
    places: list[Place] = []
    ours = [telegram.person(f"T{n}") for n in range(people)]
    group, forum = telegram.group("Family", *ours), telegram.supergroup("House", *ours, topics=("Cellar",))
    places += [OnTelegram(telegram, person) for person in ours]
    places += [OnTelegram(telegram, person, group) for person in ours]
    places += [OnTelegram(telegram, person, forum, forum.topics["Cellar"]) for person in ours[:2]]
    theirs = [discord.person(f"D{n}") for n in range(people)]
    asking = discord.person("Slash")
    guild = discord.guild("House", *theirs, asking)
    channel = guild.channel("general")
    thread = channel.thread("cellar", theirs[0])
    places += [OnDiscord(discord, person, person.dm) for person in theirs]
    places += [OnDiscord(discord, person, channel) for person in theirs]
    places += [OnDiscord(discord, theirs[0], thread)]
    places += [OnDiscord(discord, asking, channel, slash=True), OnDiscord(discord, asking, asking.dm, slash=True)]
    return [Talk(place) for place in places]


@asynccontextmanager
async def opened(
    folder: Path,
    people: int = 2,
    *,
    settings: str = "",
    telegram_more: str = TELEGRAM,
    discord_more: str = DISCORD,
    at_once: int = 3,
    start: bool = True,
    **script: object,
) -> AsyncIterator[People]:
    """Everybody around a daemon, which may talk to all of them."""
    documents = folder / "documents"
    documents.mkdir(parents=True)
    (documents / "heating.md").write_text(DOCUMENTS["heating.md"], encoding="utf-8")
    model: dict[str, Any] = {"slots": 4, "answer": ANSWER, "record": 10, "prefix": False} | script
    async with (
        Ollama(**model) as ollama,
        Telegram() as telegram,
        Discord(lifted=True, heartbeat_s=2, replay=5000, replay_s=600) as discord,
    ):
        talks = talks_of(telegram, discord, people)
        tables = settings_of(telegram, discord, telegram_more=telegram_more, discord_more=discord_more)
        async with Daemon(
            folder / "daemon", ollama.address, {"house": documents}, settings=SETTINGS + settings + tables, model="slots = 4"
        ) as daemon:
            street = Street(daemon, telegram, discord, ollama)
            if start:
                await daemon.start(indexed=True)
                await announced(street)
            yield People(street, talks, at_once)


async def announced(street: Street) -> None:
    """Wait until both platforms are served, and the commands are there to be used."""
    await street.discord.until(lambda: street.discord.gateway.connected and street.discord.commands, 60)
    await street.telegram.ledger.until(lambda: street.telegram.updates.waiting, 60)
