"""How answers look on a terminal: words as they come, then the sources."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from bot.live import Event, Finished, Restarted, Step, Waiting, Words

if TYPE_CHECKING:
    from rich.status import Status

    from adapters.types import Reply, Source

_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_WAITING = {"queue": "waiting, place {place}", "starting": "starting", "model": "the model is loading"}
_STEPS = {"starting": "loading the library", "condense": "reading the question", "retrieve": "searching", "generate": "writing"}


def printable(text: str) -> str:
    """Text of a document or a model without what would steer the terminal: escape sequences, changes of writing direction."""
    return _UNPRINTABLE.sub("", text)


def console() -> Console:
    """The terminal, or whatever stdout is: then without colours and without wrapping."""
    made = Console(highlight=False)
    if not made.is_terminal:
        made.soft_wrap = True
    return made


def show_answer(out: Console, events: Iterable[Event]) -> Reply | None:
    """Print an answer as it comes, then its sources. Returns the reply, None when it ended without one."""
    reply, written = None, ""
    with ExitStack() as open_status:
        status = open_status.enter_context(out.status("…")) if out.is_terminal else None
        for event in events:
            if isinstance(event, Words):
                if not out.is_terminal:
                    continue  # what is read later is better read whole, without what was started again
                open_status.close()
                write(out, event.text)
                written += event.text
            elif isinstance(event, Finished):
                reply = event.reply
            else:
                written = "" if isinstance(event, Restarted) else written
                _show_state(out, status, event)
    if reply is not None:
        _finish(out, reply, written)
    return reply


def show_sources(out: Console, reply: Reply) -> None:
    """The passages of a reply, whole."""
    for heading, sources in _groups(reply):
        out.print(Text(heading, style="bold"))
        for source in sources:
            out.print(source_line(source))
            out.print(Text(printable(source.excerpt), style="dim"))


def write(out: Console, text: str) -> None:
    """Words as they are: nothing in them is markup."""
    out.print(Text(printable(text)), end="", soft_wrap=True)
    out.file.flush()


def _show_state(out: Console, status: Status | None, event: Event) -> None:
    if status is None:
        return
    if isinstance(event, Waiting):
        status.update(_WAITING.get(event.reason, "waiting").format(place=event.position))
    elif isinstance(event, Step):
        status.update(_STEPS.get(event.name, event.name))
    elif isinstance(event, Restarted):
        out.print(Text("\n(starting again)", style="dim"))


def _finish(out: Console, reply: Reply, written: str) -> None:
    """What the stream did not show: a reply that differs from the words so far is said whole, on lines of its own."""
    if reply.text.startswith(written):
        write(out, reply.text[len(written) :])
    elif reply.text.strip() != written.strip():
        write(out, f"\n\n{reply.text}")
    out.print()
    if reply.file is not None:
        write(out, f"\n{reply.file.text}\n")
    for heading, sources in _groups(reply):
        out.print(Text(f"\n{heading}", style="bold"))
        for source in sources:
            out.print(source_line(source))


def _groups(reply: Reply) -> list[tuple[str, Sequence[Source]]]:
    named = [("Sources", reply.citations), ("Consulted", reply.consulted), ("Nearest", reply.nearest)]
    return [(heading, sources) for heading, sources in named if sources]


def source_line(source: Source) -> Text:
    """One source in a line: number, title, place, collection and document, score."""
    place = f" › {source.locator}" if source.locator else ""
    return Text(printable(f"[{source.n}] {source.title}{place}  ({source.collection}/{source.document}, {source.score:.2f})"))


def is_interactive() -> bool:
    """Whether a person sits at both ends."""
    return sys.stdin.isatty() and sys.stdout.isatty()
