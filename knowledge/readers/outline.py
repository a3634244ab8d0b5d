"""The running outline of a document while it is read: under which headings the text now stands."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

from knowledge.types import Section

if TYPE_CHECKING:
    from collections.abc import Sequence

_HEADING_CHARS = 200
_BLANK_LINES = re.compile(r"\n(?:[^\S\n]*\n)+")


def shared_path(paths: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """What heading paths have in common, from the outermost on. `paths` is not empty."""
    first, last = min(paths), max(paths)
    return tuple(name for name, _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False)))


class Outline:
    """Collects lines into sections as headings come by. `lines` are those since the last heading."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._path: list[tuple[int, str]] = []
        self._sections: list[Section] = []
        self._headings: list[tuple[int, str]] = []
        self._begun = False
        self._page: int | None = None

    @property
    def title(self) -> str | None:
        """The first heading of level 1, else the first one."""
        return next((text for level, text in self._headings if level == 1), self._headings[0][1] if self._headings else None)

    def add(self, line: str) -> None:
        """Add a line of text."""
        self.lines.append(line)

    def drop(self, count: int) -> None:
        """Take the last lines back: they turned out to be a heading."""
        del self.lines[-count:]

    def heading(self, level: int, text: str) -> None:
        """Begin a section. `level` counts from 1; levels may be skipped. What is too long for a heading is text as well."""
        self._close(deeper=bool(self._path) and level > self._path[-1][0])
        self._path = [step for step in self._path if step[0] < level]
        if not text:
            return
        self._begun = True
        self._path.append((level, text[:_HEADING_CHARS]))
        self._headings.append(self._path[-1])
        if len(text) > _HEADING_CHARS:
            self.lines.append(text)

    def stand(self, path: tuple[str, ...], *, said: bool) -> None:
        """Begin a section under a whole path of headings. `said`: the heading itself is among the lines, before or after."""
        self._close(deeper=path[: len(self._path)] == tuple(name for _, name in self._path))
        self._path = list(enumerate(path))
        self._begun = bool(path) and not said

    def turn(self, page: int) -> None:
        """Begin a page, under the same headings."""
        self._close(deeper=True)
        self._page = page

    def sections(self) -> tuple[Section, ...]:
        """Every section with text, in reading order."""
        self._close(deeper=False)
        return tuple(self._sections)

    def _close(self, *, deeper: bool) -> None:
        """End the section. A heading without text and without deeper headings is text itself: its words must be found."""
        text = _BLANK_LINES.sub("\n\n", "\n".join(self.lines)).strip("\n").rstrip()
        headings = tuple(text for _, text in self._path)
        if text:
            self._sections.append(Section(text, headings, self._page))
        elif self._begun and not deeper:
            self._sections.append(Section(headings[-1], headings, self._page))
        self.lines = []
        self._begun = False
