"""`grillon index [COLLECTION]`: bring the index up to date now."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import click

from bot.cli.reach import reached
from bot.cli.told import Told, Verb

if TYPE_CHECKING:
    from collections.abc import Iterator


@click.command(cls=Verb)
@click.argument("collection", required=False)
@click.option("--prune", is_flag=True, help="Also forget the documents of a folder that is missing or empty.")
@click.pass_obj
def verb(told: Told, collection: str | None, prune: bool) -> int:
    """Index what changed in COLLECTION, or in all of them, and say what was skipped and why."""
    with reached(told) as client:
        reports = _followed(client.stream("index", collection=collection, prune=prune or None))
    for report in reports:
        _show(report)
    return 1 if any(report["missing_folder"] for report in reports) else 0


def _followed(lines: Iterator[dict[str, Any]]) -> list[dict[str, Any]]:
    """Show the progress on stderr, return the reports."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    reports: list[dict[str, Any]] = []
    bars: dict[str, Any] = {}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with ExitStack() as stack:
        err = Console(stderr=True)
        progress = stack.enter_context(Progress(*columns, console=err)) if err.is_terminal else None
        for values in lines:
            if "result" in values:
                reports = values["result"]
            elif progress is not None:
                name = values["collection"]
                if name not in bars:
                    bars[name] = progress.add_task(name)
                progress.update(bars[name], completed=values["done"], total=values["total"])
    return reports


def _show(report: dict[str, Any]) -> None:
    from bot.cli.printing import printable

    counts = ", ".join(f"{report[name]} {name}" for name in ("added", "changed", "removed", "unchanged"))
    click.echo(f"{report['collection']}: {counts}, {len(report['skipped'])} skipped ({report['seconds']:.1f} s)")
    for path, reason in report["skipped"]:
        click.echo(printable(f"  skipped {path}: {reason}"))
    if report.get("other"):
        click.echo(f"  left alone: {report['other']} of kinds that are not read")
    if report["missing_folder"]:
        remedy = f"mount it, or forget it with `grillon index {report['collection']} --prune`"
        click.echo(f"  its folder is missing or empty, so its index was kept: {remedy}", err=True)
