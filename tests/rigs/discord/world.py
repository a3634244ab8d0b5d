"""What exists on the stand-in: messages with their history, interactions, files, and the numbers that name them."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.rigs.discord.people import Person
    from tests.rigs.discord.places import Channel, Guild

Json = dict[str, Any]

TEXT, PRIVATE, GROUP, THREAD = 0, 1, 3, 11

EPHEMERAL = 1 << 6
LOADING = 1 << 7
COMPONENTS_V2 = 1 << 15
_EPOCH_MS = 1_420_070_400_000


class Snowflakes:
    """Ids that grow with time and never repeat."""

    def __init__(self) -> None:
        self._last = 0

    def next(self) -> str:
        """The next id."""
        self._last = max(self._last + 1, (int(time.time() * 1000) - _EPOCH_MS) << 22)
        return str(self._last)


@dataclass(eq=False, slots=True)
class Upload:
    """A file: what is attached to a message, its bytes included. `fetched` counts downloads."""

    name: str
    data: bytes
    media_type: str | None = None
    id: str = ""
    fetched: int = 0


@dataclass(frozen=True, slots=True)
class Shown:
    """How a message looked from `at` on. `at` is of `time.monotonic`, in seconds, here and everywhere in this package."""

    at: float
    content: str
    components: tuple[Json, ...]
    loading: bool


@dataclass(frozen=True, slots=True)
class Reaction:
    """Somebody's reaction."""

    emoji: str
    person: Person
    at: float


@dataclass(eq=False, slots=True)
class Post:
    """A message. `only_for`: an ephemeral one, seen by that person alone. `history` begins with how it was created.

    `reference` is the message it replies to, `nonce` what the sender gave, `interaction` what it answers; `pings` are the ids of
    the people it mentions. `elsewhere`: another client with the bot's token wrote it.
    """

    id: str
    channel: Channel
    author: Person
    content: str
    at: float
    files: list[Upload] = field(default_factory=list)
    embeds: list[Json] = field(default_factory=list)
    components: list[Json] = field(default_factory=list)
    pings: list[str] = field(default_factory=list)
    everyone: bool = False
    reference: Post | None = None
    nonce: str | None = None
    interaction: Interaction | None = None
    only_for: Person | None = None
    flags: int = 0
    edited: str | None = None
    elsewhere: bool = False
    deleted_at: float | None = None
    history: list[Shown] = field(default_factory=list)
    reactions: list[Reaction] = field(default_factory=list)

    @property
    def loading(self) -> bool:
        """Whether it still says that the app is thinking."""
        return bool(self.flags & LOADING)

    @property
    def buttons(self) -> list[Json]:
        """Its buttons, in order."""
        rows = [row.get("components", []) for row in self.components if row.get("type") == 1]
        return [item for row in rows for item in row if item.get("type") == 2]

    def note(self, at: float) -> None:
        """Remember how it looks from now on."""
        self.history.append(Shown(at, self.content, tuple(self.components), self.loading))


@dataclass(eq=False, slots=True)
class Interaction:
    """A command (`kind` 2) or a press (`kind` 3). `ack` is the callback's type, `acked_at` when it came, None while it did not.

    `on` is the message that holds the button; `original` the first answer, `followups` the further ones; `choices` what a
    callback brought that is no message (a modal).
    """

    id: str
    token: str
    kind: int
    person: Person
    channel: Channel
    data: Json
    at: float
    user_install: bool = False
    on: Post | None = None
    ack: int | None = None
    acked_at: float | None = None
    original: Post | None = None
    followups: list[Post] = field(default_factory=list)

    @property
    def ack_s(self) -> float | None:
        """Seconds to the first response."""
        return None if self.acked_at is None else self.acked_at - self.at


@dataclass(eq=False, slots=True)
class World:
    """Everything there is, by id."""

    ids: Snowflakes = field(default_factory=Snowflakes)
    people: dict[str, Person] = field(default_factory=dict)
    guilds: dict[str, Guild] = field(default_factory=dict)
    channels: dict[str, Channel] = field(default_factory=dict)
    posts: dict[str, Post] = field(default_factory=dict)
    files: dict[str, Upload] = field(default_factory=dict)
    interactions: dict[str, Interaction] = field(default_factory=dict)
    tokens: dict[str, Interaction] = field(default_factory=dict)
    commands: list[Json] = field(default_factory=list)
    typing: list[tuple[str, float]] = field(default_factory=list)
    nonces: dict[tuple[str, str], tuple[float, Post]] = field(default_factory=dict)

    def add(self, post: Post) -> Post:
        """Let a message appear in its channel."""
        self.posts[post.id] = post
        post.channel.posts.append(post)
        self.keep(post.files)
        post.note(post.at)
        return post

    def keep(self, files: list[Upload]) -> None:
        """Give new files their ids."""
        for file in files:
            file.id = file.id or self.ids.next()
            self.files[file.id] = file

    def token(self) -> str:
        """A token of an interaction."""
        return "aW50ZXJhY3Rpb246" + secrets.token_urlsafe(40)
