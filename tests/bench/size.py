"""Size and start: memory of all processes, `--help`, and what it costs until messages can be received."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.household import Household
from tests.bench.stream import ask
from tests.bench.table import Row

if TYPE_CHECKING:
    from tests.rigs.daemon import Daemon

EVERYTHING = (
    "aiohttp.web, alembic.command, apscheduler.schedulers.asyncio, chromadb, llama_index.core, llama_index.embeddings.ollama, "
    "llama_index.llms.ollama, llama_index.vector_stores.chroma, ollama, prometheus_client, pydantic_settings, pypdf, rich, "
    "selectolax.lexbor, sqlalchemy, watchfiles"
)
_HELP_S, _READY, _READY_MB, _ANSWERED_MB = 0.3, 0.45, 140, 320
_SETTLES_S = 3.0
_TICKS = os.sysconf("SC_CLK_TCK")


def family(pid: int) -> list[int]:
    """A process and all its descendants."""
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


async def measure(folder: Path) -> list[Row]:
    """Start, memory before and after an answer over 10,000 chunks."""
    importing = await asyncio.to_thread(import_everything_cpu)
    helping = await asyncio.to_thread(help_seconds)
    async with Household(folder) as house:
        async with house.running():
            pass
        cpu, before = await ready(house.daemon)
        assert house.daemon.process is not None
        pid = house.daemon.process.pid
        async with house.session() as session:
            await house.daemon.until_indexed()
            await asyncio.sleep(_SETTLES_S)
            loaded = pss_mb(pid)
            await ask(session, house.daemon.url, next(house.questions()), "size")
            await asyncio.sleep(_SETTLES_S)
            after = pss_mb(pid)
        await house.daemon.stop()
    return [
        Row("`grillon --help`", f"{helping:.2f} s", f"<= {_HELP_S} s", "", helping <= _HELP_S),
        Row(
            "ready to receive, CPU",
            f"{cpu / importing:.2f} x ({cpu:.2f} s)",
            f"<= {_READY} x",
            f"imports of everything {importing:.2f} s",
            cpu <= _READY * importing,
        ),
        Row(
            "memory of all processes, ready, before the first question",
            f"{before:.0f} MB",
            f"<= {_READY_MB} MB",
            f"{loaded:.0f} MB once the library is loaded too",
            before <= _READY_MB,
        ),
        Row("the same, after an answer over 10k chunks", f"{after:.0f} MB", f"<= {_ANSWERED_MB} MB", "", after <= _ANSWERED_MB),
    ]
