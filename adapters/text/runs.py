"""A text with its styles: what stands between the source and a platform's own form."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Kind = Literal["bold", "italic", "strike", "code", "pre", "link", "quote", "heading", "marker"]


@dataclass(frozen=True, slots=True)
class Style:
    """How a stretch of text looks.

    `value` is the address of a link, the language of a `pre`, the level of a heading; of a quote a number of its own, so that two
    that follow one another stay two. A `marker` is the bullet or the number of a list item.
    """

    kind: Kind
    value: str = ""


Styles = tuple[Style, ...]


class Run(NamedTuple):
    """A stretch of text with its styles, the outermost first."""

    text: str
    styles: Styles = ()

    def has(self, kind: Kind) -> bool:
        """Whether it is styled so."""
        return any(style.kind == kind for style in self.styles)

    def value(self, kind: Kind) -> str | None:
        """The value of its style of that kind, None without one."""
        return next((style.value for style in self.styles if style.kind == kind), None)

    def without(self, *kinds: Kind) -> Run:
        """The same text without these styles."""
        return Run(self.text, tuple(style for style in self.styles if style.kind not in kinds))


class Styled:
    """A whole text as runs, which can be cut anywhere. Neighbours of the same styles become one."""

    def __init__(self, runs: Iterable[Run]) -> None:
        self._runs = merged(runs)
        self.text = "".join(run.text for run in self._runs)
        self._starts: list[int] = []
        at = 0
        for run in self._runs:
            self._starts.append(at)
            at += len(run.text)

    def at(self, offset: int) -> Run:
        """The run that holds this character."""
        return self._runs[bisect_right(self._starts, offset) - 1]

    def start(self, offset: int) -> int:
        """Where the run that holds this character begins."""
        return self._starts[bisect_right(self._starts, offset) - 1]

    def between(self, start: int, end: int) -> list[Run]:
        """The runs from `start` to `end`, without white space at the end."""
        return _stripped(self.exactly(start, end))

    def exactly(self, start: int, end: int) -> list[Run]:
        """The runs from `start` to `end`."""
        runs: list[Run] = []
        for index in range(max(0, bisect_right(self._starts, start) - 1), len(self._runs)):
            first = self._starts[index]
            if first >= end:
                break
            run = self._runs[index]
            runs.append(Run(run.text[max(0, start - first) : end - first], run.styles))
        return runs

    def skip(self, offset: int) -> int:
        """Where the next part begins that was cut at `offset`: no white space, in `pre` no empty lines."""
        while offset < len(self.text) and self.text[offset].isspace():
            if self.at(offset).has("pre"):
                line = self.text.find("\n", offset)
                if line < 0 or self.text[offset:line].strip():
                    break
            offset += 1
        return offset


def merged(runs: Iterable[Run]) -> list[Run]:
    """The same runs, none empty, no two neighbours of the same styles."""
    whole: list[Run] = []
    texts: list[str] = []
    for run in runs:
        if not run.text:
            continue
        if whole and whole[-1].styles == run.styles:
            texts.append(run.text)
            continue
        _close(whole, texts)
        whole.append(run)
        texts = [run.text]
    _close(whole, texts)
    return whole


def plain(runs: Iterable[Run]) -> str:
    """The text alone."""
    return "".join(run.text for run in runs)


def common(first: Styles, second: Styles) -> Styles:
    """The outer styles that two have in common."""
    count = 0
    for one, other in zip(first, second, strict=False):
        if one != other:
            break
        count += 1
    return first[:count]


def _close(whole: list[Run], texts: Sequence[str]) -> None:
    if len(texts) > 1:
        whole[-1] = Run("".join(texts), whole[-1].styles)


def _stripped(runs: list[Run]) -> list[Run]:
    while runs:
        last = runs.pop()
        text = last.text.rstrip()
        if text:
            return [*runs, Run(text, last.styles)]
    return runs
