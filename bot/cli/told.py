"""What the command line says of the settings: `--config` and `--state`, before the verb or after it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from bot.settings.sources import Loaded


@dataclass(frozen=True, slots=True)
class Told:
    """The two options that every verb takes."""

    config: Path | None = None
    state: Path | None = None

    def load(self) -> Loaded:
        """The settings in force. Raises `SettingsError`."""
        from bot.settings.sources import load_settings

        return load_settings(self.config, state=self.state)


def _remember(context: click.Context, option: click.Parameter, value: Path | None) -> None:
    told = context.find_object(Told) or Told()
    context.obj = told if value is None else replace(told, **{str(option.name): value})


def options() -> list[click.Parameter]:
    """`--config` and `--state`, which make the context's `Told`."""
    common: dict[str, Any] = {"type": click.Path(path_type=Path), "expose_value": False, "callback": _remember, "metavar": "PATH"}
    return [
        click.Option(["--config"], help="The settings file.", **common),
        click.Option(["--state"], help="The folder that holds the database and the index.", **common),
    ]


class Verb(click.Command):
    """A verb: takes the options of the settings as well, because people type them last."""

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 -- click's own
        super().__init__(*arguments, **named)
        self.params += options()
