"""The clients of the benches: a question to the daemon as an event stream, and the same prompt to the model by bare aiohttp."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    import aiohttp


@dataclass(frozen=True, slots=True)
class Answered:
    """Seconds to the first words, and the reply."""

    first_s: float
    reply: dict[str, Any]


async def ask(session: aiohttp.ClientSession, url: str, question: str, conversation: str) -> Answered:
    """`POST /ask` as a stream, read to its end."""
    body = orjson.dumps({"question": question, "conversation": conversation, "stream": True})
    started, first_s = time.perf_counter(), 0.0
    received = bytearray()
    async with session.post(f"{url}/ask", data=body, headers={"Content-Type": "application/json"}) as response:
        async for piece in response.content.iter_any():
            received += piece
            if not first_s and b"event: words" in received:
                first_s = time.perf_counter() - started
    name, data = received.strip().rpartition(b"event: ")[2].split(b"\n", 1)
    reply = orjson.loads(data.removeprefix(b"data: "))
    assert name == b"answer", reply
    assert not reply["refused"], reply
    assert first_s, reply
    return Answered(first_s, reply)


async def post(session: aiohttp.ClientSession, address: str, prompt: bytes) -> float:
    """`/api/chat` with a body made before; seconds to its first token. Read to its end."""
    started, first_s = time.perf_counter(), 0.0
    async with session.post(f"{address}/api/chat", data=prompt) as response:
        async for piece in response.content.iter_any():
            if not first_s and piece:
                first_s = time.perf_counter() - started
    assert response.status == 200
    return first_s


async def embed(session: aiohttp.ClientSession, address: str, question: str) -> float:
    """Seconds of the embedding round trip."""
    body = orjson.dumps(
        {"model": "all-minilm", "input": [question], "truncate": False, "keep_alive": -1, "options": {"num_ctx": 256}}
    )
    started = time.perf_counter()
    async with session.post(f"{address}/api/embed", data=body) as response:
        await response.read()
    assert response.status == 200
    return time.perf_counter() - started


def chat_body(recorded: dict[str, Any]) -> bytes:
    """The request that led to a prompt of the stand-in's record."""
    body = {
        "model": recorded["model"],
        "messages": recorded["messages"],
        "stream": True,
        "options": recorded["options"],
        "keep_alive": -1,
        "think": False,
        "truncate": False,
        "shift": False,
    }
    return orjson.dumps(body)
