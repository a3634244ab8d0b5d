"""A small host that keeps what it was given, and the platform running on the stand-in."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Self

from adapters.telegram.config import TelegramConfig
from adapters.telegram.platform import TelegramPlatform
from adapters.types import Attachment, CommandSpec, Message, Origin, Press, Pressed, Said

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from tests.rigs.telegram import Telegram

COMMANDS = (
    CommandSpec("ask", {"en": "Ask something", "fr": "Poser une question"}),
    CommandSpec("index", {"en": "Index now", "fr": "Indexer"}, owner=True),
)
WORDS = {"answer_in_file": "The whole answer is in the file.", "press_again": "Press again to read all of it."}


class Memory:
    """A ledger that forgets nothing while the test lasts; `broken` refuses to write."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.broken = False

    async def get(self, key: str) -> str | None:
        return self.values.get(key)

    async def put(self, key: str, value: str | None) -> None:
        if self.broken:
            raise OSError("no space left")
        if value is None:
            self.values.pop(key, None)
        else:
            self.values[key] = value

    async def all(self, prefix: str) -> dict[str, str]:
        return {key: value for key, value in self.values.items() if key.startswith(prefix)}


class Host:
    """Keeps messages once each. `fails(message)` says whether storing fails now; `says` is answered at once."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.edits: list[Message] = []
        self.presses: list[Press] = []
        self.moves: list[tuple[str, str]] = []
        self.tries: list[str] = []
        self.fails: Callable[[Message], bool] = lambda _: False
        self.says: Said | None = None
        self.pressed = Pressed()
        self.wait_s = 0.0

    async def receive(self, message: Message, mark: object = None) -> int | Said | None:  # noqa: ARG002
        self.tries.append(message.id)
        await asyncio.sleep(self.wait_s)
        if self.fails(message):
            raise RuntimeError("cannot be stored")
        if self.says is not None:
            return self.says
        known = [one.id for one in self.messages]
        if message.id not in known:
            self.messages.append(message)
            known.append(message.id)
        return known.index(message.id) + 1

    async def edited(self, message: Message) -> None:
        self.edits.append(message)

    async def deleted(self, platform: str, account: str, ids: Sequence[str]) -> None:  # noqa: ARG002
        raise AssertionError("Telegram does not tell")

    async def press(self, press: Press) -> Pressed:
        self.presses.append(press)
        return self.pressed

    async def moved(self, platform: str, chat: str, to: str) -> None:  # noqa: ARG002
        self.moves.append((chat, to))

    async def until(self, seen: Callable[[], object]) -> None:
        await until(seen)

    async def has(self, count: int) -> list[Message]:
        """Wait for so many messages."""
        await self.until(lambda: len(self.messages) >= count)
        return self.messages

    def texts(self) -> list[str]:
        return [message.text for message in self.messages]


class House:
    """The platform on a stand-in: `async with House(rig) as house:` runs it; `stop` and `start` make it run again."""

    def __init__(self, rig: Telegram, ledger: Memory | None = None, host: Host | None = None, **settings: Any) -> None:
        self.rig, self.host, self.ledger = rig, host or Host(), ledger or Memory()
        lifted = {"chat_per_second": 0, "group_per_minute": 0, "global_per_second": 0, "gather_s": 0.3, "call_timeout_s": 2}
        values = {"token": rig.token, "base_url": rig.base_url, **lifted, **settings}
        self.points: list[str] = []
        self.platform = TelegramPlatform(
            TelegramConfig(**values), self.ledger, COMMANDS, lambda key, _: WORDS[key], point=self.points.append, patience_s=0.05
        )
        self.task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self.task = asyncio.create_task(self.platform.run(self.host))
        async with asyncio.timeout(10):
            while self.platform.status.state == "starting" and not self.task.done():
                await asyncio.sleep(0.005)

    async def stop(self) -> None:
        assert self.task is not None
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.stop()

    async def origin(self, count: int = 1, live: str | None = None) -> Origin:
        """The last of so many messages, as something to be answered."""
        messages = await self.host.has(count)
        return Origin(count, messages[count - 1], 0.0, live)


async def until(seen: Callable[[], object], timeout_s: float = 10.0) -> None:
    """Wait until something is true."""
    async with asyncio.timeout(timeout_s):
        while not seen():
            await asyncio.sleep(0.005)


def file(identifier: str, size: int) -> Attachment:
    """A file as a message names it."""
    return Attachment(identifier, "notes.txt", size)
