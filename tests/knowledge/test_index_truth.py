"""Whatever happens to files, model and processes: what can be retrieved is exactly what is on disk."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from knowledge import versions
from knowledge.errors import ModelBrokenError
from knowledge.library import Library
from tests.rigs.embedder import HashedEmbedder
from tests.rigs.shelf import Shelf, asked, found

NAMES = st.sampled_from(["a.md", "b.md", "c.md", "sub/a.md", "sub/d.txt"])
WORDS = [f"mot{number}" for number in range(6)]
TEXTS = st.lists(st.sampled_from(WORDS), min_size=1, max_size=4).map(lambda words: "\n\n".join(f"{word} seul" for word in words))

DICE, SIX = st.integers(1, 16), 6
"""What costs two seconds of starting a process happens to who throws a six. The dice have more sides than that."""


class House:
    """One library for all sequences: its processes take two seconds to start."""

    def __init__(self) -> None:
        self.runner = asyncio.Runner()
        self.shelf = Shelf(Path(tempfile.mkdtemp(prefix="grillon-truth-")))
        self.stack = AsyncExitStack()
        self.library: Library
        self.run(self.open())

    async def open(self) -> None:
        self.library = await self.stack.enter_async_context(self.shelf.opened())

    async def reopen(self) -> None:
        await self.stack.aclose()
        await self.open()

    def run(self, work: Any) -> Any:
        return self.runner.run(work)

    def close(self) -> None:
        self.run(self.stack.aclose())
        self.runner.close()
        shutil.rmtree(self.shelf.root)


class Truth(RuleBasedStateMachine):
    """`disk` is what is in the folder, `indexed` what the last run should have left in the index: path to text."""

    house: House

    def __init__(self) -> None:
        super().__init__()
        self.shelf = self.house.shelf
        self.disk: dict[str, str] = {}
        self.indexed: dict[str, str] = {}

    @initialize()
    def empty(self) -> None:
        shutil.rmtree(self.shelf.documents)
        self.shelf.documents.mkdir()
        self.house.run(self.house.library.reindex("home", prune=True))

    @rule(name=NAMES, text=TEXTS)
    def write(self, name: str, text: str) -> None:
        self.shelf.write(name, text)
        self.disk[name] = text

    @rule(name=NAMES)
    def breaks(self, name: str) -> None:
        """The new version cannot be read: the old one stays."""
        self.shelf.write(name, "broken " + self.disk.get(name, ""))
        self.disk[name] = "broken"

    @precondition(lambda self: self.disk)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.disk)))
        (self.shelf.documents / name).unlink()
        del self.disk[name]

    @precondition(lambda self: self.disk)
    @rule(data=st.data(), to=NAMES)
    def rename(self, data: st.DataObject, to: str) -> None:
        name = data.draw(st.sampled_from(sorted(self.disk)))
        (self.shelf.documents / to).parent.mkdir(exist_ok=True)
        (self.shelf.documents / name).rename(self.shelf.documents / to)
        self.disk[to] = self.disk.pop(name)

    @precondition(lambda self: self.disk)
    @rule(data=st.data(), to=NAMES)
    def copy(self, data: st.DataObject, to: str) -> None:
        name = data.draw(st.sampled_from(sorted(self.disk)))
        if name != to:
            self.shelf.write(to, (self.shelf.documents / name).read_text())
            self.disk[to] = self.disk[name]

    @rule()
    def reindex(self) -> None:
        self.house.run(self.house.library.reindex("home"))
        self.settle()

    @rule(name=NAMES)
    def look_at_one(self, name: str) -> None:
        """The watcher names one file: the others may wait."""
        self.house.run(self.house.library.reindex("home", changed=[self.shelf.documents / name]))
        if name not in self.disk:
            self.settle()
        elif self.disk[name] != "broken":
            self.indexed[name] = self.disk[name]

    @rule(word=st.sampled_from(WORDS))
    def reindex_while_the_model_fails_at(self, word: str) -> None:
        self.shelf.embedder.fail_on = {word: ModelBrokenError("no")}
        before = dict(self.indexed)
        report = self.house.run(self.house.library.reindex("home"))
        self.shelf.embedder.fail_on = {}
        self.settle()
        for name, reason in report.skipped:
            if "embedded" in reason:
                assert word in self.disk[name]
                self.indexed.pop(name)
                if name in before:
                    self.indexed[name] = before[name]

    @rule(dice=DICE)
    def kill_the_vectors(self, dice: int) -> None:
        if dice == SIX:
            pid = self.house.library._store.pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            self.house.run(self.house.library.reindex("home"))
            self.settle()
            self.house.run(answered_from_vectors(self.house.library))

    @rule(dice=DICE)
    def restart(self, dice: int) -> None:
        if dice == SIX:
            self.house.run(self.house.reopen())

    @rule(dice=DICE, remembered=st.booleans())
    def change_the_model(self, dice: int, remembered: bool) -> None:
        if dice == SIX:
            old = self.shelf.embedder
            self.shelf.former = {old.name: old} if remembered else {}
            self.shelf.embedder = HashedEmbedder("first" if old.name == "second" else "second", 128)
            self.house.run(self.house.reopen())
            self.house.run(self.house.library.settled())

    @invariant()
    def what_is_retrieved_is_what_was_indexed(self) -> None:
        self.house.run(self.compare())

    def settle(self) -> None:
        """What a run leaves: the disk, but a file that cannot be read keeps what it had."""
        if any(self.disk.values()):
            broken = {name for name, text in self.disk.items() if text == "broken"}
            kept = {name: text for name, text in self.indexed.items() if name in broken}
            self.indexed = kept | {name: text for name, text in self.disk.items() if name not in broken}

    async def compare(self) -> None:
        library = self.house.library
        for word in WORDS:
            expected = {name for name, text in self.indexed.items() if word in text}
            assert await found(library, word) == expected, word
        assert await library.check() == []
        known = await library._sql.read(lambda connection: versions.manifest(connection, "home"))
        assert {path for path, row in known.items() if row.version} == self.indexed.keys()


async def answered_from_vectors(library: Library) -> None:
    """Ask until full text does not answer alone any more."""
    async with asyncio.timeout(30):
        while not (await asked(library, WORDS[0])).vectors:
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("sequences", [20, pytest.param(2000, marks=[pytest.mark.full, pytest.mark.timeout(3600)])])
def test_what_can_be_retrieved_is_what_is_on_disk(sequences: int) -> None:
    Truth.house = House()
    try:
        run_state_machine_as_test(
            Truth,
            settings=settings(
                max_examples=sequences, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
            ),
        )
    finally:
        Truth.house.close()
