"""The watcher: changes are told with their paths, a folder that comes back is told whole."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import pytest

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
    await all_touched_until_seen({path}, seen)


async def all_touched_until_seen(paths: set[Path], seen: asyncio.Queue[set[Path]]) -> None:
    """The watcher needs a moment to begin: write until it has seen them all."""
    async with asyncio.timeout(20):
        number = 0
        while paths:
            for path in paths:
                path.write_text(f"{number}")
            number += 1
            with suppress(TimeoutError):
                async with asyncio.timeout(0.5):
                    while paths:
                        paths = paths - await seen.get()


@contextmanager
def somebody_else() -> Iterator[Path]:
    """Act as somebody who is not root: root may list everything. The folder is theirs, and no other run of tests locks it."""
    with tempfile.TemporaryDirectory() as folder:
        was = os.geteuid()
        if was == 0:
            os.chown(folder, 65534, 65534)
            os.seteuid(65534)
        try:
            yield Path(folder)
        finally:
            os.seteuid(was)


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


async def test_folders_that_may_not_be_listed_do_not_hide_the_others(tmp_path: Path) -> None:
    async with watched(tmp_path) as seen:  # loads what somebody else may not read
        await touched_until_seen(tmp_path / "one.md", seen)
    with somebody_else() as home:
        folder, alone = home / "documents", home / "alone"
        places = [folder, *(folder / one / two for one in "abc" for two in "def")]
        for place in (*places, alone):
            place.mkdir(parents=True)
        for closed in (home / "closed", folder / "lost+found", folder / "b/closed", alone / "closed"):
            closed.mkdir()
            closed.chmod(0)
        (folder / "link").symlink_to(home / "closed")
        async with watched(folder) as seen:
            await all_touched_until_seen({place / "two.md" for place in places}, seen)
        async with watched(alone) as seen:
            await touched_until_seen(alone / "three.md", seen)


def test_a_local_folder_is_not_on_the_network(tmp_path: Path) -> None:
    assert not on_network(tmp_path)


@pytest.mark.parametrize("name", ["Médias", "Bilder ÜÖ", "a\\b", "日本"])
def test_a_network_mount_is_recognised_whatever_its_name(tmp_path: Path, name: str) -> None:
    escaped = name.replace("\\", "\\134").replace(" ", "\\040")
    lines = f"/dev/sda1 / ext4 rw 0 0\nnas:/x {tmp_path}/{escaped} nfs4 rw 0 0\n"
    (tmp_path / "mounts").write_text(lines, encoding="utf-8")
    assert on_network(tmp_path / name / "documents", tmp_path / "mounts")
    assert not on_network(tmp_path, tmp_path / "mounts")
