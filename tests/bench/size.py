"""Size and start: memory of all processes, `--help`, and what it costs until messages can be received."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import aiohttp

from tests.bench.corpus import write_corpus
from tests.bench.table import Row
from tests.rigs.daemon import Daemon
from tests.rigs.ollama import Ollama

EVERYTHING = (
    "aiohttp.web, alembic.command, apscheduler.schedulers.asyncio, chromadb, llama_index.core, llama_index.embeddings.ollama, "
    "llama_index.llms.ollama, llama_index.vector_stores.chroma, ollama, prometheus_client, pydantic_settings, pypdf, rich, "
    "selectolax.parser, sqlalchemy, watchfiles"
)
_TICKS = os.sysconf("SC_CLK_TCK")


def family(pid: int) -> list[int]:
    """A process and all its descendants."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        children = task / "children"
        for child in children.read_text().split() if children.exists() else ():
            found += family(int(child))
    return found


def pss_mb(pid: int) -> float:
    """Memory of a process and its descendants, shared pages divided among those that share them, in MB."""
    total = 0
    for one in family(pid):
        match = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{one}/smaps_rollup").read_text(), re.MULTILINE)
        total += int(match[1]) if match else 0
    return total / 1024


def cpu_s(pid: int) -> float:
    """Processor seconds of one process so far, its reaped children included."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15]) / _TICKS


def help_seconds(runs: int = 9) -> float:
    """Median wall time of `grillon --help`."""
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        subprocess.run([Path(sys.executable).with_name("grillon"), "--help"], check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def import_everything_cpu(runs: int = 3) -> float:
    """Median processor seconds of importing every library the daemon may use."""
    times = []
    for _ in range(runs):
        code = f"import {EVERYTHING}, time; print(time.process_time())"
        done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
        times.append(float(done.stdout.split()[-1]))
    return statistics.median(times)


async def ready(daemon: Daemon) -> tuple[float, float]:
    """Start the daemon; at the moment it says READY=1: its processor seconds and the memory of its family in MB."""
    address = str(daemon.folder / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(address)
        notify.settimeout(30)
        await daemon.start(wait=False, NOTIFY_SOCKET=address)
        assert daemon.process is not None
        while b"READY=1" not in await asyncio.to_thread(notify.recv, 4096):
            pass
        figures = cpu_s(daemon.process.pid), pss_mb(daemon.process.pid)
    Path(address).unlink()
    return figures


async def measure(chunks: int = 10_000) -> list[Row]:
    """Start, memory before and after an answer over `chunks` chunks."""
    importing = await asyncio.to_thread(import_everything_cpu)
    helping = await asyncio.to_thread(help_seconds)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_corpus(folder / "corpus", chunks)
        async with Ollama() as rig, Daemon(folder / "d", rig.address, {"corpus": folder / "corpus"}) as daemon:
            await daemon.start(indexed=True)
            await daemon.stop()
            cpu, before = await ready(daemon)
            await daemon.until_alive()
            async with aiohttp.ClientSession() as session:
                status, body = await daemon.ask(session, "Which words stand in the first document of the corpus?")
            assert status == 200, body
            assert daemon.process is not None
            await asyncio.sleep(2)
            after = pss_mb(daemon.process.pid)
    return [
        Row("`grillon --help`", f"{helping:.2f} s", "<= 0.3 s", "", helping <= 0.3),
        Row(
            "ready to receive, CPU",
            f"{cpu / importing:.2f} x ({cpu:.2f} s)",
            "<= 0.45 x",
            f"imports {importing:.2f} s",
            cpu <= 0.45 * importing,
        ),
        Row("memory of all processes, ready", f"{before:.0f} MB", "<= 140 MB", "", before <= 140),
        Row(f"memory, after an answer over {chunks:,} chunks", f"{after:.0f} MB", "<= 320 MB", "", after <= 320),
    ]
