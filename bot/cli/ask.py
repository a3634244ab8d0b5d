"""`grillon ask "…"`: one question."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from bot.cli.interrupt import cancelling
from bot.cli.reach import reached
from bot.cli.told import Told, Verb
from bot.live import Event, Finished
from bot.local.wire import LINE_BYTES, RemoteError

if TYPE_CHECKING:
    from adapters.types import Reply


@click.command(cls=Verb)
@click.argument("question")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, as POST /ask answers.")
@click.option("--conversation", metavar="NAME", help="A conversation of its own, by a name of your choice.")
@click.option("--collection", "collections", multiple=True, metavar="NAME", help="Look in this collection only; repeatable.")
@click.pass_obj
def verb(told: Told, question: str, as_json: bool, conversation: str | None, collections: tuple[str, ...]) -> int:
    """Ask one question and print the answer with its sources.

    A QUESTION of "-" is read from standard input. Exit code 1 when there is no answer because something is wrong.
    """
    text = sys.stdin.buffer.read(LINE_BYTES).decode(errors="replace") if question == "-" else question
    with reached(told) as client, cancelling(client):
        events = client.ask(text, conversation=conversation, collections=list(collections) or None, locale=locale())
        try:
            reply = _print_json(events) if as_json else _print(events)
        except RemoteError as error:
            if error.code == "cancelled":
                raise KeyboardInterrupt from None
            raise
    return 1 if reply is None or reply.error else 0


def locale() -> str | None:
    """The language of whoever types, as `fr` or `en-GB`."""
    import os

    named = next((os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)), "")
    language = named.partition(".")[0].replace("_", "-")
    return None if language in {"", "C", "POSIX"} else language


def as_values(reply: Reply) -> dict[str, Any]:
    """A reply as `POST /ask` answers it; `cut`, `file` and `error` only where there is something to say."""
    values = {
        "answer": reply.text,
        "citations": reply.citations,
        "consulted": reply.consulted,
        "nearest": reply.nearest,
        "refused": reply.refused,
        "conversation": reply.conversation,
        "model": reply.model,
        "timings": reply.timings,
    }
    values |= ({"cut": True} if reply.cut else {}) | ({"file": reply.file} if reply.file else {})
    return values | ({"error": reply.error} if reply.error else {})


def _print_json(events: Iterator[Event]) -> Reply | None:
    import orjson

    reply = next((event.reply for event in events if isinstance(event, Finished)), None)
    if reply is not None:
        click.echo(orjson.dumps(as_values(reply), option=orjson.OPT_INDENT_2))
    return reply


def _print(events: Iterator[Event]) -> Reply | None:
    from bot.cli.printing import console, show_answer

    return show_answer(console(), events)
