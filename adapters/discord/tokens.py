"""What an interaction (a command, a press) leaves in its message, so that it can be answered later, by another process too."""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from adapters.discord.payloads import Json
    from adapters.types import Message

OPTION = "interaction"
_MOST = 5000


@dataclass(frozen=True, slots=True)
class Token:
    """The right to answer an interaction until `expires` (seconds since the epoch).

    `hidden`: the answer is for the asker's eyes alone. `original`: the answer takes the place of what the person is shown
    already (not after a press: that is the message with the buttons). `channel`: the bot can write there by itself. `on` is the
    message whose button was pressed.
    """

    id: str
    application: str
    token: str
    expires: float
    hidden: bool = False
    original: bool = True
    channel: bool = True
    on: str | None = None

    @property
    def alive(self) -> bool:
        """Whether Discord still takes answers to it."""
        return time.time() < self.expires

    @property
    def webhook(self) -> str:
        """The path below which its answers are."""
        return f"/webhooks/{self.application}/{self.token}"

    @property
    def whole(self) -> bool:
        """Whether the answer must fit into one message: further ones would be seen by others, or have no place."""
        return self.hidden or not self.channel

    def stored(self) -> Json:
        """As JSON values, for the options of a message."""
        return {OPTION: asdict(self)}


def token_of(message: Message) -> Token | None:
    """The right to answer that a message came with, None when it is an ordinary one."""
    told = message.options.get(OPTION)
    return Token(**told) if isinstance(told, dict) else None


class Visits:
    """The last interaction of each person: what could not be delivered to somebody waits for the next one."""

    def __init__(self) -> None:
        self._last: dict[str, Token] = {}
        self._came = asyncio.Event()
        self._unanswered: dict[str, asyncio.Event] = {}

    def begin(self, id_: str) -> None:
        """An interaction came: before its first response, nothing else can be said to it."""
        self._unanswered[id_] = asyncio.Event()

    def answered(self, id_: str) -> None:
        """Its first response was made, or will never be."""
        event = self._unanswered.pop(id_, None)
        if event is not None:
            event.set()

    async def open(self, id_: str) -> None:
        """Return once an interaction of this process had its first response."""
        event = self._unanswered.get(id_)
        if event is not None:
            await event.wait()

    def note(self, user: str, token: Token) -> None:
        """Somebody used a command or a button."""
        self._last.pop(user, None)
        if len(self._last) >= _MOST:
            self._last.pop(next(iter(self._last)))
        self._last[user] = token
        self._came.set()
        self._came = asyncio.Event()

    async def next(self, user: str, but: str, timeout_s: float) -> Token | None:
        """A living token of a person, another than `but`; waits for one. None: nobody came."""
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    token = self._last.get(user)
                    if token is not None and token.alive and token.id != but:
                        return token
                    await self._came.wait()
        except TimeoutError:
            return None
