"""A live HTTP door on a small house: a real database, the real dispatcher, and an answerer that does as it is told."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from adapters.types import Reply, Source
from bot.dispatch import Dispatcher
from bot.http.server import HttpDoor
from bot.live import Event, Outcome, Received, Restarted, Step, Words
from bot.people.people import Person
from bot.settings.fields import HttpConfig
from bot.telemetry import Telemetry
from bot.tokens import Tokens
from tests.bot.house import open_house

SOURCE = Source(1, "house", "boiler.md", "The boiler", "Service › p. 3", None, 0.81, "Bleed the radiators first.")
ANSWER = Reply(
    "Bleed it first [1].",
    citations=(SOURCE,),
    consulted=(Source(2, "house", "car.md", "The car", None, None, 0.4, "Tyres."),),
    model="test-model",
    timings={"retrieve": 0.01, "generate": 0.2},
    prompt_tokens=120,
    answer_tokens=7,
)


@dataclass
class Pupil:
    """Answers every question with `reply`, word by word; one that begins with `wait` only once `gate` is set."""

    reply: Reply = ANSWER
    script: list[Step | Words | Restarted] | None = None
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    arrived: asyncio.Queue[Received] = field(default_factory=asyncio.Queue)
    broken: asyncio.Queue[str] = field(default_factory=asyncio.Queue)

    async def answer(self, received: Received) -> AsyncGenerator[Event | Outcome]:
        self.arrived.put_nowait(received)
        try:
            yield Step("retrieve")
            yield Step("generate")
            for event in self.script or [Words(f"{word} ") for word in self.reply.text.split()]:
                yield event
                await asyncio.sleep(0)
            if received.message.text.startswith("wait"):
                await self.gate.wait()
        except (asyncio.CancelledError, GeneratorExit):
            self.broken.put_nowait(received.message.text)
            raise
        yield Outcome(self.reply, None)


@dataclass
class House:
    """What the door asks for."""

    dispatcher: Dispatcher
    tokens: Tokens
    telemetry: Telemetry
    model_name: str = "test-model"
    parts: dict[str, bool] = field(default_factory=lambda: {"database": True, "index": False, "model": True})
    trouble: Exception | None = None

    def ready(self) -> dict[str, bool]:
        return self.parts

    async def status(self, person: Person) -> dict[str, Any]:
        if self.trouble:
            raise self.trouble
        return {"person": person.name, "waiting": self.dispatcher.waiting()}


@dataclass
class Open:
    """An open door and a client of Anna, the owner."""

    house: House
    door: HttpDoor
    pupil: Pupil
    client: aiohttp.ClientSession
    address: str
    secrets: dict[str, str]

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    def bearer(self, name: str = "anna") -> dict[str, str]:
        return {"Authorization": f"Bearer {self.secrets[name]}"}

    async def ask(self, question: str = "How?", key: str | None = None, **fields: Any) -> tuple[int, dict[str, Any]]:
        headers = {"Idempotency-Key": key} if key is not None else {}
        async with self.client.post("/ask", json={"question": question, **fields}, headers=headers) as response:
            return response.status, await response.json()

    async def post(self, body: bytes, path: str = "/ask", **headers: str) -> tuple[int, dict[str, Any]]:
        async with self.client.post(path, data=io.BytesIO(body), headers=headers) as response:
            return response.status, await response.json()

    async def get(self, path: str) -> tuple[int, dict[str, Any]]:
        async with self.client.get(path) as response:
            return response.status, await response.json()

    async def raw(self, sent: bytes, *, close: bool = False) -> bytes:
        """Send bytes as they are and return all that comes back until the server hangs up."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(sent)
            await writer.drain()
            if close:
                writer.write_eof()
            return await reader.read()
        finally:
            writer.close()


@asynccontextmanager
async def open_door(folder: Path, pupil: Pupil | None = None, *, slots: int = 1, **http: Any) -> AsyncIterator[Open]:
    pupil = pupil or Pupil()
    async with open_house(folder, pupil, slots=slots, question_chars=1000) as inner:
        tokens = Tokens(inner.database)
        names = ("anna", "ben")
        secrets = {name: await tokens.create(name, inner.person(name)) for name in names}
        house = House(inner.dispatcher, tokens, Telemetry())
        door = HttpDoor(house, HttpConfig.model_validate({"port": 0, **http}))
        address = await door.start()
        headers = {"Authorization": f"Bearer {secrets['anna']}"}
        async with aiohttp.ClientSession(address, headers=headers) as client:
            try:
                yield Open(house, door, pupil, client, address, secrets)
            finally:
                await door.stop()


async def events_of(response: aiohttp.ClientResponse) -> AsyncIterator[tuple[str, Any]]:
    """The events of a stream: name and data; a comment is called by its text and has no data."""
    name = ""
    async for line in response.content:
        match line.rstrip(b"\n").partition(b": "):
            case b"", _, comment:
                if comment:
                    yield comment.decode(), None
            case b"event", _, value:
                name = value.decode()
            case b"data", _, value:
                yield name, (orjson.loads(value) if value.startswith(b"{") else value.decode())
