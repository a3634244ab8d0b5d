"""The four doors of a running daemon as whoever stands before them sees it, and what lies in its database."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import sqlite3
import uuid
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from bot.local.wire import LINE_BYTES
from tests.rigs.daemon import Daemon

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Said:
    """What came back: the whole text, the code of an error, and, where it was streamed, the words on the way."""

    status: int
    text: str
    error: str | None = None
    body: dict[str, Any] = field(default_factory=dict)
    streamed: str = ""

    @property
    def cited(self) -> list[str]:
        """The documents that the answer names."""
        return [one["document"] for one in self.body.get("citations", [])]

    @property
    def nearest(self) -> list[str]:
        """The documents that a refusal names."""
        return [one["document"] for one in self.body.get("nearest", [])]


Door = Callable[..., Awaitable[Said]]


async def by_http(daemon: Daemon, question: str, *, token: str = "", key: str = "", **body: Any) -> Said:
    """`POST /ask`."""
    headers = {"Authorization": f"Bearer {token or daemon.token}"} | ({"Idempotency-Key": key} if key else {})
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(f"{daemon.url}/ask", json={"question": question, **body}) as response,
    ):
        return _of_ask(response.status, json.loads(await response.read()))


async def by_stream(daemon: Daemon, question: str, *, token: str = "", key: str = "", **body: Any) -> Said:
    """`POST /ask` with server-sent events."""
    headers = {"Authorization": f"Bearer {token or daemon.token}"} | ({"Idempotency-Key": key} if key else {})
    words: list[str] = []
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(f"{daemon.url}/ask", json={"question": question, "stream": True, **body}) as response,
    ):
        if response.content_type != "text/event-stream":
            return _of_ask(response.status, json.loads(await response.read()))
        for name, data in _events(await response.text()):
            if name == "words":
                words.append(data["text"])
            elif name == "restarted":
                words.clear()
            elif name in {"answer", "error"}:
                said = _of_ask(response.status, data)
                return Said(said.status, said.text, said.error, said.body, "".join(words))
    raise AssertionError(f"a stream without an end: {words}")


async def by_socket(daemon: Daemon, question: str, *, token: str = "", key: str = "", **params: Any) -> Said:  # noqa: ARG001
    """The local socket, as the verbs of the terminal speak: the person is the account of this process."""
    reader, writer = await asyncio.open_unix_connection(str(daemon.state / "grillon.sock"), limit=LINE_BYTES)
    words: list[str] = []
    try:
        params = {"question": question, "key": key or str(uuid.uuid4()), **params}
        writer.write(json.dumps({"id": 1, "verb": "ask", "params": params}).encode() + b"\n")
        async for line in reader:
            values = json.loads(line)
            if "error" in values:
                return Said(0, values["error"], values["code"] or "error", values)
            if "result" in values:
                result = values["result"]
                return Said(0, result["text"], result["error"], result, "".join(words))
            if values["event"] == "words":
                words.append(values["text"])
            elif values["event"] == "restarted":
                words.clear()
    finally:
        writer.close()
        await writer.wait_closed()
    raise AssertionError("the daemon hung up without an answer")


async def by_openai(daemon: Daemon, question: str, *, token: str = "", key: str = "", stream: bool = False, **_: Any) -> Said:
    """`/v1/chat/completions`."""
    headers = {"Authorization": f"Bearer {token or daemon.token}"} | ({"Idempotency-Key": key} if key else {})
    asked = {"model": "grillon", "messages": [{"role": "user", "content": question}], "stream": stream}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(f"{daemon.url}/v1/chat/completions", json=asked) as response,
    ):
        if stream and response.status == 200:
            return _of_chunks(await response.text())
        body = json.loads(await response.read())
        if "error" in body:
            return Said(response.status, body["error"]["message"], body["error"]["code"], body)
        return Said(response.status, body["choices"][0]["message"]["content"], None, body)


async def by_openai_stream(daemon: Daemon, question: str, **params: Any) -> Said:
    """`/v1/chat/completions` with `stream`."""
    return await by_openai(daemon, question, stream=True, **params)


DOORS: dict[str, Door] = {
    "http": by_http,
    "stream": by_stream,
    "terminal": by_socket,
    "openai": by_openai,
    "openai-stream": by_openai_stream,
}


def fresh() -> str:
    """The name of a conversation that nobody has had yet."""
    return f"talk-{next(_numbers)}"


@contextlib.contextmanager
def database(daemon: Daemon) -> Iterator[sqlite3.Connection]:
    """Its database, read past all of our code."""
    connection = sqlite3.connect(f"file:{daemon.state / 'grillon.db'}?mode=ro", uri=True)
    try:
        yield connection
    finally:
        connection.close()


def turns(daemon: Daemon, conversation: str) -> list[tuple[str, str]]:
    """Questions and answers that are stored of a conversation by its name."""
    with database(daemon) as connection:
        query = """SELECT question, answer FROM turns JOIN conversations ON conversations.id = conversation_id
            WHERE space = ? ORDER BY turns.id"""
        return list(connection.execute(query, [f"private:{conversation}"]))


def holding(folder: Path, canary: bytes) -> list[str]:
    """The files of a folder in which some bytes stand."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and canary in path.read_bytes())


def _events(text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if fields:
            yield fields.get("event", ""), json.loads(fields["data"])


def _of_ask(status: int, body: dict[str, Any]) -> Said:
    if "error" in body:
        return Said(status, body["error"]["message"], body["error"]["code"], body)
    return Said(status, body["answer"], None, body)


def _of_chunks(text: str) -> Said:
    words = ""
    last: dict[str, Any] = {}
    for block in filter(None, text.split("\n\n")):
        if block.startswith(":"):
            continue
        data = block.removeprefix("data: ")
        if data == "[DONE]":
            return Said(200, words, None, last, words)
        last = json.loads(data)
        if "error" in last:
            return Said(200, last["error"]["message"], last["error"]["code"], last, words)
        words += "".join(choice["delta"].get("content") or "" for choice in last["choices"])
    raise AssertionError(f"a stream without an end: {text[-200:]}")
