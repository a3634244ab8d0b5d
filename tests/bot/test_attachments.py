"""Attached files: nothing of them is left in the state folder, however their reading ends."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from adapters.types import Attachment
from bot import attachments
from bot.attachments import Attachments, clear
from bot.database.database import Database
from bot.live import Received
from bot.people.people import Person
from knowledge.library import Library
from tests.bot.house import message


class Platform:
    async def fetch(self, _attachment: Attachment, _limit: int) -> bytes:
        return b"canary"


async def test_stopped_while_it_is_written_a_file_is_gone_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread cannot be called back: it writes after whoever waited for it was cancelled."""
    begun, room, written = threading.Event(), threading.Event(), threading.Event()
    write = attachments._write

    def slow(path: Path, content: bytes) -> None:
        begun.set()
        room.wait(10)
        write(path, content)
        written.set()

    monkeypatch.setattr(attachments, "_write", slow)
    database, folder = await Database.open(tmp_path / "grillon.db"), tmp_path / "attachments"
    clear(folder)
    asked = replace(message("1"), attachments=(Attachment("1", "note.txt", 6),))
    received = Received(1, asked, Person(1, "anna", owner=True), 1, "private", 1, 0)
    taking = asyncio.create_task(Attachments(database, {"http": Platform()}, folder).take(received, cast("Library", None)))
    await asyncio.to_thread(begun.wait, 10)
    taking.cancel()
    await asyncio.sleep(0)
    room.set()
    await asyncio.gather(taking, return_exceptions=True)
    await asyncio.to_thread(written.wait, 10)
    assert taking.cancelled()
    assert list(folder.iterdir()) == []
    await database.close()
