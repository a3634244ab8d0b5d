"""People who ask a daemon that is killed again and again: each asks on, under the same key, until there is an answer."""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
from collections import defaultdict
from typing import Any, Self

import aiohttp

from tests.rigs.daemon import Daemon

PEOPLE = ("anna", "ben", "carl")
TALKS = 4
"""Conversations of each person."""
AT_ONCE = 3
"""Questions of one conversation that are on their way at the same time."""
SETTINGS = "[limits]\nattempts = 20\nqueue_person = 500\n" + "".join(
    f'[[people]]\nname = "{name}"\nowner = {str(name == "anna").lower()}\n' for name in PEOPLE
)


class Crowd:
    """`count` questions over all conversations. They are asked as they are `release`d; `replies` has what each key was told."""

    def __init__(self, daemon: Daemon, count: int, *, question: str) -> None:
        self.count = count
        self.replies: dict[str, set[str]] = defaultdict(set)
        self._daemon = daemon
        self._question = question
        self._released = asyncio.Semaphore(0)
        self._unreleased = count
        self._tokens: dict[str, str] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._refused: list[str] = []

    async def __aenter__(self) -> Self:
        """Needs the daemon alive, or a state: each person gets a token."""
        for name in PEOPLE:
            self._tokens[name] = await self._daemon.create_token(f"of-{name}", "--person", name)
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=300), connector=aiohttp.TCPConnector(limit=0, force_close=True)
        )
        numbers = iter(range(self.count))
        for name, talk in itertools.product(PEOPLE, range(TALKS)):
            share = list(itertools.islice(numbers, self.count // (len(PEOPLE) * TALKS)))
            self._start(name, f"talk {talk}", share)
        self._start(PEOPLE[0], "talk 0 more", list(numbers))
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._session.close()

    def release(self, count: int | None = None) -> None:
        """Let that many more questions be asked; None: all that are left."""
        count = self._unreleased if count is None else min(count, self._unreleased)
        self._unreleased -= count
        for _ in range(count):
            self._released.release()

    async def told(self) -> None:
        """Wait until every question that was released has its answer."""
        await asyncio.gather(*self._tasks)
        assert not self._refused, self._refused[:3]

    async def ask_again(self) -> None:
        """Ask everything once more under its key: the same answers must come."""
        for name, token in self._tokens.items():
            for key in [key for key in self.replies if key.startswith(f"{name} ")]:
                await self._until_told(key, token)

    def _start(self, name: str, talk: str, numbers: list[int]) -> None:
        turns = iter(numbers)
        for _ in range(AT_ONCE):
            self._tasks.append(asyncio.create_task(self._converse(name, talk, turns)))

    async def _converse(self, name: str, talk: str, turns: Any) -> None:
        for number in turns:
            await self._released.acquire()
            await self._until_told(f"{name} {number} {talk}", self._tokens[name])

    async def _until_told(self, key: str, token: str) -> None:
        name, number, talk = key.split(" ", 2)
        body = {"question": f"{self._question} It is question {number} of {name}.", "conversation": talk}
        headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": key}
        while True:
            try:
                async with self._session.post(f"{self._daemon.url}/ask", json=body, headers=headers) as response:
                    reply = await response.json()
                    if response.status == 200:
                        self.replies[key].add(reply["answer"])
                        return
                    if response.status != 503 or reply["error"]["code"] != "stopping":
                        self._refused.append(f"{response.status} {reply}")
                        return
            except (aiohttp.ClientError, ConnectionError):
                pass
            await asyncio.sleep(0.1)  # it is down, or on its way up

    def check(self) -> None:
        """Nothing lost, nothing answered twice, order kept: by what the crowd was told and by what is stored."""
        path = self._daemon.state / "grillon.db"
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
            states = connection.execute("SELECT state, outcome, count(*) FROM inbox GROUP BY 1, 2").fetchall()
            rows = connection.execute("SELECT conversation_id, inbox_id, question, answer FROM turns ORDER BY id").fetchall()
        finally:
            connection.close()
        assert states == [("sent", "answered", self.count)]
        assert len(self.replies) == self.count
        assert all(len(answers) == 1 for answers in self.replies.values()), "answered twice"
        assert len(rows) == len({row[1] for row in rows}) == self.count, "two turns of one message"
        told = {int(key.split(" ")[1]): answers for key, answers in self.replies.items()}
        assert {_number(question): {answer} for _, _, question, answer in rows} == told
        received: dict[int, list[int]] = defaultdict(list)
        for conversation, inbox_id, _, _ in rows:
            received[conversation].append(inbox_id)
        assert all(ids == sorted(ids) for ids in received.values()), "out of order"


def _number(question: str) -> int:
    return int(question.rpartition("It is question ")[2].split(" ")[0])
