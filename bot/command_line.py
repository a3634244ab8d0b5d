"""The command `grillon`: verbs that are imported when called, and the one place where errors become sentences and exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path

import click

from bot.cli.told import options
from bot.errors import GrillonError

INTERRUPTED = 130
_VERBS = {
    "run": "start the daemon",
    "chat": "talk with your documents",
    "ask": "ask one question",
    "search": "show passages without asking the model",
    "index": "bring the index up to date",
    "status": "what the daemon is doing",
    "doctor": "find out what is wrong, and how to mend it",
    "people": "who is known here",
    "token": "tokens of the HTTP door: create, list, revoke",
    "db": "the database: upgrade, check, backup, restore",
    "config": "the settings: check, example, path",
    "service": "print what a systemd installation needs",
    "demo": "try it with a small handbook and an embedded model",
}


class Verbs(click.Group):
    """The verbs. Their modules in `bot/cli` are imported when one is called, never to list them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 -- click's signature
        """The names, in the order of the help."""
        return list(_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 -- click's signature
        """Import one verb."""
        if cmd_name not in _VERBS:
            return None
        verb: click.Command = import_module(f"bot.cli.{cmd_name}").verb
        return verb

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 -- click's signature
        """List the verbs from the table, because click would import each for its help."""
        with formatter.section("Verbs"):
            formatter.write_dl(list(_VERBS.items()))


@click.group(cls=Verbs, params=options(), context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="grillon")
def grillon() -> None:
    """A private assistant: answers from the household's own documents, with their sources."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a verb and leave with its exit code. One sentence on stderr for whatever goes wrong, never a traceback."""
    sys.exit(_run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    _stand_in()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal of another coding shows what it can
    try:
        code = grillon.main(args=list(arguments) if arguments is not None else None, prog_name="grillon", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        _give_up_output()  # whoever read it has left
        return 1
    except OSError as error:  # such as a full disk, under our output or elsewhere
        code = _reported(error)
        _give_up_output()
        return code
    except Exception as error:  # noqa: BLE001 -- a person at a terminal gets a sentence, whatever nobody foresaw
        return _reported(error)
    return code if isinstance(code, int) else 0


def _stand_in() -> None:
    """Nothing to read and nowhere to write, for what the shell closed (`<&-`, `>&-`): else a file or a socket has its number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 -- as long as we live


def _give_up_output() -> None:
    """Write no more where it cannot be written. Python would complain again when it flushes at the end."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _reported(error: Exception) -> int:
    """Say what happened, unless somebody debugs it. Returns the exit code."""
    while isinstance(error, ExceptionGroup):  # of a task group: the first that has a sentence is the reason
        ours = error.subgroup(GrillonError)
        error = (ours or error).exceptions[0]
    if isinstance(error, GrillonError):
        click.echo(f"grillon: {error}", err=True)
        return error.exit_code
    if os.environ.get("GRILLON_DEBUG"):
        raise error
    if isinstance(error, OSError) and error.strerror:
        where = f" ({error.filename})" if error.filename else ""
        click.echo(f"grillon: the system refused: {error.strerror}{where}", err=True)
        return 1
    click.echo(f"grillon: unexpected {type(error).__name__}: {error} (GRILLON_DEBUG=1 shows where)", err=True)
    return 1


if __name__ == "__main__":
    main()
