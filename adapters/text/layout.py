"""Blocks as lines: what stands between them, list markers, indentation, quotes."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from adapters.text.runs import Run, Style, common, plain

if TYPE_CHECKING:
    from adapters.text.runs import Styles

_BULLETS = "•◦▪"
_DEEPEST = 12
"""Columns of indentation; what is nested deeper stands there too."""

_LANGUAGE = re.compile(r"[A-Za-z0-9_+.#-]{1,30}")
_HEADINGS = 3
"""Levels of headings that stay headings; the others are bold lines."""


@dataclass(slots=True)
class _List:
    """A list that is open: the number of its next item, None for bullets; whether an item was seen; the width of a marker."""

    number: int | None
    indent: int
    width: int = 2
    begun: bool = False


@dataclass(slots=True)
class _Place:
    """Where blocks stand: within which quote, within which lists."""

    quote: Styles = ()
    lists: list[_List] = field(default_factory=list)


def fence_info(info: str) -> tuple[str, str]:
    """What stands behind a fence: a language, or else a first line that would be lost (a model forgot to break the line)."""
    language, _, rest = info.strip().partition(" ")
    if _LANGUAGE.fullmatch(language) and not rest.strip():
        return language.lower(), ""
    return "", f"{info.strip()}\n" if info.strip() else ""


class Layout:
    """Blocks are added in order; `runs` is the whole."""

    def __init__(self) -> None:
        self.runs: list[Run] = []
        self._places = [_Place()]
        self._quotes = 0
        self._fresh = True
        self._after_marker = False

    @property
    def styles(self) -> Styles:
        """The styles that every text of this place has."""
        return self._places[-1].quote

    @property
    def newline(self) -> str:
        """A line break within a paragraph of this place."""
        return "\n" + " " * self._indent()

    def heading(self, level: str) -> Styles:
        """The styles of a heading's text."""
        inner = Style("bold") if self._places[-1].lists or int(level) > _HEADINGS else Style("heading", level)
        return (*self.styles, inner)

    def block(self, runs: list[Run]) -> None:
        """A paragraph or the like."""
        if not plain(runs).strip():
            return
        if not self._after_marker:
            self._gap(1 if self._places[-1].lists else 2, self.styles)
            self.runs.append(Run(" " * self._indent(), self.styles))
        self._after_marker = False
        self.runs += runs

    def code(self, text: str, info: str) -> None:
        """Fenced or indented code. Empty code is left out: Discord would show its fences."""
        language, first = fence_info(info)
        text = (first + text.strip("\n")).expandtabs(4)
        if not text.strip():
            return
        self._gap(1 if self._places[-1].lists else 2, ())
        self.runs.append(Run(text, (Style("pre", language),)))
        self._after_marker = False

    def open_quote(self) -> None:
        """A quote begins. Platforms know one level only: a quote within a quote is part of it."""
        quote = self.styles
        if not quote:
            self._quotes += 1
            quote = (Style("quote", str(self._quotes)),)
        self._places.append(_Place(quote))
        self._after_marker = False

    def close_quote(self) -> None:
        """A quote ends."""
        self._places.pop()
        self._after_marker = False

    def open_list(self, number: int | None) -> None:
        """A list begins; `number` is that of its first item, None for bullets."""
        indent = self._indent()
        self._places[-1].lists.append(_List(number, indent))
        self._after_marker = False

    def close_list(self) -> None:
        """A list ends."""
        self._places[-1].lists.pop()
        self._after_marker = False

    def item(self, *, loose: bool) -> None:
        """An item begins; between loose items of an outer list stands an empty line."""
        lists = self._places[-1].lists
        current, outer = lists[-1], len(lists) == 1
        self._gap(2 if outer and (loose or not current.begun) else 1, self.styles)
        marker = _BULLETS[(len(lists) - 1) % len(_BULLETS)] if current.number is None else f"{current.number}."
        self.runs += [
            Run(" " * current.indent, self.styles), Run(marker, (*self.styles, Style("marker"))), Run(" ", self.styles),
        ]  # fmt: skip
        current.begun, current.width = True, len(marker) + 1
        if current.number is not None:
            current.number += 1
        self._after_marker = True

    def end_item(self) -> None:
        """An item ends, an empty one too."""
        self._after_marker = False

    def _indent(self) -> int:
        lists = self._places[-1].lists
        return min(_DEEPEST, lists[-1].indent + lists[-1].width) if lists else 0

    def _gap(self, breaks: int, styles: Styles) -> None:
        """Line breaks before the next block, styled as what is on both sides of them."""
        if not self._fresh:
            self.runs.append(Run("\n" * breaks, common(self.runs[-1].styles, styles)))
        self._fresh = False
