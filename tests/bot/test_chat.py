"""`grillon ask`, `search` and `chat` as a person sees them: through pipes, and on a terminal."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import signal
import socket
import sys
from collections.abc import AsyncGenerator
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace, TracebackType
from typing import Self

import pytest

from adapters.types import Message, Reply, Source
from bot.cli.ask import as_values
from bot.cli.interrupt import cancelling
from bot.cli.printing import printable
from bot.http.ask import AskRoutes
from bot.live import NewTurn, Outcome, Received, Step, Words
from bot.local.client import LocalClient
from bot.local.wire import event_of, event_values, reply_of
from bot.settings.fields import HttpConfig
from tests.bot.house import Gated, Told
from tests.bot.socket_house import served

ROOT = Path(__file__).parents[2]
CITED = Source(1, "house", "boiler.md", "The boiler", "Winter", None, 0.91, "Turn the red tap.\x1b[2J")
NEAR = Source(1, "house", "garden.md", "The garden", None, None, 0.31, "Roses.")


async def scripted(received: Received) -> AsyncGenerator[Step | Words | Outcome]:
    """Answers with sources, finds nothing, fails, or knows a command, as it is asked."""
    text = received.message.text
    if text.startswith("/"):
        yield Outcome(Reply(f"command {text}", consulted=(CITED,) if text.startswith("/search") else ()), None)
    elif text == "nothing?":
        yield Outcome(Reply("Nothing about that.", nearest=(NEAR,), refused=True), None)
    elif text == "broken?":
        yield Outcome(Reply("The model stopped.", error="model_broken"), None)
    else:
        yield Step("generate")
        yield Words("Turn the [bold]red")
        yield Words(" tap [1].\x1b]0;title\x07")
        yield Outcome(Reply("Turn the [bold]red tap [1].\x1b]0;title\x07", citations=(CITED,)), NewTurn(text, "…"))


class Verb:
    """A verb running beside the test."""

    def __init__(self, folder: Path, *words: str, terminal: int | None = None) -> None:
        self._command = (sys.executable, "-m", "bot.command_line", *words, "--state", str(folder))
        self._ends = asyncio.subprocess.PIPE if terminal is None else terminal
        self._folder = folder

    async def __aenter__(self) -> Self:
        env = {name: value for name, value in os.environ.items() if not name.startswith("GRILLON_")}
        env |= {"PYTHONPATH": str(ROOT), "XDG_CONFIG_HOME": str(self._folder), "TERM": "dumb", "LANG": "C.UTF-8"}
        self.process = await asyncio.create_subprocess_exec(
            *self._command, stdin=self._ends, stdout=self._ends, stderr=asyncio.subprocess.PIPE, cwd=self._folder, env=env
        )
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.process.returncode is None:
            self.process.kill()
            await self.process.wait()

    async def done(self, stdin: str = "") -> tuple[int, str, str]:
        async with asyncio.timeout(30):
            out, err = await self.process.communicate(stdin.encode())
        return self.process.returncode or 0, (out or b"").decode(), err.decode()


async def run(folder: Path, *words: str, stdin: str = "") -> tuple[int, str, str]:
    async with Verb(folder, *words) as verb:
        return await verb.done(stdin)


async def test_ask_prints_the_answer_and_its_sources(tmp_path: Path) -> None:
    async with served(tmp_path, Told(scripted)):
        code, out, err = await run(tmp_path, "ask", "How?")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "Turn the [bold]red tap [1].]0;title",
        "",
        "Sources",
        "[1] The boiler › Winter  (house/boiler.md, 0.91)",
    ]


async def test_ask_as_json_is_what_http_answers(tmp_path: Path) -> None:
    async with served(tmp_path, Told(scripted)):
        code, out, _ = await run(tmp_path, "ask", "--json", "How?")
    values = json.loads(out)
    routes = AskRoutes(SimpleNamespace(model_name="m"), HttpConfig())
    assert code == 0
    assert values["answer"].startswith("Turn the [bold]red tap")
    assert values["citations"][0]["title"] == "The boiler"
    assert list(values) == list(routes._body(Reply(""), Message("http", "", "", "", "", "", True)))


async def test_a_question_from_standard_input(tmp_path: Path) -> None:
    async with served(tmp_path, Told(scripted)):
        code, out, _ = await run(tmp_path, "ask", "-", stdin="Comment ?\nDeux lignes.")
    assert code == 0
    assert out.startswith("Turn the")


@pytest.mark.parametrize(
    ("question", "code", "words"), [("nothing?", 0, ["Nothing", "Nearest", "The garden"]), ("broken?", 1, ["stopped"])]
)
async def test_other_endings(tmp_path: Path, question: str, code: int, words: list[str]) -> None:
    async with served(tmp_path, Told(scripted)):
        returned, out, _ = await run(tmp_path, "ask", question)
    assert returned == code
    assert [word for word in words if word not in out] == []


@pytest.mark.parametrize("question", ["", " ", "a\nb\x07", "x" * 100_000])
async def test_bad_questions_get_a_sentence(tmp_path: Path, question: str) -> None:
    async with served(tmp_path, Told(scripted)):
        code, out, err = await run(tmp_path, "ask", "-", stdin=question)
    assert (code, out) == (1, "")
    assert err.startswith("grillon: ")
    assert "Traceback" not in err


async def test_search_shows_the_passages(tmp_path: Path) -> None:
    async with served(tmp_path, Told(scripted)):
        code, out, _ = await run(tmp_path, "search", "red tap")
    assert code == 0
    assert "[1] The boiler › Winter" in out
    assert "Turn the red tap.[2J" in out


async def test_a_chat_through_pipes(tmp_path: Path) -> None:
    async with served(tmp_path, Told(scripted)) as (house, _):
        code, out, err = await run(tmp_path, "chat", stdin="How?\n\n/sources\n/help\n/reset\nnothing?\n")
        assert house.dispatcher.waiting() == 0
    assert (code, err) == (0, "")
    assert out.count("[1] The boiler › Winter") == 2
    assert "Turn the red tap.[2J" in out  # the passage, whole, without its escape sequence
    assert "command /help\n" in out
    assert "/quit: leave" in out
    assert "command /reset" in out
    assert "The garden" in out


async def test_quit_leaves(tmp_path: Path) -> None:
    async with served(tmp_path, Told(scripted)):
        code, out, _ = await run(tmp_path, "chat", stdin="/quit\nHow?\n")
    assert (code, out.strip()) == (0, "")


async def test_sources_without_an_answer_asks_the_house(tmp_path: Path) -> None:
    async with served(tmp_path, Told(scripted)):
        assert "command /sources" in (await run(tmp_path, "chat", stdin="/sources\n"))[1]
        assert "command /sources" in (await run(tmp_path, "chat", stdin="How?\n/reset\n/sources\n"))[1]


async def test_a_bad_question_does_not_end_the_chat(tmp_path: Path) -> None:
    async with served(tmp_path, Told(scripted)):
        code, out, _ = await run(tmp_path, "chat", stdin=f"{'x' * 100_000}\nHow?\n")
    assert code == 0
    assert "characters" in out
    assert "red tap" in out


async def test_ctrl_c_cancels_a_question(tmp_path: Path) -> None:
    gated = Gated()
    async with served(tmp_path, gated), Verb(tmp_path, "ask", "How?") as verb:
        await gated.arrivals.get()
        verb.process.send_signal(signal.SIGINT)
        code, _, err = await verb.done()
        assert (code, err.strip()) == (130, "")
        assert len(gated.broken) == 1


@pytest.mark.parametrize("gone", ["closed", "broken"])
def test_ctrl_c_leaves_where_the_daemon_is_away(tmp_path: Path, gone: str) -> None:
    with socket.socket(socket.AF_UNIX) as daemon:
        daemon.bind(str(tmp_path / "s"))
        daemon.listen()
        client = LocalClient(tmp_path / "s")
        daemon.accept()[0].close()
    if gone == "closed":  # it waits between two looks for the daemon
        client.close()
    with client, cancelling(client), pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


class Terminal:
    """Both ends of a terminal: what is typed and what is shown."""

    def __init__(self) -> None:
        self._ours, self.theirs = pty.openpty()
        os.set_blocking(self._ours, False)
        self.shown = ""

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    async def until(self, text: str) -> None:
        """Wait until `text` is shown after what was awaited before."""
        async with asyncio.timeout(30):
            while text not in self.shown:
                try:
                    self.shown += os.read(self._ours, 65536).decode(errors="replace")
                except BlockingIOError:
                    await asyncio.sleep(0.01)
        self.shown = self.shown.partition(text)[2]

    def close(self) -> None:
        os.close(self._ours)
        os.close(self.theirs)


async def test_a_chat_on_a_terminal(tmp_path: Path) -> None:
    """Words while they come; Ctrl-C cancels the answer, and the chat goes on."""
    gated, terminal = Gated(), Terminal()
    try:
        async with served(tmp_path, gated), Verb(tmp_path, "chat", terminal=terminal.theirs) as verb:
            await terminal.until("› ")
            terminal.type("one\n")
            first = await gated.arrivals.get()
            await terminal.until("so far")
            verb.process.send_signal(signal.SIGINT)
            await terminal.until("cancelled")
            assert gated.broken == [first]
            await terminal.until("› ")
            terminal.type("two\n")
            second = await gated.arrivals.get()
            gated.let(second)
            await terminal.until(f"answer {second}")
            await terminal.until("› ")
            terminal.type("\x04")
            assert await asyncio.wait_for(verb.process.wait(), 30) == 0
    finally:
        terminal.close()


def test_nothing_steers_the_terminal() -> None:
    assert printable("a\x1b[31mb\x9bc\u202ed\te\nf\r") == "a[31mbcd\te\nf"


@pytest.mark.parametrize("reply", [Reply("x"), Reply("x", (CITED,), (NEAR,), (NEAR,), cut=True, error="e", timings={"a": 1.0})])
def test_replies_survive_the_wire(reply: Reply) -> None:
    assert reply_of(json.loads(json.dumps(asdict(reply)))) == reply
    assert ("cut" in as_values(reply)) == reply.cut


@pytest.mark.parametrize("event", [Words("x"), Step("generate")])
def test_events_survive_the_wire(event: Words | Step) -> None:
    assert event_of(event_values(event)) == event
