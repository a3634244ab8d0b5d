"""Many people in many chats between the stand-ins, and a small model of what each of them may read, here and now.

Every secret is a word of its own. Whoever asks gives the question a tag, and the model keeps with the tag the words that may
stand in its prompt and in its answer: nothing of the database is looked at.
"""

from __future__ import annotations

import itertools
import random
import re
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.e2e.platforms import settings_of
from tests.rigs.daemon import Daemon
from tests.rigs.discord import Channel, Discord, Guild, Post, Role, Upload
from tests.rigs.discord import Person as OnDiscord
from tests.rigs.ollama import Ollama
from tests.rigs.telegram import Telegram
from tests.rigs.telegram.groups import Group
from tests.rigs.telegram.people import Person as OnTelegram

WORD = re.compile(r"zq[a-z]{9}")
TAG = re.compile(r"Q\d{6}")
NOTHING = "I found nothing"
SENTENCES = 25
"""In each collection."""
Place = Group | Channel
Words = frozenset[str]


@dataclass(eq=False)
class Human:
    """A person of the model, with the words that were said in each place: `private`, or a chat's id."""

    name: str | None = None
    blocked: bool = False
    said: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))


@dataclass(eq=False)
class Account:
    """An account on a platform, and whose it is now. `known`: it may talk in private, too."""

    who: OnTelegram | OnDiscord
    human: Human
    known: bool

    @property
    def key(self) -> str:
        return f"{'telegram' if isinstance(self.who, OnTelegram) else 'discord'}:{self.who.id}"


@dataclass(eq=False)
class Shelf:
    """A collection: who reads it (as the settings say it), and its words."""

    name: str
    reader: str
    words: frozenset[str]


