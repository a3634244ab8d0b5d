"""What is counted for Prometheus: answers, latency by step, tokens, the queue, the index, memory. No person's name, no text."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4 as CONTENT_TYPE
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from adapters.types import Reply

__all__ = ["CONTENT_TYPE", "Telemetry"]

_STEP_S = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300)
_STALL_S = tuple(round(0.001 * 1.25**n, 6) for n in range(34))
_RUN_S = (0.1, 1, 10, 60, 300, 1800, 7200)
_KIB = 1024
_PROC = Path("/proc")


class _Report(Protocol):
    """What an index run did, as `knowledge` reports it."""

    @property
    def collection(self) -> str: ...
    @property
    def added(self) -> int: ...
    @property
    def changed(self) -> int: ...
    @property
    def removed(self) -> int: ...
    @property
    def skipped(self) -> tuple[tuple[str, str], ...]: ...
    @property
    def seconds(self) -> float: ...


class _Status(Protocol):
    """How a collection is, as `knowledge` tells."""

    @property
    def name(self) -> str: ...
    @property
    def documents(self) -> int: ...
    @property
    def chunks(self) -> int: ...


class _Stall(Protocol):
    """How long the event loop was held up, in seconds."""

    listener: Callable[[float], None] | None

    @property
    def longest_s(self) -> float: ...
    @property
    def stalled_s(self) -> float: ...


class Telemetry:
    """The figures of one house, in a registry of its own."""

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        self._requests = Counter(
            "grillon_http_requests", "HTTP requests; 499: the client left", ["route", "status"], registry=registry
        )
        self._answers = Counter("grillon_answers", "Replies by door and result", ["platform", "result"], registry=registry)
        self._received = Counter(
            "grillon_messages",
            "Messages of chat platforms by what was done with them",
            ["platform", "outcome"],
            registry=registry,
        )
        self._parts = Counter(
            "grillon_parts", "Parts of replies by how their sending ended", ["platform", "state"], registry=registry
        )
        self._up = Gauge("grillon_platform_up", "Whether a chat platform was heard of lately", ["platform"], registry=registry)
        self._limited = Gauge(
            "grillon_platform_limited", "Calls that a chat platform put off since the start", ["platform"], registry=registry
        )
        self._steps = Histogram(
            "grillon_step_seconds", "Time of each step of an answer", ["step"], buckets=_STEP_S, registry=registry
        )
        self._tokens = Counter("grillon_tokens", "Tokens read and written by the model", ["kind"], registry=registry)
        self._waiting = Gauge("grillon_waiting", "Questions that wait for their turn", registry=registry)
        self._answering = Gauge("grillon_answering", "Questions being answered", registry=registry)
        self._documents = Gauge("grillon_index_documents", "Documents that can be found", ["collection"], registry=registry)
        self._chunks = Gauge("grillon_index_chunks", "Chunks that can be found", ["collection"], registry=registry)
        self._changes = Counter(
            "grillon_index_changes", "Documents by what a run did with them", ["collection", "change"], registry=registry
        )
        self._runs = Histogram(
            "grillon_index_run_seconds", "Time of an index run", ["collection"], buckets=_RUN_S, registry=registry
        )
        self._longest = Gauge("grillon_loop_longest_stall_seconds", "Longest stall of the event loop", registry=registry)
        self._stalled = Gauge("grillon_loop_stalled_seconds", "All stalls of the event loop over 50 ms", registry=registry)
        self._waits = Histogram(
            "grillon_loop_wait_seconds", "How late the event loop answers its watch", buckets=_STALL_S, registry=registry
        )
        ProcessCollector(registry=registry)
        registry.register(_Memory())

    def watch_queue(self, waiting: Callable[[], int], answering: Callable[[], int]) -> None:
        """Ask these whenever the page is made."""
        self._waiting.set_function(waiting)
        self._answering.set_function(answering)

    def watch_platform(self, name: str, up: Callable[[], bool], limited: Callable[[], int]) -> None:
        """Ask these whenever the page is made."""
        self._up.labels(name).set_function(up)
        self._limited.labels(name).set_function(limited)

    def watch_loop(self, stall: _Stall) -> None:
        """Show how long the event loop was held up."""
        self._longest.set_function(lambda: stall.longest_s)
        self._stalled.set_function(lambda: stall.stalled_s)
        stall.listener = self._waits.observe

    def requested(self, route: str, status: int) -> None:
        """An HTTP request ended."""
        self._requests.labels(route, str(status)).inc()

    def received(self, platform: str, outcome: str) -> None:
        """A message of a chat platform was `stored`, `said` no to (or answered at once), `ignored`, or `failed` to be stored."""
        self._received.labels(platform, outcome).inc()

    def sent(self, platform: str, state: str) -> None:
        """The sending of a part of a reply ended as `sent`, `unknown` or `refused`."""
        self._parts.labels(platform, state).inc()

    def answered(self, platform: str, reply: Reply) -> None:
        """A reply was made: its result, the time of its steps, its tokens."""
        result = reply.error or ("refused" if reply.refused else "cut" if reply.cut else "answered")
        self._answers.labels(platform, result).inc()
        for step, seconds in reply.timings.items():
            self._steps.labels(step).observe(seconds)
        self._tokens.labels("prompt").inc(reply.prompt_tokens)
        self._tokens.labels("answer").inc(reply.answer_tokens)

    def indexed(self, report: _Report) -> None:
        """An index run ended."""
        self._runs.labels(report.collection).observe(report.seconds)
        changes = {"added": report.added, "changed": report.changed, "removed": report.removed, "skipped": len(report.skipped)}
        for change, count in changes.items():
            self._changes.labels(report.collection, change).inc(count)

    def sized(self, collections: Iterable[_Status]) -> None:
        """How large the index is now. A collection that is not named any more is gone from the page."""
        self._documents.clear()
        self._chunks.clear()
        for one in collections:
            self._documents.labels(one.name).set(one.documents)
            self._chunks.labels(one.name).set(one.chunks)

    def page(self) -> bytes:
        """The page that Prometheus reads. Takes milliseconds and reads `/proc`: for a thread."""
        return generate_latest(self._registry)


class _Memory(Collector):
    """The memory of the daemon and of each of its child processes, read when asked for."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        family = GaugeMetricFamily(
            "grillon_memory_bytes", "Memory of each process, shared pages divided among those who share them", labels=["process"]
        )
        sums: dict[str, int] = {}
        for name, process in (("daemon", _PROC / "self"), *_descendants()):
            sums[name] = sums.get(name, 0) + _memory_of(process)
        for name, size in sums.items():
            family.add_metric([name], size)
        yield family


def _descendants() -> Iterator[tuple[str, Path]]:
    """The descendants of this process with the name of the module each runs. Not every kernel lists children."""
    children: dict[int, list[int]] = {}
    for process in _PROC.glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError):
            # The name in parentheses may hold anything, also a parenthesis.
            parent = int((process / "stat").read_text(errors="replace").rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(process.name))
    line = [os.getpid()]
    for parent in line:
        for child in children.get(parent, ()):
            line.append(child)
            yield _name_of(_PROC / str(child)), _PROC / str(child)


def _name_of(process: Path) -> str:
    """`python -m MODULE …` is called MODULE, anything else `other`."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        words = (process / "cmdline").read_bytes().split(b"\0")
        return words[words.index(b"-m") + 1].decode(errors="replace").rpartition(".")[2]
    return "other"


def _memory_of(process: Path) -> int:
    """Bytes of memory: PSS, where the kernel tells, else RSS; 0 for a process that is gone."""
    with contextlib.suppress(OSError):
        for line in (process / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * _KIB
    with contextlib.suppress(OSError, IndexError):
        return int((process / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0
