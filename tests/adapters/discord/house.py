"""A house for one platform: it keeps what it is told in lists, answers when asked to, and fails on demand."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from adapters.discord.config import DiscordBudgets, DiscordConfig, DiscordDeadlines
from adapters.discord.errors import LostError
from adapters.discord.platform import DiscordPlatform, IdentifyLimitError
from adapters.types import CommandSpec, Message, NotSentError, Origin, Pressed, Reply, Said

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from adapters.types import Press
    from tests.rigs.discord import Discord

COMMANDS = (
    CommandSpec(
        "ask",
        {"en": "ask a question", "fr": "poser une question"},
        {"en": "ask", "fr": "demander"},
        "question",
        {"en": "what you want to know", "fr": "ce que vous voulez savoir"},
        required=True,
    ),
    CommandSpec("sources", {"en": "the sources of the last answer", "fr": "les sources"}),
    CommandSpec("private", {"en": "leave no trace", "fr": "sans trace"}, argument="state", choices=("on", "off")),
    CommandSpec("people", {"en": "who is who", "fr": "qui est qui"}, owner=True),
)


def say(key: str, language: str) -> str:
    """A sentence of the house."""
    return f"{key} in {language}"


class MemoryLedger:
    """A ledger that outlives platforms. `broken`: nothing can be written."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.broken = False
        self.writes = 0

    async def get(self, key: str) -> str | None:
        """The value of a key."""
        return self.values.get(key)

    async def put(self, key: str, value: str | None) -> None:
        """Set a value."""
        if self.broken:
            raise OSError("disk full")
        self.writes += 1
        if value is None:
            self.values.pop(key, None)
        else:
            self.values[key] = value

    async def all(self, prefix: str) -> dict[str, str]:
        """All keys that begin so."""
        return {key: value for key, value in self.values.items() if key.startswith(prefix)}


@dataclass
class ListHost:
    """The daemon's side. `failures`: how often each text cannot be stored; `replies`: what is answered at once by text."""

    ledger: MemoryLedger
    messages: list[Message] = field(default_factory=list)
    edits: list[Message] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    presses: list[Press] = field(default_factory=list)
    failures: dict[str, int] = field(default_factory=dict)
    said: dict[str, Said | None] = field(default_factory=dict)
    pressed: Pressed = field(default_factory=Pressed)
    delay_s: float = 0.0
    tries: int = 0

    @property
    def texts(self) -> list[str]:
        """The texts, in the order in which they were stored."""
        return [message.text for message in self.messages]

    async def receive(self, message: Message, mark: tuple[str, str] | None = None) -> int | Said | None:
        """Store it once."""
        self.tries += 1
        await asyncio.sleep(self.delay_s)
        if self.failures.get(message.text, 0) > 0:
            self.failures[message.text] -= 1
            raise RuntimeError("cannot be stored")
        if mark is not None:
            await self.ledger.put(*mark)
        if message.text in self.said:
            return self.said[message.text]
        for n, known in enumerate(self.messages, 1):
            if known.id == message.id:
                return n
        self.messages.append(message)
        return len(self.messages)

    async def edited(self, message: Message) -> None:
        """An edit."""
        self.edits.append(message)

    async def deleted(self, platform: str, account: str, ids: Sequence[str]) -> None:
        """Deletions."""
        assert platform == "discord"
        assert account
        self.gone += ids

    async def press(self, press: Press) -> Pressed:
        """A press."""
        self.presses.append(press)
        await asyncio.sleep(self.delay_s)
        return self.pressed

    async def moved(self, platform: str, chat: str, to: str) -> None:  # noqa: ARG002
        """Never on Discord."""
        raise AssertionError


class Home:
    """A daemon's life: platforms come and go, ledger and host stay."""

    def __init__(self, rig: Discord, **settings: Any) -> None:
        self.rig = rig
        self.ledger = MemoryLedger()
        self.host = ListHost(self.ledger)
        self.settings = settings
        self.points: list[str] = []
        self.role_ids: frozenset[str] = frozenset()
        self.platform = self.new()

    def config(self) -> DiscordConfig:
        """The settings: everything quick."""
        given = dict(self.settings)
        budgets = {"channel_per_5_s": 0, "edit_every_s": 0, "global_per_s": 0, **given.pop("budgets", {})}
        deadlines = {"reconnect_s": 0.05, "reidentify_s": 0.05, "request_s": 2.0, "paste_s": 0.25, **given.pop("deadlines", {})}
        return DiscordConfig(
            token=SecretStr(given.pop("token", self.rig.token)),
            api_base=self.rig.api_base,
            gateway=self.rig.gateway_url,
            budgets=DiscordBudgets(**budgets),
            deadlines=DiscordDeadlines(**deadlines),
            **given,
        )

    def new(self) -> DiscordPlatform:
        """Another process: nothing but the ledger is left."""
        self.platform = DiscordPlatform(self.config(), self.ledger, COMMANDS, say, self.role_ids, self.points.append)
        return self.platform

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Home]:
        """Run the platform as the daemon does: again after each failure."""
        task = asyncio.create_task(self._supervised())
        try:
            serving = asyncio.create_task(self._serving())
            await asyncio.wait({task, serving}, return_when=asyncio.FIRST_COMPLETED)
            serving.cancel()
            if task.done():
                task.result()
            yield self
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def until(self, texts: Sequence[str], timeout_s: float = 8.0) -> None:
        """Wait until these texts are stored, and be sure that it stays so."""
        end = time.monotonic() + timeout_s
        while self.host.texts != list(texts) and time.monotonic() < end:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        assert self.host.texts == list(texts)

    async def true(self, what: Any, timeout_s: float = 8.0) -> Any:
        """Wait until something is true."""
        end = time.monotonic() + timeout_s
        while not (value := what()):
            assert time.monotonic() < end, "never true"
            await asyncio.sleep(0.01)
        return value

    def origin(self, n: int = -1, live: str | None = None) -> Origin:
        """What a reply to a stored message answers."""
        message = self.host.messages[n]
        return Origin(self.host.messages.index(message) + 1, message, time.time(), live)

    async def answer(self, reply: Reply | str, n: int = -1, live: str | None = None) -> list[str | None]:
        """Deliver a reply as the daemon does: each part until it is sent."""
        origin = self.origin(n, live)
        reply = Reply(reply) if isinstance(reply, str) else reply
        sent: list[str | None] = []
        for ordinal, part in enumerate(self.platform.parts(origin, reply)):
            while True:
                try:
                    sent.append(await self.platform.send(origin, part, f"{origin.inbox_id}.{ordinal}"))
                    break
                except NotSentError as error:
                    await asyncio.sleep(error.retry_after or 0.05)
        return sent

    async def _serving(self) -> None:
        while self.platform.status.state != "serving":
            await asyncio.sleep(0.005)

    async def _supervised(self) -> None:
        while True:
            try:
                await self.platform.run(self.host)
            except (LostError, IdentifyLimitError):
                await asyncio.sleep(0.05)
