"""`grillon chat`: a conversation in the terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from bot.cli.ask import locale
from bot.cli.interrupt import cancelling
from bot.cli.reach import reached
from bot.cli.told import Told, Verb
from bot.local.wire import RemoteError

if TYPE_CHECKING:
    from rich.console import Console

    from adapters.types import Reply
    from bot.local.client import LocalClient

_LEAVE = frozenset({"/quit", "/exit"})


@click.command(cls=Verb)
@click.option("--conversation", metavar="NAME", help="A conversation of its own, by a name of your choice.")
@click.option("--collection", "collections", multiple=True, metavar="NAME", help="Look in this collection only; repeatable.")
@click.pass_obj
def verb(told: Told, conversation: str | None, collections: tuple[str, ...]) -> None:
    """Talk with your documents. /help shows the commands; /quit or the end of input leaves."""
    from bot.cli.printing import console

    with reached(told) as client:
        Chat(client, console(), conversation, list(collections)).run()


class Chat:
    """The conversation: reads lines, prints answers, remembers the last reply for /sources."""

    def __init__(self, client: LocalClient, out: Console, conversation: str | None, collections: list[str]) -> None:
        self._client = client
        self._out = out
        self._conversation = conversation
        self._collections = collections or None
        self._last: Reply | None = None

    def run(self) -> None:
        """Until /quit or the end of input. Ctrl-C at the prompt raises `KeyboardInterrupt`."""
        if sys.stdin.isatty():
            import readline  # noqa: F401 -- line editing and history, in memory alone: what was asked is not left behind

            self._out.print("Ask a question. /help shows the commands, Ctrl-D leaves.", style="dim")
        while (text := self._read()) is not None and text not in _LEAVE:
            if text:
                self._take(text)

    def _read(self) -> str | None:
        try:
            return input("\n› " if sys.stdin.isatty() else "").strip()
        except EOFError:
            return None

    def _take(self, text: str) -> None:
        from bot.cli.printing import show_sources

        if text == "/sources" and self._last is not None:
            show_sources(self._out, self._last)
        else:
            self._ask(text)
        if text == "/help":
            self._out.print("/quit: leave")

    def _ask(self, text: str) -> None:
        from bot.cli.printing import show_answer

        try:
            with cancelling(self._client):
                events = self._client.ask(text, conversation=self._conversation, collections=self._collections, locale=locale())
                reply = show_answer(self._out, events)
        except RemoteError as error:
            self._out.print(f"({error})", style="dim", markup=False)
            return
        if reply is not None and (reply.citations or reply.consulted or reply.nearest):
            self._last = reply
        elif text in {"/reset", "/forget"}:
            self._last = None
