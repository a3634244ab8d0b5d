"""Answering: what we add before the first word, messages a second, how long the loop is held up, what the model is asked."""

from __future__ import annotations

import asyncio
import os
import random
import re
import sqlite3
import statistics
import time
from contextlib import closing
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any

import aiohttp

from tests.bench.apart import apart
from tests.bench.household import Household
from tests.bench.idle import idle
from tests.bench.stream import Answered, ask, chat_body, embed, post
from tests.bench.table import Row, percentile
from tests.bench.waits import Waits

if TYPE_CHECKING:
    from pathlib import Path

CLIENTS = 50
_FIRST_P50_MS, _FIRST_P99_MS = 20, 60
_SHOWN_P50_MS, _SHOWN_P99_MS = 60, 150
_STALL_MS = 50
_CONVERSATION = 20
"""Questions of a client in one conversation."""
_TTFT_S = 0.2
_MS = 1000


async def measure(folder: Path) -> list[Row]:
    """All rows about answering."""
    people = "".join(f'[[people]]\nname = "p{n}"\nowner = {str(n == 0).lower()}\n' for n in range(5))
    rows: list[Row] = []
    async with Household(folder, settings=f"[limits]\nqueue_person = 500\n{people}") as house:
        async with house.running() as session:
            rows += await first_words(house, session)
            rows += await first_shown(house, session)
            rows += await conversations(house, session)
        async with house.running() as session:
            rows += await crowd(house, session)
        async with house.running() as session:
            rows += await reindexing(house, session)
    return rows


async def first_words(house: Household, session: aiohttp.ClientSession, pairs: int = 200) -> list[Row]:
    """What we add before the first token: each question once by us, then its prompt and its embedding by bare aiohttp."""
    await house.rig.set(tokens_s=50, first_token_s=0, tokens=3)
    await house.rig.reset(record=1)
    questions = house.questions()
    added, ours, floors = [], [], []
    async with aiohttp.ClientSession() as bare:
        for n in range(pairs + 10):
            question = next(questions)
            answered = await ask(session, house.daemon.url, question, f"first {n}")
            prompt = (await house.rig.prompts())[0]
            floor = await post(bare, house.rig.address, chat_body(prompt)) + await embed(bare, house.rig.address, question)
            if n >= 10:
                ours.append(answered.first_s)
                floors.append(floor)
                added.append(answered.first_s - floor)
    p50, p99 = percentile(added, 0.5) * _MS, percentile(added, 0.99) * _MS
    return [
        Row(
            "time added before the first token, 10k chunks",
            f"p50 {p50:.1f} ms, p99 {p99:.1f} ms",
            f"<= {_FIRST_P50_MS} / {_FIRST_P99_MS} ms",
            f"prompt and embedding by bare aiohttp {percentile(floors, 0.5) * _MS:.1f} ms",
            p50 <= _FIRST_P50_MS and p99 <= _FIRST_P99_MS,
        )
    ]


async def first_shown(house: Household, session: aiohttp.ClientSession, count: int = 100) -> list[Row]:
    """From the question to the first visible text, less the 200 ms that the model takes to its first token."""
    await house.rig.set(tokens_s=50, first_token_s=_TTFT_S, tokens=3)
    questions = house.questions(seed=5)
    over = [(await ask(session, house.daemon.url, next(questions), f"shown {n}")).first_s - _TTFT_S for n in range(count)]
    p50, p99 = percentile(over, 0.5) * _MS, percentile(over, 0.99) * _MS
    return [
        Row(
            "first visible text over the model's first token",
            f"p50 {p50:.1f} ms, p99 {p99:.1f} ms",
            f"<= {_SHOWN_P50_MS} / {_SHOWN_P99_MS} ms",
            "model: 200 ms to the first token",
            p50 <= _SHOWN_P50_MS and p99 <= _SHOWN_P99_MS,
        )
    ]


