"""The machine under the Ollama stand-in: which models are in memory, who has a slot, who waits, and what each slot has cached."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.rigs.ollama_script import Script
from tests.rigs.ollama_words import common_prefix

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.rigs.ollama_models import Installed

Runner = tuple[tuple[str, object], ...]


class BusyError(Exception):
    """The queue is full."""


@dataclass
class Counters:
    """What happened since the last reset. `reloads`: loads of a model that was in memory with other runner options."""

    requests: dict[str, int] = field(default_factory=dict)
    loads: int = 0
    reloads: int = 0
    swaps: int = 0
    active: int = 0
    max_active: int = 0
    closed_early: int = 0
    answers: int = 0
    tokens: int = 0
    embedded: int = 0
    prefixes: dict[int, int] = field(default_factory=dict)


@dataclass
class Resident:
    """A model in memory, or on its way there until `ready`."""

    model: Installed
    runner: Runner
    keep_alive: float
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    users: int = 0
    idle: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def window(self) -> int:
        """The context it was loaded with."""
        asked = dict(self.runner).get("num_ctx")
        return asked if isinstance(asked, int) else min(4096, self.model.window)


@dataclass(eq=False)
class Slot:
    """A place where one answer is written. `prompt` is what it has cached, `common` what it shared with the one before."""

    number: int
    prompt: str = ""
    common: int = 0
    busy: bool = False


class Machine:
    """Memory, slots and queue."""

    def __init__(self) -> None:
        self.script = Script()
        self.counters = Counters()
        self.resident: dict[str, Resident] = {}
        self._slots: list[Slot] = []
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._admitted = 0

    @asynccontextmanager
    async def loaded(self, model: Installed, runner: Runner, keep_alive: float) -> AsyncIterator[Resident]:
        """Have the model in memory with these runner options while something is done with it."""
        resident = await self._load(model, runner)
        resident.keep_alive = keep_alive
        resident.users += 1
        resident.idle.clear()
        try:
            yield resident
        finally:
            resident.users -= 1
            if not resident.users:
                resident.idle.set()

    @asynccontextmanager
    async def slot(self, prompt: str) -> AsyncIterator[Slot]:
        """Wait for a slot, the idle one that shares most of the prompt."""
        slot = self._idle(prompt)
        while slot is None:
            await self._wait()
            slot = self._idle(prompt)
        slot.busy = True
        slot.common = common_prefix(slot.prompt, prompt) if self.script.prefix else 0
        slot.prompt = prompt
        counters = self.counters
        counters.prefixes[slot.number] = slot.common
        counters.active += 1
        counters.max_active = max(counters.max_active, counters.active)
        try:
            yield slot
        finally:
            counters.active -= 1
            slot.busy = False
            while self._waiting:
                waiter = self._waiting.popleft()
                if not waiter.done():
                    waiter.set_result(None)
                    break

    async def unload(self, name: str) -> None:
        """Take a model out of memory when nobody uses it any more."""
        resident = self.resident.get(name)
        if resident is not None:
            await resident.idle.wait()
            self.resident.pop(name, None)

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """From arrival to end. Raises `BusyError` when all slots are taken and the queue is full."""
        if self._admitted >= self.script.slots + self.script.queue:
            raise BusyError
        self._admitted += 1
        try:
            yield
        finally:
            self._admitted -= 1

    def _idle(self, prompt: str) -> Slot | None:
        while len(self._slots) < self.script.slots:
            self._slots.append(Slot(len(self._slots)))
        idle = [slot for slot in self._slots[: self.script.slots] if not slot.busy]
        if len(idle) < 2 or not self.script.prefix:
            return idle[0] if idle else None
        return max(idle, key=lambda slot: common_prefix(slot.prompt, prompt))

    async def _wait(self) -> None:
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and self._waiting:
                self._waiting.popleft().set_result(None)
            elif waiter in self._waiting:
                self._waiting.remove(waiter)
            raise

    async def _load(self, model: Installed, runner: Runner) -> Resident:
        while True:
            resident = self.resident.get(model.name)
            if resident is not None and resident.runner == runner:
                await resident.ready.wait()
                if self.resident.get(model.name) is resident:
                    return resident
            elif resident is not None:
                await self.unload(model.name)
                self.counters.reloads += 1
            elif len(self.resident) >= self.script.fit:
                await self.unload(next(iter(self.resident)))
                self.counters.swaps += 1
            else:
                await self._start(model, runner)

    async def _start(self, model: Installed, runner: Runner) -> None:
        resident = self.resident[model.name] = Resident(model, runner, 300.0)
        resident.idle.set()
        self.counters.loads += 1
        try:
            if self.script.load_s:
                await asyncio.sleep(self.script.load_s)
        except asyncio.CancelledError:
            self.resident.pop(model.name, None)
            raise
        finally:
            resident.ready.set()


@dataclass
class House:
    """What the routes work on: the machine, and every prompt that came."""

    machine: Machine = field(default_factory=Machine)
    prompts: deque[dict[str, Any]] = field(default_factory=deque)

    @property
    def script(self) -> Script:
        """How it behaves now."""
        return self.machine.script
