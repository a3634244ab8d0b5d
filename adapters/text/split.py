"""Cutting: at a paragraph, else a line, else a sentence, else a word, and never within a character that a person sees."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar

from adapters.text.characters import blank, boundary, reach, units
from adapters.text.runs import Run, plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.text.runs import Styled

_Part = TypeVar("_Part")

_SENTENCE = re.compile(r"(?:[.!?…؟۔।]+[\"'”’»)\]*]*(?:\s?\[\d{1,3}\])*(?=\s))|[。！？]+[」』”）]*")
_SPACE = re.compile(r"\s+")


def split(styled: Styled, limit: int, render: Callable[[list[Run]], _Part], size: Callable[[_Part], int]) -> list[_Part]:
    """The text in parts, each rendered and at most `limit` in size; none is empty. `size` is never less than the text is long."""
    parts: list[_Part] = []
    at = styled.skip(0)
    while at < len(styled.text):
        end, runs, part = _next(styled, at, limit, render, size)
        if not blank(plain(runs)):
            parts.append(part)
        at = styled.skip(end)
    return parts


def _next(
    styled: Styled, at: int, limit: int, render: Callable[[list[Run]], _Part], size: Callable[[_Part], int]
) -> tuple[int, list[Run], _Part]:
    """The part that begins at an offset: where it ends, its runs, and the part itself."""
    room = limit
    while True:
        end = cut(styled, at, room)
        runs = styled.between(at, end)
        part = render(runs)
        used = size(part)
        if used <= limit:
            return end, runs, part
        if room == 1:  # one character, too richly styled
            return end, runs, render([Run(plain(runs))])
        length = units(styled.text[at:end])
        room = max(1, min(room - 1, length - 1, length * limit // used))


def cut(styled: Styled, at: int, room: int) -> int:
    """Where the part that begins at `at` ends best, within `room` UTF-16 units."""
    text = styled.text
    hard = reach(text, at, room)
    if hard == len(text):
        return hard
    floor = at + (hard - at) * 3 // 10
    for end in (_paragraph(styled, floor, hard), _line(styled, floor, hard), _sentence(styled, floor, hard)):
        if end is not None:
            return end
    return _word(styled, at, hard)


def _paragraph(styled: Styled, floor: int, hard: int) -> int | None:
    end = styled.text.rfind("\n\n", floor + 1, hard + 2)
    while end > floor:
        if not styled.at(end - 1).has("heading") and not styled.at(end).has("pre"):
            return end
        end = styled.text.rfind("\n\n", floor + 1, end + 1)
    return None


def _line(styled: Styled, floor: int, hard: int) -> int | None:
    """The end of a line; within code only when the part would end within code."""
    in_code = styled.at(hard).has("pre")
    end = styled.text.rfind("\n", floor + 1, hard + 1)
    while end > floor:
        if not styled.at(end - 1).has("heading") and (in_code or not styled.at(end).has("pre")):
            return end
        end = styled.text.rfind("\n", floor + 1, end)
    return None


def _sentence(styled: Styled, floor: int, hard: int) -> int | None:
    ends = [found.end() for found in _SENTENCE.finditer(styled.text, floor, min(len(styled.text), hard + 1))]
    for end in reversed(ends):
        if end <= hard and not any(styled.at(end - 1).has(kind) for kind in ("pre", "code", "link")):
            return end
    return None


def _word(styled: Styled, at: int, hard: int) -> int:
    """The end of a word, outside of a link where there is one; else that of a character."""
    spaces = [found.start() for found in _SPACE.finditer(styled.text, at + 1, hard + 1)]
    for end in reversed(spaces[-20:]):
        if not (styled.at(end).has("link") and styled.at(end - 1).has("link")):
            return end
    return spaces[-1] if spaces else boundary(styled.text, at, hard)
