"""A small daemon to be killed: the line with a trivial answerer, a fetched and a sent door; run again, it goes on.

`python -m tests.crash.line FOLDER COUNT`. Each start sends every message once more under its own id, as platforms and clients do
until they are told "received", then waits for all replies. What the outside saw is appended to the files `replies` and `sent`.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path

from adapters.types import Live, Message, Origin, Part, Reply
from bot.database.database import Database
from bot.dispatch import Dispatcher
from bot.doors import Door, PullDoor
from bot.inbox import Inbox
from bot.live import Finished, NewTurn, Outcome, Received, Words
from bot.people.people import People, Person
from bot.settings.fields import LimitsConfig, PersonConfig

PEOPLE = ("anna", "ben")


class Seen:
    """What the outside saw, one line at a time; it survives this process."""

    def __init__(self, folder: Path) -> None:
        self._files = {name: os.open(folder / name, os.O_CREAT | os.O_APPEND | os.O_WRONLY) for name in ("replies", "sent")}

    def note(self, name: str, line: str) -> None:
        os.write(self._files[name], f"{line}\n".encode())


class SentDoor:
    """Two parts; notes the key and the words of each that it sends."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen

    async def show(self, _origin: Origin, _live: Callable[[], Live | None]) -> str | None:
        return None

    def parts(self, _origin: Origin, reply: Reply) -> Sequence[Part]:
        return [Part({"text": reply.text}), Part({"text": reply.text})]

    async def send(self, _origin: Origin, part: Part, key: str, *, tried_s: float | None = None) -> str | None:  # noqa: ARG002 -- the contract names it
        self._seen.note("sent", f"{key} {part.payload['text']}")
        return key


class Nonces:
    """Every attempt makes another reply: two of them for one message would show."""

    async def answer(self, received: Received) -> AsyncGenerator[Words | Outcome]:
        for word in ["three", "small", "words"]:
            await asyncio.sleep(0)
            yield Words(word)
        text = f"{received.message.id}-{secrets.token_hex(4)}"
        yield Outcome(Reply(text), NewTurn(received.message.text, text, frozenset({1, 2})))


def message(n: int) -> tuple[str, Message]:
    """The n-th message, and who sends it: two people, each with a fetched and a sent conversation."""
    platform = ("http", "telegram")[n // 2 % 2]
    return PEOPLE[n % 2], Message(platform, "account", str(n), platform, "sender", str(n), private=False)


async def one(dispatcher: Dispatcher, person: Person, sent: Message, seen: Seen) -> None:
    id_ = await dispatcher.receive(sent, person)
    async for event in dispatcher.follow(id_):
        if isinstance(event, Finished):
            seen.note("replies", f"{sent.id} {event.reply.error or event.reply.text}")


async def main(folder: Path, count: int) -> None:
    seen = Seen(folder)
    database = await Database.open(folder / "grillon.db")
    people = People(database)
    await people.declare([PersonConfig(name=name) for name in PEOPLE])
    limits = LimitsConfig(attempts=20, queue=10_000, queue_person=10_000, person_minute_http=0)
    doors: dict[str, Door] = {"http": PullDoor(), "telegram": SentDoor(seen)}
    dispatcher = Dispatcher(Inbox(database, limits), Nonces(), doors, limits, slots=3, retry_s=(0.01,))
    serving = asyncio.create_task(dispatcher.run())
    messages = [message(n) for n in range(count)]
    await asyncio.gather(*(one(dispatcher, people.named(name) or people.owner, sent, seen) for name, sent in messages))
    await dispatcher.drain(30)
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    await database.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
