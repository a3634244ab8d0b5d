"""The reading process: it answers, it is bounded, and whatever a file does to it, the next file is read."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from knowledge.chunks import Chunking, fitted, split
from knowledge.config import ReadingConfig
from knowledge.errors import UnreadableError
from knowledge.readers import Limits, read_file
from knowledge.reading import Reader
from tests.knowledge.files import bomb, pdf

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

import contextlib

SLOW = bomb(b"BT /F 9 Tf (aaaaaaaaaaaaaaaa) Tj ET\n", 400_000)
"""A PDF that takes minutes to read."""


@contextlib.asynccontextmanager
async def reader(config: ReadingConfig | None = None, *, idle_s: float = 60) -> AsyncIterator[Reader]:
    one = Reader(config or ReadingConfig(), Chunking(), idle_s=idle_s)
    try:
        yield one
    finally:
        await one.close()


@pytest.fixture
def note(tmp_path: Path) -> Path:
    path = tmp_path / "note.md"
    path.write_text("# Bins\n\nThe yellow bin goes out on Tuesday, after the owls.\n")
    return path


async def reason(reading: Awaitable[object]) -> str:
    with pytest.raises(UnreadableError) as raised:
        await reading
    return raised.value.reason


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.005)


async def test_it_reads_and_cuts(note: Path) -> None:
    async with reader() as one:
        reading, chunks = await one.read(note)
    assert (reading.title, reading.language, reading.sections) == ("Bins", "en", ())
    assert chunks == split(fitted(read_file(note, Limits()), Chunking()), Chunking())
    assert [chunk.headings for chunk in chunks] == [("Bins",)]


async def test_modules_in_the_working_directory_are_not_run(tmp_path: Path, note: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("orjson", "random", "knowledge"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nraise ImportError\n")
    monkeypatch.chdir(tmp_path)
    async with reader() as one:
        _, chunks = await one.read(note)
    assert [chunk.headings for chunk in chunks] == [("Bins",)]
    assert not (tmp_path / "ran").exists()


async def test_a_long_document_arrives_whole(tmp_path: Path) -> None:
    path = tmp_path / "long.md"
    path.write_text("# Long\n\n" + "".join(f"Line {number} of the long inventory of the attic.\n" for number in range(30_000)))
    async with reader() as one:
        _, chunks = await one.read(path)
    assert [chunk.ordinal for chunk in chunks] == list(range(len(chunks)))
    assert "Line 0 " in chunks[0].text
    assert "Line 29999 " in chunks[-1].text
    assert chunks == split(fitted(read_file(path, Limits()), Chunking()), Chunking())


async def test_many_at_once_get_each_their_own(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.txt" for number in range(50)]
    for path in paths:
        path.write_text(f"This is the note {path.stem}.")
    async with reader() as one:
        answers = await asyncio.gather(*map(one.read, paths))
        assert one.starts == 1
    assert [chunks[0].text for _, chunks in answers] == [f"This is the note {path.stem}." for path in paths]


async def test_a_name_that_is_not_text(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9.txt")
    path.write_text("Le café est dans la boîte rouge.")
    async with reader() as one:
        _, chunks = await one.read(path)
    assert chunks[0].text == "Le café est dans la boîte rouge."


async def test_a_refusal_keeps_the_process(note: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.md").touch()
    with (tmp_path / "huge.pdf").open("wb") as file:
        file.truncate(500_000_000)
    async with reader() as one:
        assert await reason(one.read(tmp_path / "empty.md")) == "it is empty"
        assert await reason(one.read(tmp_path / "huge.pdf")) == "it has 500 MB, more than the 50 MB that reading.file_mb allows"
        await one.read(note)
        assert one.starts == 1


@pytest.mark.parametrize(
    ("name", "content"), [("slow.pdf", SLOW), ("deep.html", b"<div>" * 200_000)], ids=["unpacks to much", "nests deeply"]
)
async def test_a_file_that_takes_too_long_costs_only_itself(note: Path, tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    async with reader(ReadingConfig(seconds=0.8)) as one:
        await one.read(note)
        assert await reason(one.read(tmp_path / name)) == "reading it took over the 0.8 s that reading.seconds allows"
        await one.read(note)
        assert one.starts == 2


async def test_a_file_that_takes_too_much_memory_costs_only_itself(note: Path, tmp_path: Path) -> None:
    (tmp_path / "wide.html").write_bytes(b"<p>" * 5_000_000)
    async with reader(ReadingConfig(memory_mb=256)) as one:
        assert await reason(one.read(tmp_path / "wide.html")) == "it needs more than the 256 MB that reading.memory_mb allows"
        await one.read(note)
        assert one.starts == 2


async def test_a_crash_costs_only_the_file_that_was_read(note: Path, tmp_path: Path) -> None:
    (tmp_path / "slow.pdf").write_bytes(SLOW)
    async with reader() as one:
        await one.read(note)
        doomed = asyncio.create_task(one.read(tmp_path / "slow.pdf"))
        behind = asyncio.create_task(one.read(note))
        await asyncio.sleep(0)
        assert one.pid is not None
        os.kill(one.pid, signal.SIGKILL)
        assert await reason(doomed) == "the reading process broke down on it"
        assert (await behind)[0].title == "Bins"
        assert one.starts == 2


async def test_a_cancelled_read_does_not_answer_the_next(note: Path, tmp_path: Path) -> None:
    (tmp_path / "slow.pdf").write_bytes(SLOW)
    async with reader() as one:
        await one.read(note)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await one.read(tmp_path / "slow.pdf")
        async with asyncio.timeout(3):
            assert (await one.read(note))[0].title == "Bins"


async def test_the_process_is_replaced_after_its_number_of_files(note: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.pdf"
    path.write_bytes(pdf(["The manual."]))
    async with reader(ReadingConfig(files_per_worker=2)) as one:
        pids = set()
        for _ in range(5):
            await one.read(path)
            await one.read(note)
            pids.add(one.pid)
        assert (one.starts, len(pids)) == (3, 3)


async def test_an_idle_process_ends_and_another_begins(note: Path) -> None:
    async with reader(idle_s=0.05) as one:
        await one.read(note)
        await until(lambda: one.pid is None)
        assert (await one.read(note))[0].title == "Bins"
        assert one.starts == 2


async def test_nothing_of_a_document_reaches_the_log(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.pdf"
    path.write_bytes(b"diary, not a PDF")  # pypdf warns of the header b'diary'
    async with reader() as one:
        assert await reason(one.read(path)) == "it is damaged, or not a PDF"
    assert capfd.readouterr() == ("", "")


def test_a_sealed_process_opens_no_socket_and_starts_no_program(tmp_path: Path) -> None:
    code = """
import os, pathlib, socket, subprocess, sys, threading
from knowledge.sealed import seal
ours, theirs = socket.socketpair()
assert seal()
def refused(action):
    try:
        action()
    except PermissionError:
        return True
tries = [lambda: socket.socket(), lambda: socket.socket(socket.AF_UNIX), lambda: subprocess.run(["/bin/true"], close_fds=False)]
results = [refused(one) for one in tries]
thread = threading.Thread(target=lambda: results.append(refused(tries[0])))
thread.start()
thread.join()
ours.send(b"x")
pathlib.Path(sys.argv[1]).write_text(f"{results} {theirs.recv(1)}")
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "out")], check=True)
    assert (tmp_path / "out").read_text() == "[True, True, True, True] b'x'"
