"""A table as something that can be read in a chat: aligned when it is narrow, else each row as "header: value" lines."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from adapters.text.inline import inline_runs
from adapters.text.runs import Run, Style, plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markdown_it.token import Token

    from adapters.text.links import Links
    from adapters.text.runs import Styles

_WIDEST = 42
"""Columns that a telephone shows in a monospaced font without breaking lines."""

Cell = list[Run]


def table_runs(tokens: Sequence[Token], links: Links, base: Styles) -> list[Run]:
    """The runs of a table, given its tokens from `table_open` to `table_close`."""
    rows, right = _rows(tokens, links, base)
    texts = [[plain(cell).strip() for cell in row] for row in rows]
    widths = [max(map(_width, column)) for column in zip(*texts, strict=True)]
    if sum(widths) + 2 * (len(widths) - 1) <= _WIDEST and not any(_must_be_list(cell) for row in rows for cell in row):
        return [Run(_aligned(texts, widths, right), (Style("pre"),))]
    return _list(rows, base)


def _rows(tokens: Sequence[Token], links: Links, base: Styles) -> tuple[list[list[Cell]], list[bool]]:
    """The rows of cells, the header first, all equally long; and which columns are aligned to the right."""
    rows: list[list[Cell]] = []
    right: list[bool] = []
    for token in tokens:
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "th_open":
            right.append("right" in str(token.attrs.get("style", "")))
        elif token.type == "inline":
            rows[-1].append(inline_runs(token.children or (), links, base, " "))
    return rows, right


def _must_be_list(cell: Cell) -> bool:
    """Links would be lost in a monospaced block, and what is written from right to left would not be aligned."""
    return any(run.has("link") or any(unicodedata.bidirectional(char) in {"R", "AL"} for char in run.text) for run in cell)


def _aligned(rows: list[list[str]], widths: list[int], right: list[bool]) -> str:
    lines = [_line(row, widths, right) for row in rows]
    lines.insert(1, "  ".join("─" * max(width, 1) for width in widths))
    return "\n".join(lines)


def _line(row: list[str], widths: list[int], right: list[bool]) -> str:
    cells = []
    for text, width, to_right in zip(row, widths, right, strict=True):
        gap = " " * (width - _width(text))
        cells.append(gap + text if to_right else text + gap)
    return "  ".join(cells).rstrip()


def _width(text: str) -> int:
    """Columns of a monospaced font."""
    return len(text) if text.isascii() else sum(_columns(char) for char in text)


def _columns(char: str) -> int:
    if unicodedata.combining(char) or char in "\u200c\u200d\ufe0f":
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _list(rows: list[list[Cell]], base: Styles) -> list[Run]:
    """Each row as an item: its cells, one a line, each after its header."""
    header, *body = rows
    if not body:
        return _joined([cell for cell in header if plain(cell).strip()], Run(" · ", base))
    items = [_item(header, row, base) for row in body]
    return _joined([item for item in items if item], Run("\n", base))


def _item(header: list[Cell], row: list[Cell], base: Styles) -> list[Run]:
    lines = [line for name, cell in zip(header, row, strict=True) if (line := _labelled(plain(name).strip(), cell, base))]
    marker = [Run("•", (*base, Style("marker"))), Run(" ", base)]
    return [*marker, *_joined(lines, Run("\n  ", base))] if lines else []


def _labelled(name: str, cell: Cell, base: Styles) -> list[Run]:
    """A cell after its header; an empty one is a dash."""
    if not name:
        return cell
    shown = cell if plain(cell).strip() else [Run("–", base)]
    return [Run(f"{name}:", (*base, Style("bold"))), Run(" ", base), *shown]


def _joined(pieces: list[list[Run]], between: Run) -> list[Run]:
    return [run for index, piece in enumerate(pieces) for run in ([between] if index else []) + piece]