async def conversations(house: Household, session: aiohttp.ClientSession, turns: int = 200, people: int = 5) -> list[Row]:
    """Several people in turn: how often the model is asked, and what of a prompt is as it was in the last one."""
    await house.rig.set(tokens_s=0, first_token_s=0, tokens=60)
    await house.rig.reset()
    tokens = [await house.daemon.create_token(f"talk-{n}-{time.time_ns()}", "--person", f"p{n}") for n in range(people)]
    questions, chance = house.questions(seed=9), random.Random(1)
    asked: dict[str, int] = {}
    for _ in range(turns):
        person, question = chance.randrange(people), next(questions)
        asked[question] = person
        session.headers["Authorization"] = f"Bearer {tokens[person]}"
        await ask(session, house.daemon.url, question, "talk")
    session.headers["Authorization"] = house.daemon.headers["Authorization"]
    counters, prompts = await house.rig.counters(), await house.rig.prompts()
    calls = counters["requests"]["chat"] / turns
    same, cut = _prefixes(prompts, asked, people)
    return [
        Row("model calls for a self-contained question", f"{calls:g}", "exactly 1", f"{turns} questions", calls == 1),
        Row(
            "prompt before the newest turn",
            f"{same} identical, {cut} cut by halves, {turns - people - same - cut} neither; {counters['reloads']} reloads",
            "identical unless cut; 0 reloads",
            f"{turns} turns of {people} people",
            same + cut == turns - people and not counters["reloads"],
        ),
    ]


def _prefixes(prompts: list[dict[str, Any]], asked: dict[str, int], people: int) -> tuple[int, int]:
    """How many prompts begin, before their newest turn, as their conversation's last one; how many lost old turns at once."""
    same = cut = 0
    for person in range(people):
        everyones = [prompt["messages"] for prompt in prompts]
        own = [messages for messages in everyones if asked[messages[-1]["content"].splitlines()[-1]] == person]
        for before, after in pairwise(own):
            history, now = before[:-1], after[:-1]
            if now[: len(history)] == history:
                same += 1
            elif now[0] == history[0] and now[1] in history and len(now) <= len(history):
                cut += 1
    return same, cut


async def crowd(house: Household, session: aiohttp.ClientSession, seconds: float = 6, rounds: int = 3) -> list[Row]:
    """Fifty clients and an instant model: us, the bare loop and plain LlamaIndex in turn, on the same stand-in."""
    await house.rig.set(tokens_s=0, first_token_s=0, tokens=100)
    await house.rig.reset(record=100)
    await _rate(house, session, 2)  # every statement and every connection made once
    prompts = [chat_body(prompt).decode() for prompt in await house.rig.prompts()]
    bare_job = {"address": house.rig.address, "prompts": prompts, "path": str(house.folder / f"bare-{time.time_ns()}.db")}
    plain_job = await _plain_engine(house)
    figures: list[tuple[float, float, float, float, float]] = []
    for _ in range(rounds):
        bare = await apart("tests.bench.bare", **bare_job, clients=CLIENTS, seconds=seconds / 2)
        before = Waits.of(await house.metrics(session))
        ours = await _rate(house, session, seconds)
        late_s = Waits.of(await house.metrics(session)).since(before).weighted(0.99)
        plain = await apart("tests.bench.plain", **plain_job, clients=CLIENTS, seconds=seconds)
        figures.append((ours, bare["rate"], plain["rate"], late_s, bare["late_s"]))
        _show(figures[-1])
    ours, bare, plain, late, bare_late = (statistics.median(column) for column in zip(*figures, strict=True))
    to_plain = statistics.median(one[0] / one[2] for one in figures)
    to_bare = statistics.median(one[0] / one[1] for one in figures)
    lateness = statistics.median(one[3] / one[4] for one in figures)
    return [
        Row(
            f"messages/s, whole HTTP path, {CLIENTS} at once, against plain LlamaIndex",
            f"{to_plain:.1f} x ({ours:.0f}/s)",
            ">= 2 x",
            f"its engine over the same chunks {plain:.0f}/s",
            to_plain >= 2,
        ),
        Row("the same against the bare loop", f"{100 * to_bare:.0f} %", ">= 10 %", f"bare loop {bare:.0f}/s", to_bare >= 0.1),
        Row(
            f"stall of the event loop, {CLIENTS} at once, p99 by time stalled",
            f"{lateness:.2f} x ({late * _MS:.0f} ms)",
            "<= 2 x",
            f"bare loop {bare_late * _MS:.0f} ms",
            lateness <= 2,
        ),
    ]


