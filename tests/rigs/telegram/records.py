"""What the ledger is made of: each thing that a person would see, or that the bot did, with its time.

`at` is `time.monotonic()`, comparable with that of other processes of the machine; `wall` is `time.time()`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Literal

Entity = dict[str, Any]
Buttons = tuple[tuple[dict[str, Any], ...], ...]


@dataclass(eq=False, slots=True, kw_only=True)
class Timed:
    """Something that happened now."""

    at: float = field(default_factory=time.monotonic)
    wall: float = field(default_factory=time.time)


@dataclass(eq=False, slots=True)
class Version(Timed):
    """A message as it was from `at` on. `entities` are the final ones, with the links that the server made by itself."""

    text: str
    entities: tuple[Entity, ...] = ()
    buttons: Buttons = ()


@dataclass(frozen=True, slots=True)
class Media:
    """A file that somebody sent."""

    id: str
    kind: Literal["document", "photo", "voice"]
    name: str
    media_type: str
    data: bytes
    claimed: int | None = None

    @property
    def size(self) -> int:
        """What the server says it is, in bytes; a script may claim a size without holding the bytes."""
        return len(self.data) if self.claimed is None else self.claimed


@dataclass(eq=False, slots=True)
class Reaction(Timed):
    """The reactions that the bot left on a message, all of them; empty: removed."""

    emoji: tuple[str, ...]


@dataclass(eq=False, slots=True, kw_only=True)
class Shown:
    """A message in a chat, by whomever. `update` is the id of the update that told the bot of it, None: it never was told."""

    chat: int
    id: int
    sender: int
    by_bot: bool
    history: list[Version]
    thread: int | None = None
    reply_to: int | None = None
    media: Media | None = None
    album: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)
    reactions: list[Reaction] = field(default_factory=list)
    deleted_at: float | None = None
    preview: bool = True
    silent: bool = False
    update: int | None = None

    @property
    def now(self) -> Version:
        return self.history[-1]

    @property
    def text(self) -> str:
        return self.now.text

    @property
    def entities(self) -> tuple[Entity, ...]:
        return self.now.entities

    @property
    def buttons(self) -> Buttons:
        return self.now.buttons

    @property
    def edits(self) -> list[Version]:
        return self.history[1:]

    @property
    def at(self) -> float:
        return self.history[0].at

    @property
    def wall(self) -> float:
        return self.history[0].wall

    def labels(self) -> list[str]:
        """The words on its buttons."""
        return [button["text"] for row in self.buttons for button in row]


@dataclass(eq=False, slots=True)
class Draft(Timed):
    """A preview of a message that is being written; it is gone 30 s later or with the next message of the bot."""

    chat: int
    thread: int | None
    id: int
    text: str
    entities: tuple[Entity, ...] = ()


@dataclass(eq=False, slots=True)
class Action(Timed):
    """The line "… is typing"."""

    chat: int
    thread: int | None
    kind: str


@dataclass(eq=False, slots=True)
class Answer(Timed):
    """What came of a press: nothing, a line that passes, an alert, or an address that opens."""

    query: str
    text: str | None
    alert: bool
    url: str | None


@dataclass(eq=False, slots=True)
class Press(Timed):
    """A person pressed a button; `query` is the id of the callback query."""

    query: str
    sender: int
    on: Shown
    button: dict[str, Any]


@dataclass(eq=False, slots=True)
class Violation(Timed):
    """A call that breaks a rule.

    `kind`: `entities`, `entities_ignored`, `length`, `limit`, `impatient`, `buttons`, `callback`, `rule`.
    """

    kind: str
    method: str
    chat: int | None
    detail: str


@dataclass(eq=False, slots=True)
class Call(Timed):
    """A call of the bot. `status` is the HTTP status it got; None: no answer yet, or none ever. `fault` is what struck it."""

    method: str
    chat: int | None
    parameters: dict[str, Any]
    status: int | None = None
    fault: str | None = None


@dataclass(eq=False, slots=True)
class Sign(Timed):
    """A sign of life. `kind`: `action`, `reaction`, `draft` or `message`; `delay_s` since the message it follows."""

    kind: str
    delay_s: float
