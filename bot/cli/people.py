"""`grillon people`: everybody, and what each may read; a code for the owner; who is let in and who is not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bot.cli.reach import paper
from bot.cli.told import Told, Verb, options

if TYPE_CHECKING:
    from collections.abc import Mapping


@click.group(invoke_without_command=True, params=options())
@click.pass_context
def verb(context: click.Context) -> None:
    """Show everybody, with their accounts, and what each may read."""
    if context.invoked_subcommand is None:
        for person in paper(context.obj, "list_people"):
            click.echo(_line(person))


@verb.command(cls=Verb)
@click.pass_obj
def owner(told: Told) -> None:
    """Print a code: who sends it to the bot in a private chat, within an hour, becomes the owner."""
    click.echo(paper(told, "owner_code")["code"])


@verb.command(cls=Verb)
@click.argument("code", nargs=-1, required=True)
@click.pass_obj
def approve(told: Told, code: tuple[str, ...]) -> None:
    """Let the stranger in whom the bot gave CODE."""
    click.echo(f"{paper(told, 'approve', code=' '.join(code))['identity']} may talk now")


@verb.command(cls=Verb)
@click.argument("who")
@click.pass_obj
def block(told: Told, who: str) -> None:
    """Let WHO talk no more: a name, PLATFORM:ID, or a number of the list."""
    paper(told, "block", who=who)
    click.echo(f"{who} may not talk any more")


@verb.command(cls=Verb)
@click.argument("who")
@click.pass_obj
def unblock(told: Told, who: str) -> None:
    """Let WHO talk again."""
    paper(told, "unblock", who=who)
    click.echo(f"{who} may talk again")


def _line(person: Mapping[str, Any]) -> str:
    name = person["name"] or f"#{person['id']}"
    rights = "blocked" if person["blocked"] else "owner" if person["owner"] else ""
    accounts = [f"account {person['unix_user']}"] if person["unix_user"] else []
    accounts += [f"{one['identity']} ({one['way']})" for one in person["identities"]]
    return f"{name:20} {rights:7} {', '.join(accounts):20} reads {', '.join(person['reads']) or 'nothing'}"
