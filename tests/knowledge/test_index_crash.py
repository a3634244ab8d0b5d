"""A run killed at each of its failpoints: the next one ends with what is on disk, and nothing is missing in between."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
from typing import TYPE_CHECKING

from knowledge import failpoints
from tests.rigs.shelf import Shelf, found

if TYPE_CHECKING:
    from pathlib import Path

POINTS = ["scanned", "read", "staged", "embedded", "upserted", "flipped", "old_deleted"]


def killed_at(point: str, shelf: Shelf) -> None:
    """Run the index in a copy of this process that dies at the failpoint."""
    child = os.fork()
    if child == 0:
        failpoints._armed = {f"index.{point}": 1}
        try:
            asyncio.run(indexed(shelf))
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


async def indexed(shelf: Shelf) -> None:
    async with shelf.opened() as library:
        await library.reindex("home")


def live(shelf: Shelf) -> dict[str, str]:
    """What a question could be answered from, read past all of our code."""
    with sqlite3.connect(f"file:{shelf.root / 'grillon.db'}?mode=ro", uri=True) as database:
        rows = database.execute(
            "SELECT path, text FROM chunks JOIN documents ON documents.id = document_id AND documents.version = chunks.version"
        ).fetchall()
    database.close()
    return dict(rows)


async def test_a_killed_run_leaves_the_old_version_or_the_new_and_the_next_ends_it(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.write("kept.md", "kept zero")
    shelf.write("gone.md", "gone zero")
    await indexed(shelf)
    old = {"kept.md": "kept zero", "gone.md": "gone zero"}
    for number, point in enumerate(POINTS):
        new = {"kept.md": f"kept {point}", f"new{number}.md": f"new {point}"}
        for path in shelf.documents.iterdir():
            path.unlink()
        for name, text in new.items():
            shelf.write(name, text)
        await asyncio.to_thread(killed_at, point, shelf)
        left = live(shelf)
        assert left.items() <= old.items() | new.items(), point
        assert "kept.md" in left, f"a moment without the document at {point}"
        old = left
    async with shelf.opened() as library:
        await library.reindex("home")
        assert await library.check() == []
        assert live(shelf) == new
        assert await found(library, "old_deleted") == new.keys()
        assert await found(library, "zero") == set()
