"""`grillon doctor`: what is wrong, and how to mend it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from bot.cli.told import Told, Verb
from bot.errors import GrillonError, SettingsError

if TYPE_CHECKING:
    from bot.doctor.installation import Finding
    from bot.settings.sources import Loaded

_MARKS = {"fine": ("ok", "green"), "warning": ("warn", "yellow"), "wrong": ("WRONG", "red")}


@click.command(cls=Verb)
@click.pass_obj
def verb(told: Told) -> int:
    """Check settings, folders, database, index, models and tokens; exit 1 when something is wrong."""
    findings = _findings(told)
    for finding in findings:
        mark, colour = _MARKS[finding.state]
        plain = bool(os.environ.get("NO_COLOR"))  # no-color.org; click does not look at it
        click.echo(f"{mark:5}" if plain else click.style(f"{mark:5}", fg=colour), nl=False)
        click.echo(f" {finding.about}: {finding.sentence}")
        if finding.remedy:
            click.echo(f"      {finding.remedy}")
    return 1 if any(finding.state == "wrong" for finding in findings) else 0


def _findings(told: Told) -> list[Finding]:
    from bot.doctor import installation

    try:
        loaded = told.load()
    except SettingsError as error:
        return [installation.Finding("settings", "wrong", str(error), "correct it; `grillon config example` shows every key")]
    return [_settings(loaded), *(installation.Finding("settings", "warning", text) for text in loaded.warnings), *_house(loaded)]


def _settings(loaded: Loaded) -> Finding:
    from bot.doctor import installation
    from bot.places import searched_files

    if loaded.path is not None:
        return installation.fine("settings", str(loaded.path.absolute()))
    remedy = f"grillon config example > {searched_files()[1]}"
    return installation.Finding("settings", "warning", "there is no settings file, the defaults are in force", remedy)


def _house(loaded: Loaded) -> list[Finding]:
    from bot.doctor import examination, installation
    from bot.local.client import LocalClient
    from bot.places import daemon_sockets

    try:
        client = LocalClient.find(daemon_sockets(loaded.settings))
    except GrillonError as error:
        return [installation.Finding("daemon", "wrong", str(error)), *examination.alone(loaded.settings)]
    if client is None:
        stopped = installation.Finding("daemon", "warning", "it does not run", "systemctl start grillon, or: grillon run")
        return [stopped, *examination.alone(loaded.settings)]
    with client:
        status = client.call("status")
        found = [installation.Finding(**values) for values in client.call("examine")]
    return [installation.fine("daemon", f"runs as process {status['pid']}"), *found]