class Village:
    """`size` people on each platform, `places` chats on each."""

    def __init__(self, folder: Path, telegram: Telegram, discord: Discord, ollama: Ollama, size: int, places: int) -> None:
        self.telegram, self.discord, self.ollama = telegram, discord, ollama
        self.random = random.Random()
        self.tags = itertools.count(1)
        self.secrets = 0
        self.asked: dict[str, list[Words]] = defaultdict(list)
        self.shown: dict[str, set[str]] = defaultdict(set)
        self.unheard: set[str] = set()
        self.owner = telegram.person("Owner")
        self.accounts = [Account(telegram.person(f"T{n}"), Human(), n % 4 != 3) for n in range(size)]
        self.accounts += [Account(discord.person(f"D{n}"), Human(), n % 4 != 3) for n in range(size)]
        self.groups = [telegram.supergroup(f"G{n}", *self._telegram(n, places)) for n in range(places)]
        self.guilds = [discord.guild(f"S{n}") for n in range(places)]
        self.channels = [guild.channel("talk") for guild in self.guilds]
        self.roles = [guild.role("reader") for guild in self.guilds]
        for n, account in enumerate(self.accounts[size:]):
            for guild in {self.guilds[n % places], self.guilds[(n + 1) % places]}:
                assert isinstance(account.who, OnDiscord)
                guild.join(account.who, *([self.roles[self.guilds.index(guild)]] if n % 3 else []))
        self.pairs = list(zip(self.accounts[:size], self.accounts[size:], strict=True))
        for n, (one, other) in enumerate(self.pairs):
            if n % 5 == 0:
                other.human = one.human = Human(f"p{n}")
                one.known = other.known = True
        self.shelves = [self._shelf(folder, reader) for reader in self._readers()]
        self.daemon = Daemon(folder / "daemon", ollama.address, {}, settings=self._settings(folder), model="slots = 4")

    def may_talk(self, account: Account, place: Place | None) -> bool:
        """A declared or allowed account everywhere; the others where the settings let everybody talk."""
        return not account.human.blocked and (account.known or place in (self.groups[0], self.channels[0]))

    def readable(self, account: Account, place: Place | None) -> Words:
        """The words of the collections that may be used for an answer to this account, there, now."""
        readers = {"everyone"}
        if place is not None:
            readers.add(f"chat:{'telegram' if isinstance(place, Group) else 'discord'}:{place.id}")
        else:
            readers |= {account.human.name or ""} | {f"discord-role:{role.id}" for role in self.held(account)}
        return frozenset().union(*(shelf.words for shelf in self.shelves if shelf.reader in readers))

    def held(self, account: Account) -> list[Role]:
        """The roles that a Discord account has now."""
        if isinstance(account.who, OnTelegram):
            return []
        pairs = zip(self.guilds, self.roles, strict=True)
        return [
            role for guild, role in pairs if account.who.id in guild.members and role.id in guild.members[account.who.id].roles
        ]

    def turn_role(self, account: Account) -> None:
        """Give or take a role."""
        assert isinstance(account.who, OnDiscord)
        guild: Guild = self.random.choice([one for one in self.guilds if account.who.id in one.members])
        role = self.roles[self.guilds.index(guild)]
        (guild.take if role in self.held(account) else guild.give)(account.who, role)

    def places_of(self, account: Account) -> list[Place | None]:
        """Where an account can talk."""
        if isinstance(account.who, OnTelegram):
            return [None, *(group for group in self.groups if account.who.id in group.chat.members)]
        return [None, *(channel for channel in self.channels if channel.guild and account.who.id in channel.guild.members)]

    def word(self) -> str:
        """A new secret."""
        self.secrets += 1
        return "zq" + "".join(self.random.choices("abcdefghijklmnopqrstuvwxyz", k=9))

    def note(self, account: Account, place: Place | None, words: set[str], tag: str) -> Words:
        """Something is asked: its words are known there from now on. Returns what may be told; nothing to who may not talk."""
        if not self.may_talk(account, place):
            self.unheard |= words
            return frozenset()
        said = account.human.said["private" if place is None else str(place.id)]
        said |= words
        allowed = self.readable(account, place) | said
        self.asked[tag].append(allowed)
        self.shown[str(self.chat(account, place))] |= allowed
        return allowed

    def chat(self, account: Account, place: Place | None) -> int | str:
        """The id of the chat where an account reads what it is told."""
        if place is not None:
            return place.id
        return account.who.chat.id if isinstance(account.who, OnTelegram) else account.who.dm.id

    def say(self, account: Account, place: Place | None, text: str, file: bytes | None = None) -> Any:
        """Say something to the bot there."""
        if isinstance(account.who, OnTelegram):
            into = place if isinstance(place, Group) else None
            words = text if into is None or text.startswith("/") else f"@grillon_bot {text}"
            return account.who.send_file("notes.md", file, words, into) if file else account.who.say(words, into)
        files = [Upload("notes.md", file, "text/markdown")] if file else []
        where = place if isinstance(place, Channel) else account.who.dm
        return account.who.say(where, text, mention=place is not None, files=files)

    async def told(self, account: Account, asked: Any, text: str = "") -> list[str]:
        """Wait for an answer that contains a text; all that was answered."""
        found: list[str] = []

        def there() -> bool:
            found[:] = self._answers(asked)
            return any(text in one or NOTHING in one for one in found)

        until = self.discord.until if isinstance(account.who, OnDiscord) else self.telegram.ledger.until
        try:
            await until(there, 60)
        except TimeoutError as error:
            raise AssertionError(f"{account.key} was not told {text!r} but {found} to {asked}\n{self.daemon.tail(8)}") from error
        return found

    def _answers(self, asked: Any) -> list[str]:
        if isinstance(asked, Post):
            return [post.content for post in self.discord.ledger.answers_to(asked) if not post.loading]
        return [shown.text for shown in self.telegram.ledger.answers_to(asked)]

    def _telegram(self, group: int, places: int) -> list[OnTelegram]:
        found = [one.who for n, one in enumerate(self.accounts) if group in {n % places, (n + 1) % places}]
        return [who for who in found if isinstance(who, OnTelegram)]

    def _readers(self) -> list[str]:
        chats = [f"chat:telegram:{one.id}" for one in self.groups[::2]] + [f"chat:discord:{one.id}" for one in self.channels[::2]]
        names = [one.human.name for one, _ in self.pairs if one.human.name]
        return ["everyone", *names, *chats, *(f"discord-role:{role.id}" for role in self.roles)]

    def _shelf(self, folder: Path, reader: str) -> Shelf:
        name = re.sub(r"\W+", "-", reader)
        (folder / name).mkdir()
        words = [self.word() for _ in range(SENTENCES)]
        for n in range(0, SENTENCES, 5):
            lines = (f"The ledger of the harbour says {word}: the boat {word} of {name} leaked." for word in words[n : n + 5])
            (folder / name / f"page{n}.md").write_text(f"# Ledger {n} of {name}\n\n" + "\n\n".join(lines) + "\n")
        return Shelf(name, reader, frozenset(words))

    def _settings(self, folder: Path) -> str:
        collections = "".join(
            f'[[collections]]\nname = "{one.name}"\nfolder = "{folder / one.name}"\nreaders = ["{one.reader}"]\nwatch = false\n'
            for one in self.shelves
        )
        people = f'[[people]]\nname = "olga"\nowner = true\nidentities = ["telegram:{self.owner.id}"]\n'
        people += "".join(
            f'[[people]]\nname = "{one.human.name}"\nidentities = ["{one.key}", "{other.key}"]\n'
            for one, other in self.pairs
            if one.human.name
        )
        known = iter([[int(one.who.id) for one in side if one.known] for side in zip(*self.pairs, strict=True)])
        more = f"allow_chats = [{self.groups[0].id}]", f'allow_guilds = ["{self.guilds[0].id}"]'
        tables = settings_of(self.telegram, self.discord, telegram_more=more[0], discord_more=more[1])
        tables = re.sub(r"allow_users = .*", lambda _: f"allow_users = {next(known)}", tables)
        return f"{collections}{people}[limits]\nperson_minute = 100000\nperson_day = 100000\n{tables}"
