"""`grillon db upgrade | check | backup | restore`: the database."""

from __future__ import annotations

from pathlib import Path

import click

from bot.cli.alone import existing_state
from bot.cli.reach import paper, reached
from bot.cli.told import Told, Verb
from bot.state import State


@click.group()
def verb() -> None:
    """Upgrade, check, back up and restore the database."""


@verb.command(cls=Verb)
@click.pass_obj
def upgrade(told: Told) -> None:
    """Bring the database to this program's version, after a verified backup. `grillon run` does the same at its start."""
    from bot.database.schema import prepare
    from bot.tables import REVISION

    with State.claim(existing_state(told.load().settings)) as state:
        prepare(state.database)
    click.echo(f"{state.database} is at revision {REVISION}")


@verb.command(cls=Verb)
@click.pass_obj
def check(told: Told) -> int:
    """Check that the database is sound and that the index agrees with it; exit 1 when not."""
    with reached(told) as client:
        wrong: list[str] = client.call("check")
    for sentence in wrong:
        click.echo(sentence)
    if not wrong:
        click.echo("the database and the index are sound")
    return 1 if wrong else 0


@verb.command(cls=Verb)
@click.pass_obj
def backup(told: Told) -> None:
    """Make a verified backup beside the database, also while the daemon runs, and print its path."""
    click.echo(paper(told, "backup")["path"])


@verb.command(cls=Verb)
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.pass_obj
def restore(told: Told, file: Path) -> None:
    """Put the backup FILE in place of the database.

    What was waiting in it expires instead of being answered late, and who was forgotten since stays forgotten.
    """
    from bot.database.restore import restore as bring_back

    settings = told.load().settings
    with State.claim(existing_state(settings, or_empty=True)) as state:
        restored = bring_back(file, state.folder, handled_days=settings.limits.handled_days)
        click.echo(f"{state.database} is {file} now")
    click.echo(f"{restored.expired} pending messages will be told that they expired")
    if restored.erased:
        click.echo(f"{restored.erased} people who were forgotten since then are erased again")
    if restored.replaced:
        click.echo(f"the database before is kept as {restored.replaced}")
