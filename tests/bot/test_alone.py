"""Verbs without a daemon: the house opens for them, answers, and leaves nothing running."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sqlite3
import threading
import time
from collections.abc import AsyncGenerator, Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from adapters.types import Reply
from bot import daemon
from bot.app import House
from bot.cli.alone import alone
from bot.cli.reach import paper, reached
from bot.cli.told import Told
from bot.command_line import main
from bot.database.database import Database
from bot.errors import DatabaseError, StateInUseError
from bot.live import Finished
from bot.local.client import DaemonLostError, LocalClient
from bot.local.verbs import HOUSE
from bot.settings.fields import Settings
from bot.settings.sources import Loaded
from bot.stall import StallWatch
from bot.state import State, owner_pid
from bot.systemd import Notifier
from knowledge import spaces
from tests.rigs.ollama import Ollama


def settings(folder: Path, address: str) -> Settings:
    (folder / "documents").mkdir()
    (folder / "state").mkdir()
    (folder / "documents" / "boiler.md").write_text("# Boiler\n\nThe boiler is serviced every October by Mr Martin.\n")
    return Settings.model_validate(
        {
            "state": folder / "state",
            "collections": [{"name": "house", "folder": folder / "documents"}],
            "model": {"address": address, "name": "smollm2:135m", "context_window": 4096, "answer_tokens": 256},
            "embedding": {"address": address, "name": "all-minilm", "window": 256},
        }
    )


async def test_a_house_for_one_verb(tmp_path: Path) -> None:
    def verb(told: Settings) -> tuple[list[dict[str, Any]], Reply]:
        with alone(told) as client:
            assert owner_pid(tmp_path / "state") is not None
            reports = client.call("index")
            last = list(client.ask("When is the boiler serviced?"))[-1]
            assert isinstance(last, Finished)
            return reports, last.reply

    async with Ollama() as rig:
        reports, reply = await asyncio.to_thread(verb, settings(tmp_path, rig.address))
    assert [(report["collection"], report["added"]) for report in reports] == [("house", 1)]
    assert reply.error is None
    assert [source.document for source in (*reply.citations, *reply.consulted)] == ["boiler.md"]
    assert owner_pid(tmp_path / "state") is None
    assert not (tmp_path / "state" / "grillon.sock").exists()
    assert "house" not in [thread.name for thread in threading.enumerate()]


@pytest.fixture
def unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Houses that never get to load their library, for tests that have no need of it."""

    async def load(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(House, "_load", load)


class Slow:
    """A request `slow` of other verbs that lasts until it is let go."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._path, self._go = path, asyncio.Event()
        self.taken = threading.Event()
        self.got: list[Any] = []
        self._thread = threading.Thread(target=self._call)
        monkeypatch.setitem(HOUSE, "slow", self._answer)

    async def _answer(self, *_: object) -> AsyncGenerator[dict[str, Any]]:
        self._loop = asyncio.get_running_loop()
        self.taken.set()
        await self._go.wait()
        yield {"result": "in the end"}

    def _call(self) -> None:
        with LocalClient(self._path) as client:
            try:
                self.got.append(client.call("slow"))
            except DaemonLostError as error:
                self.got.append(error)

    def ask(self) -> None:
        self._thread.start()
        assert self.taken.wait(10)

    def let(self) -> None:
        self._loop.call_soon_threadsafe(self._go.set)

    def told(self) -> Any:
        self._thread.join(10)
        return self.got[0]


def gone(path: Path, then: Callable[[], object]) -> threading.Thread:
    """Do something as soon as nothing is there any more."""

    def look() -> None:
        while path.exists():
            time.sleep(0.01)
        then()

    thread = threading.Thread(target=look)
    thread.start()
    return thread


@pytest.mark.usefixtures("unread")
def test_other_verbs_have_their_answers_before_the_house_closes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And one that only sits there, as `grillon chat`, is not waited for."""
    told, path = settings(tmp_path, "http://127.0.0.1:9"), tmp_path / "state" / "grillon.sock"
    slow = Slow(path, monkeypatch)
    with alone(told):
        idle = LocalClient(path)
        slow.ask()
        looking = gone(path, slow.let)
    assert slow.told() == "in the end"
    looking.join()
    idle.close()


@pytest.mark.usefixtures("unread")
def test_ctrl_c_closes_the_house_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told, path = settings(tmp_path, "http://127.0.0.1:9"), tmp_path / "state" / "grillon.sock"
    slow, main_thread = Slow(path, monkeypatch), threading.get_ident()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it in what runs in the background

    def press() -> None:
        signal.pthread_kill(main_thread, signal.SIGINT)

    def begin() -> None:
        slow.ask()
        looking.append(gone(path, press))

    looking: list[threading.Thread] = []
    try:
        with pytest.raises(KeyboardInterrupt), alone(told):
            begin()
    finally:
        signal.signal(signal.SIGINT, before)
    looking[0].join()
    assert isinstance(slow.told(), DaemonLostError)


def test_a_verb_waits_for_the_house_that_another_opens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = settings(tmp_path, "http://127.0.0.1:9")
    monkeypatch.setattr(Told, "load", lambda _: Loaded(told, {}, None, ()))
    (tmp_path / "state" / "grillon.db").touch()
    holder, tries = State.claim(tmp_path / "state"), count(1)

    def look(_: float) -> None:
        if next(tries) == 3:
            holder.release()

    monkeypatch.setattr("bot.cli.reach.time.sleep", look)
    assert paper(Told(), "list_tokens") == []
    assert next(tries) > 3


def test_a_verb_does_not_wait_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = settings(tmp_path, "http://127.0.0.1:9")
    monkeypatch.setattr(Told, "load", lambda _: Loaded(told, {}, None, ()))
    monkeypatch.setattr("bot.cli.reach.OPENING_S", 0)
    (tmp_path / "state" / "grillon.db").touch()
    with State.claim(tmp_path / "state"), pytest.raises(StateInUseError), reached(Told()):
        pytest.fail("opened twice")


def full_once(monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """The disk has no room when the library is first loaded, and has some later."""
    work, tries = getattr(spaces, step), count()

    def full(*given: Any, **more: Any) -> Any:
        if next(tries) == 0:
            raise DatabaseError("The disk is full.")
        return work(*given, **more)

    monkeypatch.setattr(spaces, step, full)


@pytest.mark.parametrize("step", ["declare", "arrange"])
async def test_a_library_that_the_disk_refused_is_loaded_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    full_once(monkeypatch, step)
    async with Ollama() as rig:
        told = settings(tmp_path, rig.address)
        with State.claim(told.state or tmp_path) as state:
            async with House.open(told, state) as house:
                with pytest.raises(DatabaseError, match="full"):
                    await house.loaded()
                loaded = await house.loaded()
                assert house.library is loaded.library
                assert await loaded.library.check() == []  # it has the folder, which the first try had locked


async def test_the_daemon_keeps_its_hours_once_the_library_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full_once(monkeypatch, "declare")
    monkeypatch.setattr(daemon, "RETRY_S", (0.01,))
    told = settings(tmp_path, "http://127.0.0.1:9")
    with State.claim(told.state or tmp_path) as state:
        life = daemon.Daemon(Loaded(told, {}, None, ()), state, Notifier())
        async with House.open(told, state) as house, daemon._Background() as tasks:
            await life._after_loading(house, tasks, StallWatch(1))
            assert house.schedule is not None
            house.schedule.stop()


@pytest.mark.usefixtures("unread")
async def test_a_full_disk_takes_no_question(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = settings(tmp_path, "http://127.0.0.1:9")
    with State.claim(told.state or tmp_path) as state:
        async with House.open(told, state) as house:
            assert house.ready()["database"]
            monkeypatch.setattr("bot.app.room", lambda _: 4096)
            assert not house.ready()["database"]


def test_a_state_in_use_stays_whose_it_is(tmp_path: Path) -> None:
    told = settings(tmp_path, "http://127.0.0.1:9")
    (tmp_path / "state" / "grillon.db").touch()
    with State.claim(tmp_path / "state"), pytest.raises(StateInUseError), alone(told):
        pytest.fail("opened twice")


async def test_what_opening_raises_is_the_verbs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A database of a newer program: exit 4, and nothing is touched."""
    path = tmp_path / "grillon.db"
    await (await Database.open(path)).close()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'ffff'")
        connection.commit()
    before = path.read_bytes()

    def ask() -> int | str | None:
        with pytest.raises(SystemExit) as left:
            main(["ask", "x", "--state", str(tmp_path)])
        return left.value.code

    assert await asyncio.to_thread(ask) == 4
    assert "ffff" in capsys.readouterr().err
    assert path.read_bytes() == before
