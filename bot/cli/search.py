"""`grillon search "…"`: the passages, without the model."""

from __future__ import annotations

import click

from bot.cli.ask import locale
from bot.cli.reach import reached
from bot.cli.told import Told, Verb
from bot.errors import GrillonError
from bot.live import Finished


@click.command(cls=Verb)
@click.argument("words")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--collection", "collections", multiple=True, metavar="NAME", help="Look in this collection only; repeatable.")
@click.pass_obj
def verb(told: Told, words: str, as_json: bool, collections: tuple[str, ...]) -> int:
    """Show the passages that answer WORDS best, without asking the model."""
    from bot.cli.ask import as_values
    from bot.cli.printing import console, show_sources, write

    if not words.strip():
        raise GrillonError("say what to search for: grillon search WORDS")
    with reached(told) as client:
        events = client.ask(f"/search {words}", collections=list(collections) or None, locale=locale())
        reply = next((event.reply for event in events if isinstance(event, Finished)), None)
    if reply is None:
        return 1
    if as_json:
        import orjson

        click.echo(orjson.dumps(as_values(reply), option=orjson.OPT_INDENT_2))
    elif reply.consulted:
        show_sources(console(), reply)
    else:
        write(console(), f"{reply.text}\n")
    return 1 if reply.error else 0
