"""Every recorded request goes to the stand-in, in the state its name says; what comes back has the form of what was recorded."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.rigs.ollama import Ollama
from tests.rigs.ollama_script import Fault

_EXCHANGES = [json.loads(line) for line in Path("tests/data/ollama-wire/exchanges.jsonl").read_text().splitlines()]
_FIRST_TOKEN_S = 0.02


@dataclass
class Seen:
    """What came back: `chunks` as they were framed; `end` is `whole`, `cut` or `closed`."""

    status: str = ""
    headers: list[str] = field(default_factory=list)
    headers_s: float = 0.0
    chunks: list[str] = field(default_factory=list)
    end: str = "whole"


async def sent(rig: Ollama, request: dict[str, Any], *, close_after: int | None = None) -> Seen:
    """Send a request and take the answer apart at the socket."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(rig.address.rpartition(":")[2]), limit=2**22)
    body = request["body"]
    data = b"" if body is None else body.encode() if isinstance(body, str) else json.dumps(body).encode()
    seen = Seen()
    try:
        writer.write(
            f"{request['method']} {request['path']} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data
        )
        await _received(reader, seen, close_after)
    except asyncio.IncompleteReadError:
        seen.end = "cut"
    finally:
        writer.close()
    return seen


async def _received(reader: asyncio.StreamReader, seen: Seen, close_after: int | None) -> None:
    begun = asyncio.get_running_loop().time()
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    seen.headers_s = asyncio.get_running_loop().time() - begun
    seen.status, seen.headers = head[0], head[1:-2]
    lengths = [int(line.partition(":")[2]) for line in seen.headers if line.startswith("Content-Length")]
    if lengths:
        seen.chunks = [(await reader.readexactly(lengths[0])).decode()]
    else:
        await _chunks(reader, seen, close_after)


async def _chunks(reader: asyncio.StreamReader, seen: Seen, close_after: int | None) -> None:
    while size := int((await reader.readuntil(b"\r\n")).strip(), 16):
        seen.chunks.append((await reader.readexactly(size)).decode())
        await reader.readexactly(2)
        if len(seen.chunks) == close_after:
            seen.end = "closed"
            return


def expanded(body: Any) -> Any:
    """A shortened text or message list, as long as it was."""
    if isinstance(body, dict):
        if isinstance(body.get("messages"), list):
            body = {**body, "messages": _messages(body["messages"])}
        return {key: expanded(value) for key, value in body.items()}
    if isinstance(body, list):
        return [expanded(value) for value in body]
    found = re.search(r"… \((\d+) characters\)$", body) if isinstance(body, str) else None
    return (body[: found.start()] * 1000)[: int(found[1])] if found else body


def _messages(messages: list[dict[str, str]]) -> list[dict[str, str]]:
    for place, message in enumerate(messages):
        if message["role"] == "…":
            count = int(message["content"].split()[0])
            more = [messages[1 + number % 2] for number in range(count)]
            return [*messages[:place], *more, *messages[place + 1 :]]
    return messages


def shape(value: Any) -> Any:
    """Keys and JSON types."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


def lines(chunks: list[str]) -> list[Any]:
    """The JSON values of a body, of events too."""
    events = [line.removeprefix("data: ") for line in "".join(chunks).splitlines() if line]
    return [line if line == "[DONE]" else json.loads(line) for line in events]


def recorded(exchange: dict[str, Any]) -> Seen:
    response = exchange["response"]
    chunks = [chunk["data"] for chunk in response["chunks"] if "data" in chunk]
    last = response["chunks"][-1]
    end = "cut" if last.get("cut") else "closed" if last.get("closed_by_client") else "whole"
    return Seen(response["status"], response["headers"], 0.0, chunks, end)


async def into_state(rig: Ollama, exchange: dict[str, Any], was: Seen) -> None:
    """What the exchange's name says: which models are loaded, what is broken, who else asks."""
    name = exchange["name"]
    text = "".join(was.chunks)
    stops = '"done_reason":"stop"' in text
    rig.set(
        installed=("all-minilm:latest", "smollm2:135m", *(["mini2:latest"] if name == "delete" else [])),
        first_token_s=_FIRST_TOKEN_S,
        answer="I stop by myself with a colour." if stops else None,
        tokens=None if stops else 1000,
    )
    if "process killed" in name:
        rig.set(faults=[Fault("error_line", after=len(was.chunks) - 1)])
    elif was.end == "cut":
        rig.set(faults=[Fault("cut", after=len(was.chunks))])
    elif name == "model file cut short":
        rig.set(faults=[Fault("500", text=json.loads(text)["error"])])
    if name.startswith("ps"):
        await sent(rig, {"method": "POST", "path": "/api/embed", "body": {"model": "all-minilm", "input": ["x"]}})
    if name.startswith(("ps loaded", "ps both", "ps with")):
        await sent(
            rig, {"method": "POST", "path": "/api/chat", "body": {"model": "smollm2:135m", "messages": [], "keep_alive": -1}}
        )


