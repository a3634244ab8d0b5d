"""What goes in and out of every door: messages, replies, parts, and the contract with a platform."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file sent with a message; nothing of it has been downloaded yet.

    `size` is in bytes, as the platform claims it.
    """

    id: str
    name: str
    size: int
    media_type: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """What comes in. Unique on `(platform, account, id)`.

    `platform` is `discord`, `telegram`, `http` or `terminal`; `account` is the account of ours that received it (so that
    two bots on one platform do not mix); `chat`, `thread` and `sender` are the platform's own ids. `private` is true when
    the sender alone can read the reply. `options` is what the door alone understands, as JSON values: it is stored
    with the message so that the reply can be delivered after a crash.
    """

    platform: str
    account: str
    id: str
    chat: str
    sender: str
    text: str
    private: bool
    thread: str | None = None
    sender_name: str | None = None
    locale: str | None = None
    reply_to: str | None = None
    attachments: tuple[Attachment, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Source:
    """A passage as a person sees it: a citation `[n]`, or one that was consulted, or the nearest when nothing was found.

    `locator` is a page, heading or time code, ready to be shown; `score` is the similarity, 0 to 1.
    """

    n: int
    collection: str
    document: str
    title: str
    locator: str | None
    url: str | None
    score: float
    excerpt: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes out. `error` is a machine-readable code when `text` is a sentence about a failure, else None.

    `refused` means: nothing relevant was found, `nearest` shows what came closest. `cut` means: the model's answer ended at
    its length limit and `/continue` goes on. `timings` are seconds by step; the tokens are those the model read and wrote.
    """

    text: str
    citations: tuple[Source, ...] = ()
    consulted: tuple[Source, ...] = ()
    nearest: tuple[Source, ...] = ()
    refused: bool = False
    cut: bool = False
    error: str | None = None
    conversation: str | None = None
    model: str | None = None
    timings: dict[str, float] = field(default_factory=dict)
    prompt_tokens: int = 0
    answer_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Part:
    """One native message of a reply: what `send` sends, as JSON values, so that it can be stored in the outbox."""

    payload: dict[str, Any]


class DeliveryError(Exception):
    """A part could not be delivered.

    DeliveryError
    ├── NotSentError      it surely did not arrive: sending again is safe
    ├── UnknownError      it may have arrived: sending again may double it
    └── RefusedError      the platform will never take it (blocked, no right to write)
    """


class NotSentError(DeliveryError):
    """It surely did not arrive: sending again is safe. `retry_after` is in seconds, when the platform said so."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class UnknownError(DeliveryError):
    """It may have arrived: sending again may double it."""


class RefusedError(DeliveryError):
    """The platform will never take it."""


class Platform(Protocol):
    """A door. `origin` is the stored `Message`, so that everything can be rebuilt after a crash."""

    name: str

    async def run(self, receive: Callable[[Message], Awaitable[int]]) -> None:
        """Serve until cancelled. `receive` returns only when the message is safely stored."""

    async def show(self, origin: Message, text: str) -> None:
        """Show the live text, any number of times, best effort."""

    def parts(self, reply: Reply) -> Sequence[Part]:
        """Cut the final text for this platform. Pure; runs off the event loop, before the answer is committed."""

    async def send(self, origin: Message, part: Part, key: str) -> str | None:
        """Send one part and return the platform's id of it. `key` is the idempotency key.

        Raises `NotSentError`, `UnknownError`, `RefusedError`.
        """
