"""The watcher: changes are told with their paths, a folder that comes back is told whole."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from bot.schedule.watch import on_network, watch


@asynccontextmanager
async def watched(folder: Path) -> AsyncIterator[asyncio.Queue[set[Path]]]:
    seen: asyncio.Queue[set[Path]] = asyncio.Queue()
    task = asyncio.create_task(watch(folder, seen.put, again_s=0.1, look_s=0.1))
    try:
        yield seen
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(seen: asyncio.Queue[set[Path]], path: Path) -> None:
    async with asyncio.timeout(20):
        while path not in await seen.get():
            pass


async def touched_until_seen(path: Path, seen: asyncio.Queue[set[Path]]) -> None:
    """The watcher needs a moment to begin: write until it has seen it."""
    async with asyncio.timeout(20):
        number = 0
        while True:
            path.write_text(f"{number}")
            number += 1
            with suppress(TimeoutError):
                async with asyncio.timeout(0.5):
                    while path not in await seen.get():
                        pass
                    return


async def test_a_change_and_a_deletion_are_told(tmp_path: Path) -> None:
    async with watched(tmp_path) as seen:
        await touched_until_seen(tmp_path / "one.md", seen)
        (tmp_path / "one.md").unlink()
        await until(seen, tmp_path / "one.md")


async def test_a_folder_that_comes_back_is_told_whole(tmp_path: Path) -> None:
    folder = tmp_path / "mounted"
    async with watched(folder) as seen:
        await asyncio.sleep(0.3)
        folder.mkdir()
        await until(seen, folder)
        await touched_until_seen(folder / "two.md", seen)


async def test_a_folder_that_takes_the_place_of_another_is_told_whole_and_watched(tmp_path: Path) -> None:
    folder, other = tmp_path / "documents", tmp_path / "copy"
    folder.mkdir()
    other.mkdir()
    async with watched(folder) as seen:
        await touched_until_seen(folder / "one.md", seen)
        folder.rename(tmp_path / "old")
        other.rename(folder)
        await until(seen, folder)
        await touched_until_seen(folder / "two.md", seen)


def test_a_local_folder_is_not_on_the_network(tmp_path: Path) -> None:
    assert not on_network(tmp_path)
