"""The table of figures: what was measured, the target, and whether it was met. A missed target is shown, never hidden."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One line. `met` is None where there is no target."""

    what: str
    figure: str
    target: str = ""
    baseline: str = ""
    met: bool | None = None


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` (0 to 1) of the values lie, nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]


def printed(rows: Sequence[Row]) -> str:
    """The table in Markdown."""
    head = ("what", "figure", "target", "baseline", "met")
    lines = [
        head,
        *((row.what, row.figure, row.target, row.baseline, {None: "", True: "yes", False: "NO"}[row.met]) for row in rows),
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    rule = tuple("-" * width for width in widths)
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |"
        for line in (lines[0], rule, *lines[1:])
    )
