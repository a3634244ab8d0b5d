"""`grillon service`: what systemd has to be told of these settings."""

from __future__ import annotations

import click

from bot.cli.told import Told, Verb


@click.command(cls=Verb)
@click.pass_obj
def verb(told: Told) -> None:
    """Print the systemd drop-in that lets the service see your folders and credentials.

    Install it with: grillon service | sudo tee /etc/systemd/system/grillon.service.d/local.conf
    """
    from bot.drop_in import drop_in

    click.echo(drop_in(told.load()), nl=False)