def _show(figures: tuple[float, float, float, float, float]) -> None:
    ours, bare, plain, late, bare_late = figures
    print(
        f"  {ours:.0f}/s, bare {bare:.0f}/s, plain {plain:.0f}/s; late {late * _MS:.1f} ms, bare {bare_late * _MS:.1f} ms",
        flush=True,
    )


async def _rate(house: Household, session: aiohttp.ClientSession, seconds: float) -> float:
    """Messages a second through the HTTP door, each client in its own conversation."""
    handled, started = 0, time.perf_counter()

    async def client(number: int) -> None:
        nonlocal handled
        count, questions = 0, house.questions(seed=time.time_ns() + number)
        while time.perf_counter() < started + seconds:
            await ask(session, house.daemon.url, next(questions), f"crowd {started}.{number}.{count // _CONVERSATION}")
            count += 1
            handled += 1

    await asyncio.gather(*(client(n) for n in range(CLIENTS)))
    return handled / (time.perf_counter() - started)


async def _plain_engine(house: Household) -> dict[str, Any]:
    """What plain LlamaIndex is told: our chunks in a Chroma collection of its own, and questions of the same kind."""
    folder = str(house.folder / f"plain-{time.time_ns()}")
    with closing(sqlite3.connect(house.daemon.state / "grillon.db")) as database:
        texts = [text for (text,) in database.execute("SELECT text FROM chunks")]
    await apart("tests.bench.plain", kind="hold", address=house.rig.address, folder=folder, texts=texts)
    questions = list(islice(house.questions(seed=17), 1000))
    return {"kind": "answer", "address": house.rig.address, "folder": folder, "questions": questions}


async def reindexing(house: Household, session: aiohttp.ClientSession) -> list[Row]:
    """The longest stall while one person asks during a run over a corpus in which every file has changed."""
    await house.rig.set(tokens_s=0, first_token_s=0, tokens=20)
    before = _changed_documents(await house.metrics(session))
    questions, answered = house.questions(seed=13), list[Answered]()
    await asyncio.to_thread(_change_all, house.corpus)
    deadline = time.monotonic() + 300
    done = 0.0
    async with idle() as nothing:
        while done < 2000 and time.monotonic() < deadline:
            answered.append(await ask(session, house.daemon.url, next(questions), f"meanwhile {len(answered)}"))
            await asyncio.sleep(0.5)
            done = _changed_documents(await house.metrics(session)) - before
    page = await house.metrics(session)
    longest = float(page.partition("\ngrillon_loop_longest_stall_seconds ")[2].split()[0]) * _MS
    return [
        Row(
            "longest stall of the event loop, one person, during a full re-index",
            f"{longest:.0f} ms ({done:.0f} documents, {len(answered)} questions)",
            f"<= {_STALL_MS} ms",
            f"a process that only sleeps woke {nothing.longest_s * _MS:.0f} ms late",
            longest <= _STALL_MS and done >= 2000,
        )
    ]


def _changed_documents(page: str) -> float:
    """How many documents all runs so far have found changed: the watcher may start several."""
    found = re.search(r'^grillon_index_changes_total\{change="changed",collection="corpus"\} (\S+)$', page, re.MULTILINE)
    return float(found[1]) if found else 0.0


def _change_all(corpus: Path) -> None:
    for path in corpus.glob("*.md"):
        text = path.read_text(encoding="utf-8").rstrip("\n")
        beside = path.with_suffix(".part")
        beside.write_text(f"{text} Changed {os.getpid()}.\n", encoding="utf-8")
        beside.replace(path)
