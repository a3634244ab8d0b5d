"""Indexing: the first run against plain LlamaIndex, what it leaves on disk, and a run in which nothing has changed."""

from __future__ import annotations

import re
import shutil
import time
from typing import TYPE_CHECKING

from tests.bench.apart import apart
from tests.bench.household import Household
from tests.bench.table import Row

if TYPE_CHECKING:
    from pathlib import Path

_MB = 1e6


async def measure(folder: Path) -> list[Row]:
    """All rows about indexing. The daemon indexes in its own process, as it does on any day."""
    shutil.rmtree(folder / "daemon", ignore_errors=True)
    async with Household(folder) as house:
        files = sum(1 for _ in house.corpus.iterdir())
        async with house.running() as session:
            first = await house.status(session)
            ours = files / first["report"]["seconds"]
            unchanged = await _again(house)
        text = sum(path.stat().st_size for path in house.corpus.iterdir())
        on_disk = _size(house.daemon.state) - _size(house.daemon.state / "index" / "chroma")
        plain_s, plain_chunks = await _plain(house, first["chunks"])
    plain = files / plain_s
    apart = plain_chunks / first["chunks"] - 1
    return [
        Row(
            f"first index of {files:,} documents, free embedder",
            f"{ours / plain:.2f} x ({ours:.0f} documents/s)",
            ">= 1.5 x",
            f"plain pipeline {plain:.0f} documents/s; {first['chunks']:,} chunks, plain {100 * apart:+.1f} %",
            ours / plain >= 1.5 and abs(apart) <= 0.05,
        ),
        Row(
            "state on disk without the Chroma folder",
            f"{on_disk / text:.2f} x the text ({on_disk / _MB:.0f} MB)",
            "<= 3 x",
            f"text {text / _MB:.1f} MB",
            on_disk <= 3 * text,
        ),
        *_rows(unchanged, first["report"]["seconds"], files),
    ]


async def _again(house: Household) -> tuple[float, int, int]:
    """Index again: seconds, texts embedded, vector files written."""
    chroma = house.daemon.state / "index" / "chroma"
    before, embedded = _stamps(chroma), (await house.rig.counters())["embedded"]
    seconds = []
    for _ in range(3):
        code, out, err = await house.daemon.verb("index")
        assert code == 0, err
        async with house.session() as session:
            seconds.append((await house.status(session))["report"]["seconds"])
        assert re.search(r"0 added, 0 changed, 0 removed", out), out
    written = sum(before.get(path) != stamp for path, stamp in _stamps(chroma).items())
    return sorted(seconds)[1], (await house.rig.counters())["embedded"] - embedded, written


def _rows(again: tuple[float, int, int], first_s: float, files: int) -> list[Row]:
    seconds, embedded, written = again
    share, each_us = seconds / first_s, 1e6 * seconds / files
    return [
        Row(
            "index again, nothing changed",
            f"{100 * share:.2f} % of the first run, {each_us:.0f} us a file",
            "<= 1 %, <= 50 us",
            f"first run {first_s:.1f} s",
            share <= 0.01 and each_us <= 50,
        ),
        Row("the same: texts embedded, vector files written", f"{embedded}, {written}", "0, 0", "", not embedded and not written),
    ]


async def _plain(house: Household, chunks: int) -> tuple[float, int]:
    folder = house.folder / f"plain-{time.time_ns()}"
    job = {"kind": "index", "address": house.rig.address, "corpus": str(house.corpus), "folder": str(folder), "chunks": chunks}
    try:
        said = await apart("tests.bench.plain", **job)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return said["seconds"], said["chunks"]


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _stamps(folder: Path) -> dict[Path, tuple[int, int]]:
    return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in folder.rglob("*") if path.is_file()}
