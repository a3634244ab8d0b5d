"""A small house for tests of the line: a real database, two people, doors and an answerer that do as they are told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from adapters.types import Live, Message, Origin, Part, Reply
from bot.database.database import Database
from bot.dispatch import Dispatcher
from bot.doors import Door, PullDoor
from bot.inbox import Inbox
from bot.live import Event, Finished, NewTurn, Outcome, Received, Step, Words
from bot.people.people import People, Person
from bot.settings.fields import LimitsConfig, PersonConfig

Answer = Callable[[Received], AsyncGenerator[Step | Words | Outcome]]


def message(
    id_: str, text: str = "", *, platform: str = "http", thread: str | None = None, private: bool = True, **options: object
) -> Message:
    return Message(platform, "account", id_, "chat", "sender", text or f"question {id_}", private, thread, options=dict(options))


async def answered(received: Received) -> AsyncGenerator[Step | Words | Outcome]:
    """An answer at once, with a turn."""
    yield Step("generate")
    yield Words("an ")
    yield Words("answer")
    text = f"answer to {received.message.text}"
    yield Outcome(Reply(text), NewTurn(received.message.text, text))


class Gated:
    """Answers when it is told to; knows who is being answered, in which order, and who was broken off."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.broken: list[str] = []
        self.gates: dict[str, asyncio.Event] = {}
        self.arrivals: asyncio.Queue[str] = asyncio.Queue()

    async def answer(self, received: Received) -> AsyncGenerator[Step | Words | Outcome]:
        id_ = received.message.id
        self.started.append(id_)
        self.arrivals.put_nowait(id_)
        try:
            yield Words("so far")
            await self.gates.setdefault(id_, asyncio.Event()).wait()
        except (asyncio.CancelledError, GeneratorExit):
            self.broken.append(id_)
            raise
        yield Outcome(Reply(f"answer {id_}"), NewTurn(received.message.text, f"answer {id_}"))

    def let(self, id_: str) -> None:
        self.gates.setdefault(id_, asyncio.Event()).set()


@dataclass
class Told:
    """An answerer made of a function."""

    answer: Answer = answered


@dataclass
class PushDoor:
    """A platform that cuts replies at blanks and records what it sends; `troubles` are raised first, one per call."""

    sent: list[tuple[str, str, str]] = field(default_factory=list)
    troubles: list[Exception] = field(default_factory=list)
    sending: Callable[[], Awaitable[None]] | None = None
    shown: list[tuple[str, Live]] = field(default_factory=list)
    tried: list[float | None] = field(default_factory=list)

    async def show(self, origin: Origin, live: Callable[[], Live | None]) -> str | None:
        now = live()
        if now is not None:
            self.shown.append((origin.message.id, now))
        return f"live {origin.message.id}" if origin.message.id in dict(self.shown) else None

    def parts(self, _origin: Origin, reply: Reply) -> Sequence[Part]:
        return [Part({"text": word}) for word in reply.text.split()]

    async def send(self, origin: Origin, part: Part, key: str, *, tried_s: float | None = None) -> str | None:
        self.tried.append(tried_s)
        if self.sending is not None:
            await self.sending()
        if self.troubles:
            raise self.troubles.pop(0)
        self.sent.append((origin.message.id, part.payload["text"], key))
        return f"p{len(self.sent)}"


@dataclass
class House:
    database: Database
    people: People
    inbox: Inbox
    dispatcher: Dispatcher

    def person(self, name: str) -> Person:
        found = self.people.named(name)
        assert found is not None
        return found

    async def ask(self, message_: Message, name: str = "anna") -> Reply:
        return await self.reply(await self.dispatcher.receive(message_, self.person(name)))

    async def reply(self, id_: int) -> Reply:
        last = (await self.events(id_))[-1]
        assert isinstance(last, Finished)
        return last.reply

    async def events(self, id_: int) -> list[Event]:
        return [event async for event in self.dispatcher.follow(id_)]

    async def states(self) -> dict[str, tuple[str, str | None, int]]:
        rows = await self.database.read(
            lambda connection: connection.exec_driver_sql(
                "SELECT message_id, state, outcome, attempts FROM inbox ORDER BY id"
            ).all()
        )
        return {row.message_id: (row.state, row.outcome, row.attempts) for row in rows}


@asynccontextmanager
async def open_house(
    folder: Path,
    answerer: object | None = None,
    *,
    doors: dict[str, Door] | None = None,
    slots: int = 1,
    retry_s: Sequence[float] = (0.01,),
    settled: Callable[[], Awaitable[object]] | None = None,
    **limits: float,
) -> AsyncIterator[House]:
    database = await Database.open(folder / "grillon.db")
    people = People(database)
    await people.declare([PersonConfig(name="anna", owner=True), *(PersonConfig(name=name) for name in ("ben", "carl", "dora"))])
    doors = doors or {"http": PullDoor()}
    config = LimitsConfig.model_validate({"person_minute_http": 0, **limits})
    inbox = Inbox(database, config)
    dispatcher = Dispatcher(inbox, answerer or Told(), doors, config, slots, retry_s=retry_s, settled=settled)  # type: ignore[arg-type]
    people.watch_blocks(dispatcher.silence)
    running = asyncio.create_task(dispatcher.run())
    try:
        yield House(database, people, inbox, dispatcher)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await database.close()