def error_of(chunks: list[str]) -> Any:
    """The error text, where the last line is one."""
    try:
        last = lines(chunks)[-1]
    except (IndexError, json.JSONDecodeError):
        return "".join(chunks)
    return last.get("error") if isinstance(last, dict) else None


@pytest.mark.parametrize("exchange", _EXCHANGES, ids=lambda exchange: exchange["name"])
async def test_the_stand_in_answers_like_the_real_server(exchange: dict[str, Any]) -> None:
    was = recorded(exchange)
    request = {**exchange["request"], "body": expanded(exchange["request"]["body"])}
    async with Ollama() as rig:
        await into_state(rig, exchange, was)
        busy = None
        if "503" in was.status:
            rig.set(slots=1, queue=0, tokens_s=10)
            busy = asyncio.create_task(sent(rig, request, close_after=3))
            while not rig.counters.active:
                await asyncio.sleep(0.001)
        close_after = len(was.chunks) if was.end == "closed" else None
        if close_after:
            rig.set(tokens_s=1000)
        seen = await sent(rig, request, close_after=close_after)
        if busy is not None:
            busy.cancel()
            await asyncio.wait([busy])
    compare(was, seen)


def compare(was: Seen, seen: Seen) -> None:
    assert seen.status == was.status
    assert seen.end == was.end
    assert {line.partition(":")[0] for line in seen.headers} == {line.partition(":")[0] for line in was.headers}
    assert [line for line in seen.headers if line.startswith("Content-Type")] == [
        line for line in was.headers if line.startswith("Content-Type")
    ]
    assert error_of(seen.chunks) == error_of(was.chunks)
    streamed = len(was.chunks) > 1
    if "application/json" not in "".join(was.headers) and not streamed:
        assert seen.chunks == was.chunks or seen.chunks == [""]
        return
    ours, theirs = lines(seen.chunks), lines(was.chunks)
    assert shape(ours[-1]) == shape(theirs[-1])
    assert {json.dumps(shape(line), sort_keys=True) for line in ours[:-1]} == {
        json.dumps(shape(line), sort_keys=True) for line in theirs[:-1]
    }
    if isinstance(theirs[-1], dict):
        assert ours[-1].get("done_reason") == theirs[-1].get("done_reason")
    if streamed:
        assert seen.headers_s >= _FIRST_TOKEN_S
        ends = {chunk[-2:] for chunk in was.chunks}
        assert {chunk[-2:] for chunk in seen.chunks} <= ends
        assert [chunk.count("\n") for chunk in was.chunks[:-1]] == [was.chunks[0].count("\n")] * (len(was.chunks) - 1)
        assert [chunk.count("\n") for chunk in seen.chunks[:-1]] == [was.chunks[0].count("\n")] * (len(seen.chunks) - 1)
        assert seen.chunks[-1].count("\n") == was.chunks[-1].count("\n")


async def test_a_queue_of_one_takes_two_questions_of_five() -> None:
    request = next(exchange["request"] for exchange in _EXCHANGES if exchange["name"] == "cold start, queue of 1: question 0")
    async with Ollama(slots=1, queue=1, load_s=0.05) as rig:
        seen = await asyncio.gather(*(sent(rig, request) for _ in range(5)))
    assert sorted(answer.status.split()[1] for answer in seen) == ["200", "200", "503", "503", "503"]


async def test_a_client_that_leaves_frees_its_slot_at_once() -> None:
    request = next(exchange["request"] for exchange in _EXCHANGES if exchange["name"] == "long, closed by client")
    async with Ollama(tokens=1000, tokens_s=50) as rig:
        await sent(rig, request, close_after=3)
        async with asyncio.timeout(0.1):
            while rig.counters.active:
                await asyncio.sleep(0.005)
        assert rig.counters.closed_early == 1


async def test_an_embedding_waits_for_the_chat_model_when_both_do_not_fit() -> None:
    chat = {"model": "smollm2:135m", "messages": [{"role": "user", "content": "hi"}]}
    async with Ollama(fit=1, tokens=5, tokens_s=50) as rig:
        answering = asyncio.create_task(sent(rig, {"method": "POST", "path": "/api/chat", "body": chat}))
        while not rig.counters.active:
            await asyncio.sleep(0.001)
        await sent(rig, {"method": "POST", "path": "/api/embed", "body": {"model": "all-minilm", "input": "x"}})
        assert rig.counters.answers == 1
        assert (await answering).status.endswith("200 OK")
        assert (rig.counters.loads, rig.counters.swaps, rig.counters.reloads) == (2, 1, 0)
