"""The page that Prometheus reads."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

from adapters.types import Reply
from bot.telemetry import Telemetry


@dataclass
class Report:
    collection: str = "house"
    added: int = 3
    changed: int = 2
    removed: int = 1
    skipped: tuple[tuple[str, str], ...] = (("a.pdf", "encrypted"),)
    seconds: float = 2.5


@dataclass
class Size:
    name: str
    documents: int
    chunks: int


def figures(telemetry: Telemetry) -> dict[str, float]:
    families = text_string_to_metric_families(telemetry.page().decode())
    return {
        sample.name + "".join(f" {value}" for value in sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }


def test_answers_are_counted_by_result_step_and_token() -> None:
    telemetry = Telemetry()
    telemetry.answered("http", Reply("a", timings={"retrieve": 0.02, "generate": 1.5}, prompt_tokens=100, answer_tokens=20))
    telemetry.answered("http", Reply("a", refused=True, timings={"retrieve": 0.02}))
    telemetry.answered("terminal", Reply("a", cut=True))
    telemetry.answered("terminal", Reply("a", error="model_slow"))
    found = figures(telemetry)
    assert found["grillon_answers_total http answered"] == 1
    assert found["grillon_answers_total http refused"] == 1
    assert found["grillon_answers_total terminal cut"] == 1
    assert found["grillon_answers_total terminal model_slow"] == 1
    assert found["grillon_step_seconds_count retrieve"] == 2
    assert found["grillon_step_seconds_sum generate"] == 1.5
    assert (found["grillon_tokens_total prompt"], found["grillon_tokens_total answer"]) == (100, 20)


def test_platforms_are_counted_and_asked_how_they_are() -> None:
    telemetry, up = Telemetry(), {"telegram"}
    for name in ("telegram", "discord"):
        telemetry.watch_platform(name, lambda name=name: name in up, lambda: 3)  # type: ignore[misc]
    telemetry.received("telegram", "stored")
    telemetry.received("discord", "ignored")
    telemetry.sent("telegram", "unknown")
    found = figures(telemetry)
    assert (found["grillon_platform_up telegram"], found["grillon_platform_up discord"]) == (1, 0)
    assert found["grillon_platform_limited discord"] == 3
    assert found["grillon_messages_total stored telegram"] == found["grillon_messages_total ignored discord"] == 1
    assert found["grillon_parts_total telegram unknown"] == 1
    up.clear()
    assert figures(telemetry)["grillon_platform_up telegram"] == 0


def test_the_queue_is_asked_when_the_page_is_made() -> None:
    telemetry, waiting = Telemetry(), [1]
    telemetry.watch_queue(lambda: len(waiting), lambda: 2)
    waiting.append(2)
    found = figures(telemetry)
    assert (found["grillon_waiting"], found["grillon_answering"]) == (2, 2)


def test_the_index_and_its_runs() -> None:
    telemetry = Telemetry()
    telemetry.sized([Size("gone", 1, 2), Size("house", 10, 100)])
    telemetry.sized([Size("house", 11, 110)])
    telemetry.indexed(Report())
    found = figures(telemetry)
    assert (found["grillon_index_documents house"], found["grillon_index_chunks house"]) == (11, 110)
    assert "grillon_index_documents gone" not in found
    changes = {
        change: found[f"grillon_index_changes_total {change} house"] for change in ("added", "changed", "removed", "skipped")
    }
    assert changes == {"added": 3, "changed": 2, "removed": 1, "skipped": 1}
    assert found["grillon_index_run_seconds_sum house"] == 2.5


async def test_the_memory_of_each_process() -> None:
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "0"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={"PYTHONUNBUFFERED": "1"},
    )
    try:
        assert child.stdout is not None
        await child.stdout.readline()
        found = await asyncio.to_thread(figures, Telemetry())
    finally:
        child.kill()
        await child.communicate()
    assert found["grillon_memory_bytes daemon"] > 1_000_000
    assert found["grillon_memory_bytes server"] > 1_000_000
    assert "grillon_memory_bytes server" not in figures(Telemetry())


def test_two_houses_do_not_share_figures() -> None:
    one, other = Telemetry(), Telemetry()
    one.requested("/ask", 200)
    assert "grillon_http_requests_total /ask 200" in figures(one)
    assert "grillon_http_requests_total /ask 200" not in figures(other)
