"""The floor: aiohttp from the same prompt to the same stand-in, one read and two writes in SQLite, and nothing else."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from pathlib import Path

import aiohttp
import orjson

from bot.stall import StallWatch
from bot.telemetry import Telemetry
from tests.bench.apart import serve
from tests.bench.waits import Waits


class BareLoop:
    """Messages as a program would handle them that did nothing else. `prompts` are bodies of `/api/chat`, taken in turn."""

    def __init__(self, address: str, prompts: list[bytes], path: Path) -> None:
        self._address = address
        self._prompts = prompts
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = NORMAL")  # no fsync: the floor is not to wait for a disk that others use
        self._database.execute("CREATE TABLE IF NOT EXISTS messages (id INTEGER PRIMARY KEY, text TEXT, answer TEXT)")
        self._handled = 0

    async def rate(self, clients: int, seconds: float) -> dict[str, float]:
        """Messages a second with that many at once, and how many seconds late the loop was, p99 by time lost."""
        telemetry, stall = Telemetry(), StallWatch(0.005)
        telemetry.watch_loop(stall)
        stall.start()
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as session:
            self._handled, started = 0, time.perf_counter()
            await asyncio.gather(*(self._client(session, n, started + seconds) for n in range(clients)))
            rate = self._handled / (time.perf_counter() - started)
        stall.stop()
        return {"rate": rate, "late_s": Waits.of(telemetry.page().decode()).weighted(0.99)}

    async def _client(self, session: aiohttp.ClientSession, number: int, until: float) -> None:
        while time.perf_counter() < until:
            number += 1
            await self._message(session, self._prompts[number % len(self._prompts)])
            self._handled += 1

    async def _message(self, session: aiohttp.ClientSession, prompt: bytes) -> None:
        execute = self._database.execute
        id_ = execute("INSERT INTO messages (text) VALUES (?)", ("a question",)).lastrowid
        execute("SELECT text FROM messages WHERE id = ?", (id_,)).fetchone()
        words = []
        async with session.post(f"{self._address}/api/chat", data=prompt) as response:
            async for line in response.content:
                words.append(orjson.loads(line)["message"]["content"])
        execute("UPDATE messages SET answer = ? WHERE id = ?", ("".join(words), id_))


def work(address: str, prompts: list[str], path: str, clients: int, seconds: float) -> dict[str, float]:
    """One measurement."""
    loop = BareLoop(address, [prompt.encode() for prompt in prompts], Path(path))
    return asyncio.run(loop.rate(clients, seconds))


if __name__ == "__main__":
    serve(work)
