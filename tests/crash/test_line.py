"""Killed at each step of a message's life, the line loses nothing, answers nothing twice and keeps every order."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.crash.line import PEOPLE, message

POINTS = (
    "inbox.receive.before",
    "inbox.receive.committed",
    "inbox.leased",
    "answer.first_words",
    "answer.mid_stream",
    "answer.commit.before",
    "memory.write",
    "answer.committed",
    "send.begun",
    "send.before",
    "send.after",
    "send.acknowledged",
)
ROOT = Path(__file__).parents[2]


@contextmanager
def line(folder: Path, count: int, failpoint: str = "") -> Iterator[subprocess.Popen[bytes]]:
    """The small daemon, started; gone afterwards."""
    environment = {**os.environ, "GRILLON_FAILPOINT": failpoint}
    process = subprocess.Popen([sys.executable, "-m", "tests.crash.line", str(folder), str(count)], env=environment, cwd=ROOT)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def pairs(path: Path) -> dict[str, set[str]]:
    """What was noted of each message."""
    noted = defaultdict(set)
    for written in path.read_text().splitlines():
        key, text = written.split()
        noted[key].add(text)
    return noted


def check(folder: Path, count: int) -> None:
    """Nothing lost, nothing twice, order kept, by what the outside saw and by what is stored."""
    with sqlite3.connect(folder / "grillon.db") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        states = connection.execute("SELECT state, outcome, count(*) FROM inbox GROUP BY 1, 2").fetchall()
        turns = connection.execute("SELECT conversation_id, question, answer FROM turns ORDER BY id").fetchall()
        parts = connection.execute("SELECT state, count(*) FROM outbox GROUP BY 1").fetchall()
        conversations = connection.execute("SELECT count(*) FROM conversations").fetchone()
    connection.close()
    telegram = [str(n) for n in range(count) if message(n)[1].platform == "telegram"]
    assert states == [("sent", "answered", count)]
    assert parts == [("sent", 2 * len(telegram))]
    assert conversations == (2 * len(PEOPLE),)

    replies = pairs(folder / "replies")
    assert {int(key) for key in replies} == set(range(count))
    assert all(len(texts) == 1 for texts in replies.values()), "answered twice"
    assert {question: {answer} for _, question, answer in turns} == replies
    assert len(turns) == count
    for lane in {conversation for conversation, _, _ in turns}:
        asked = [int(question) for conversation, question, _ in turns if conversation == lane]
        assert asked == sorted(asked)

    sent = pairs(folder / "sent")
    assert all(len(texts) == 1 for texts in sent.values()), "another text under the same key"
    assert len(sent) == 2 * len(telegram)
    assert {text for texts in sent.values() for text in texts} == {text for key in telegram for text in replies[key]}


def test_killed_at_each_point(tmp_path: Path) -> None:
    count = 60
    for arrival, point in enumerate(POINTS, 1):
        with line(tmp_path, count, f"{point}:{1 + arrival % 3}") as process:
            assert process.wait(60) == -signal.SIGKILL, f"{point} was not met"
    with line(tmp_path, count) as process:
        assert process.wait(60) == 0
    check(tmp_path, count)


@pytest.mark.parametrize("kills", [3, pytest.param(60, marks=pytest.mark.full)])
def test_killed_at_random_moments(tmp_path: Path, kills: int) -> None:
    count, replies = 60 * kills, tmp_path / "replies"
    replies.touch()
    for kill in range(kills):
        enough = kill * 40 + random.randint(1, 60)
        with line(tmp_path, count) as process:
            while replies.read_bytes().count(b"\n") < enough:
                assert process.poll() is None
                time.sleep(0.002)
    with line(tmp_path, count) as process:
        assert process.wait(90) == 0
    check(tmp_path, count)
