"""`grillon config check | example | path`: the settings in force, where they came from, and a file to start from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bot.cli.told import Told, Verb
from bot.errors import SettingsError
from bot.settings.problems import shown

if TYPE_CHECKING:
    from bot.settings.sources import Loaded


@click.group()
def verb() -> None:
    """Show, check and write the settings."""


@verb.command(cls=Verb)
@click.pass_obj
def check(told: Told) -> None:
    """Print the settings in force and where each came from; exit 2 when something is wrong."""
    loaded = told.load()
    width = max(len(shown(key)) for key, _, _ in loaded.leaves())
    for key, value, source in loaded.leaves():
        click.echo(f"{shown(key):{width}}  {_value(value)}  ({source})")
    for warning in loaded.warnings:
        click.echo(f"warning: {warning}", err=True)
    _check_folders(loaded)


@verb.command(cls=Verb)
def example() -> None:
    """Print a documented settings file with every default."""
    from bot.settings.example import example as text

    click.echo(text(), nl=False)


@verb.command(cls=Verb)
@click.pass_obj
def path(told: Told) -> None:
    """Print which settings file is used, or where one would be looked for."""
    from bot.places import searched_files, settings_file

    found = settings_file(told.config)
    if found is not None:
        click.echo(found.absolute())
        return
    places = ", ".join(str(place) for place in searched_files())
    raise SettingsError(f"there is no settings file, the defaults are in force; looked for {places}")


def _value(value: object) -> str:
    from pydantic import SecretStr

    from bot.settings.example import toml

    if isinstance(value, SecretStr):
        return "(set, not shown)"
    return "(not set)" if value is None else toml(value)


def _check_folders(loaded: Loaded) -> None:
    """That folders are there, which at a start is no error: they may be mounted later."""
    missing = [collection for collection in loaded.settings.collections if not collection.folder.is_dir()]
    if missing:
        named = ", ".join(f"{collection.folder} of the collection {collection.name}" for collection in missing)
        raise SettingsError(f"missing: the folder {named}; create or mount it, or correct `folder`")
