"""`grillon run`: the daemon."""

from __future__ import annotations

import click

from bot.cli.told import Told, Verb


@click.command(cls=Verb)
@click.pass_obj
def verb(told: Told) -> int:
    """Start the daemon and serve until SIGTERM or Ctrl-C."""
    loaded = told.load()
    from bot.daemon import run

    return run(loaded)
