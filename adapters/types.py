"""What goes in and out of every door: messages, replies, parts, and the contract between a platform and its host."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


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
    two bots on one platform do not mix); `chat`, `thread`, `guild`, `roles` and `sender` are the platform's own ids. `private` is
    true when the sender alone can read the reply. `options` is what the door alone understands, as JSON values: it is stored
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
    guild: str | None = None
    roles: tuple[str, ...] = ()


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
class Button:
    """A button under a reply. `code` is what comes back when it is pressed: unguessable, at most 60 ASCII characters.

    `label` is ready to be shown.
    """

    kind: Literal["source", "like", "dislike", "retry", "stop"]
    label: str
    code: str


@dataclass(frozen=True, slots=True)
class File:
    """A file that goes out with a reply."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes out. `error` is a machine-readable code when `text` is a sentence about a failure, else None.

    `text` is Markdown. `refused` means: nothing relevant was found, `nearest` shows what came closest. `cut` means: the model's
    answer ended at its length limit and `/continue` goes on. `timings` are seconds by step; the tokens are those the model read
    and wrote. `language` is that of the sentences a platform adds, `en` or `fr`. `untrusted` is true when a model wrote the text:
    links that no source contains are then shown as text.
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
    language: str = "en"
    untrusted: bool = False
    buttons: tuple[Button, ...] = ()
    file: File | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """One native message of a reply: what `send` sends, as JSON values, so that it can be stored in the outbox."""

    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Origin:
    """What a reply answers, as it is stored: all that is needed to deliver it, after a crash too.

    `inbox_id` is the message's number in this house; `received_at` is in seconds since the epoch; `live` is the platform's id of
    the message that shows the answer while it is written, None while there is none.
    """

    inbox_id: int
    message: Message
    received_at: float
    live: str | None = None


@dataclass(frozen=True, slots=True)
class Live:
    """An answer while it is written: its words so far, or, while there are none, what is being waited for.

    `note` is a sentence ready to be shown ("You are third in line."), None when there is nothing to say but that it is being
    worked on. `stop` is the button that stops it.
    """

    text: str = ""
    note: str | None = None
    stop: Button | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """What the host answers to a message at once, without storing it (a stranger, a question that is too long): Markdown."""

    text: str


@dataclass(frozen=True, slots=True)
class Press:
    """Somebody pressed a button, or opened a link to one.

    `message` is what a message of that person in that place would be: its `id` is the platform's id of the press, its `text` is
    empty, its `options` let a reply to it be delivered. `on` is the platform's id of the message that holds the button.
    """

    code: str
    message: Message
    on: str | None = None


@dataclass(frozen=True, slots=True)
class Pressed:
    """What a press brings, for the eyes of who pressed alone: Markdown, and the address of the source where it has one.

    `text` is None when there is nothing to show. `link` is a code: in a private chat with the bot, `/start CODE` shows the same.
    """

    text: str | None = None
    url: str | None = None
    link: str | None = None


@dataclass(frozen=True, slots=True)
class CommandSpec:
    """A command, as platforms announce it. `descriptions` by language, at most 100 characters; `names` where one is localised.

    `argument` is what follows it: its name and description by language, None when nothing does; `required` says whether it must
    be there. `choices` are all values an argument may have, empty: any. `owner`: for the owner alone.
    """

    name: str
    descriptions: Mapping[str, str]
    names: Mapping[str, str] = field(default_factory=dict)
    argument: str | None = None
    argument_descriptions: Mapping[str, str] = field(default_factory=dict)
    required: bool = False
    choices: tuple[str, ...] = ()
    owner: bool = False


@dataclass(frozen=True, slots=True)
class Status:
    """How a platform is. `state`: `starting`, `serving`, `waiting` (it reconnects) or `stopped` (a person must mend it).

    `good_at` is the last good poll or heartbeat, in seconds since the epoch; `detail` is a sentence. `limited`: calls that the
    platform put off, because there were too many, since this process began.
    """

    state: Literal["starting", "serving", "waiting", "stopped"]
    good_at: float | None = None
    detail: str = ""
    limited: int = 0


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


class FetchError(Exception):
    """A file that came with a message cannot be had. `reason`: `too_large`, `gone` (for good) or `failed` (try again)."""

    def __init__(self, reason: Literal["too_large", "gone", "failed"], message: str) -> None:
        super().__init__(message)
        self.reason = reason


class StoppedError(Exception):
    """A platform cannot go on until a person mends it (a bad token, a second daemon on it). The message says what to do."""


class Ledger(Protocol):
    """A small persistent memory of one platform: cursors, counters, budgets. Keys and values are short texts."""

    async def get(self, key: str) -> str | None:
        """The value of a key, None when it has none."""

    async def put(self, key: str, value: str | None) -> None:
        """Set a value, lasting; None removes it."""

    async def all(self, prefix: str) -> dict[str, str]:
        """All keys that begin so, with their values."""


class Host(Protocol):
    """What the daemon does for a platform. Everything it returns is in the language of who asks."""

    async def receive(self, message: Message, mark: tuple[str, str] | None = None) -> int | Said | None:
        """Take a message: whoever calls tells the platform "received" only after this returned.

        Returns its inbox id when it is stored (now or before; 0: it was handled once, then forgotten), a sentence to be said at
        once, best effort, or None when there is nothing to say. `mark` is put into the ledger in the same transaction, or by
        itself when nothing is stored. Raises when it cannot be stored: then it must be fetched again.
        """

    async def edited(self, message: Message) -> None:
        """A message was edited: one that waits is replaced, one being answered is offered again; unknown ones are ignored."""

    async def deleted(self, platform: str, account: str, ids: Sequence[str]) -> None:
        """Messages were deleted: they are not answered any more. Unknown ones are ignored."""

    async def press(self, press: Press) -> Pressed:
        """Do what a button says. Codes that are wrong, of somebody else or expired bring a sentence that says so."""

    async def moved(self, platform: str, chat: str, to: str) -> None:
        """A chat got a new id (a group that became a supergroup): its conversations and rights go with it."""


class Platform(Protocol):
    """A chat platform. Made once, with settings, ledger, commands and texts; `run` is called again after each failure."""

    name: str

    @property
    def status(self) -> Status:
        """How it is now."""

    async def run(self, host: Host) -> None:
        """Connect anew and serve until cancelled. Raises `StoppedError`; any other exception means: try again, patiently."""

    async def show(self, origin: Origin, live: Callable[[], Live | None]) -> str | None:
        """Show how an answer is coming on, best effort: a sign of life, then its words. Called again whenever there is news.

        Waits for the chat's budget, then shows what `live()` says at that moment; None means: it is over, show nothing. Returns
        the platform's id of the message that shows it, None when there is none. Cancelling it leaves no call in flight.
        """

    def parts(self, origin: Origin, reply: Reply) -> Sequence[Part]:
        """Cut the final text for this platform. Pure; runs off the event loop, before the answer is committed."""

    async def send(self, origin: Origin, part: Part, key: str, *, tried_s: float | None = None) -> str | None:
        """Send one part and return the platform's id of it. `key` is the idempotency key, `INBOX_ID.ORDINAL`.

        The first part takes the place of `origin.live`. `tried_s` is given when a former try may have arrived: so many seconds
        ago it began. What cannot find out raises `UnknownError` at once. Raises `NotSentError`, `UnknownError`, `RefusedError`.
        """

    async def fetch(self, attachment: Attachment, limit_bytes: int) -> bytes:
        """Download a file that came with a message, no more than `limit_bytes` of it. Raises `FetchError`."""
