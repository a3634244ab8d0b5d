"""`grillon people`: who is declared, and what each may read."""

from __future__ import annotations

import click

from bot.cli.reach import paper
from bot.cli.told import Told, Verb


@click.command(cls=Verb)
@click.pass_obj
def verb(told: Told) -> None:
    """Show who is declared in the settings and what each may read."""
    for person in paper(told, "list_people"):
        rights = "owner" if person["owner"] else ""
        account = f"account {person['unix_user']}" if person["unix_user"] else ""
        reads = ", ".join(person["reads"]) or "nothing"
        click.echo(f"{person['name'] or '(the owner)':20} {rights:6} {account:20} reads {reads}")
