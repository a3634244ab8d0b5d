"""`grillon token create | list | revoke`: tokens of the HTTP door."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from bot.cli.reach import paper
from bot.cli.told import Told, Verb


@click.group()
def verb() -> None:
    """Make, show and end the bearer tokens of the HTTP door."""


@verb.command(cls=Verb)
@click.argument("name")
@click.option("--person", metavar="NAME", help="Whose token it is; default: the owner's.")
@click.pass_obj
def create(told: Told, name: str, person: str | None) -> None:
    """Print a new token called NAME, this once: only its hash is stored."""
    click.echo(paper(told, "create_token", name=name, person=person)["secret"])


@verb.command("list", cls=Verb)
@click.pass_obj
def list_(told: Told) -> None:
    """Show the tokens and whose they are."""
    for token in paper(told, "list_tokens"):
        made = datetime.fromtimestamp(token["at"], UTC).astimezone()
        whose = (
            (token["person"] or "the owner") if token["in_force"] else "nobody: its person is not declared any more, or blocked"
        )
        click.echo(f"{token['name']:24} {whose:24} {made:%Y-%m-%d %H:%M}")


@verb.command(cls=Verb)
@click.argument("name")
@click.pass_obj
def revoke(told: Told, name: str) -> None:
    """End the token called NAME at once."""
    paper(told, "revoke_token", name=name)
    click.echo(f"{name} is revoked")
