"""An answer while it is written, as one message: what is open is closed; of a long one its last words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar

from adapters.text.characters import blank, boundary, clean, units
from adapters.text.discord_text import serialised
from adapters.text.markdown import read
from adapters.text.runs import Run, plain
from adapters.text.telegram_text import Rich, rendered, rich_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from adapters.text.runs import Styled

_Part = TypeVar("_Part")

_MORE = "…"
_FENCE = re.compile(r"^ {0,3}(```+|~~~+)[ \t]*([^`\n]*)$", re.MULTILINE)
_CODE = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)", re.DOTALL)
_DANGLING = re.compile(r"(?:(?<=\s)|^)[*_~`]+$|!?\[$")
_HALF_LINK = re.compile(r"!?\[([^\[\]\n]*)\]\([^()\s]*$|!?\[([^\[\]\n]*)$")
_MARKS = re.compile(r"\*\*|~~|(?<![*\w])\*(?![*\s])|(?<=[^*\s])\*(?!\*)")
_CITATION = re.compile(r"\[\d{0,3}$")
_SPACE = re.compile(r"\s")
_TIMES = 3
"""Of the limit: how much of the source's end is read, for some of it is marks."""


def discord_live(markdown: str, *, allowed_links: Iterable[str] | None = (), limit: int = 2000) -> str:
    """An unfinished text as one message of at most `limit` UTF-16 units; empty when there is nothing to see."""
    return _last(markdown, allowed_links, limit, serialised, units) or ""


def telegram_live(markdown: str, *, allowed_links: Iterable[str] | None = (), limit: int = 4096) -> Rich:
    """An unfinished text as one message of at most `limit` UTF-16 units; empty when there is nothing to see."""
    return _last(markdown, allowed_links, limit, rendered, lambda part: rich_size(part, limit)) or Rich("")


def closed(markdown: str) -> str:
    """An unfinished text with its open emphasis, code and link closed (Markdown closes fences by itself)."""
    if _open_fence(markdown) is not None:
        return markdown
    start = markdown.rfind("\n\n") + 1
    last = markdown[start:].rstrip()
    half = _HALF_LINK.search(last)
    if half is not None and not _CITATION.search(last):
        last = last[: half.start()] + (half[1] if half[1] is not None else half[2])
    last = _DANGLING.sub("", last).rstrip()
    return markdown[:start] + last + _closing(last)


def _closing(paragraph: str) -> str:
    """The marks that close what is open in a paragraph, the last opened first."""
    rest = _CODE.sub("", paragraph)
    tick = re.search(r"`+", rest)
    if tick is not None:
        rest = rest[: tick.start()]
    opened: list[str] = []
    for mark in _MARKS.findall(rest):
        if mark in opened:
            del opened[opened.index(mark) :]
        else:
            opened.append(mark)
    return (tick[0] if tick else "") + "".join(reversed(opened))


def _last(
    markdown: str, allowed: Iterable[str] | None, limit: int, render: Callable[[list[Run]], _Part], size: Callable[[_Part], int]
) -> _Part | None:
    """The whole text when it fits, else its end; None when there is nothing to see."""
    source, is_end = _end(clean(markdown), limit)
    styled = read(closed(source), allowed)
    room = units(styled.text) - is_end
    while True:
        runs = _tail(styled, room)
        part = render(runs)
        if size(part) <= limit:
            return None if blank(plain(runs)) else part
        room = min(room, limit) * 9 // 10


def _end(source: str, limit: int) -> tuple[str, bool]:
    """The end of a long source, more than can be shown, and whether something was left out. It begins with a line."""
    at = len(source) - _TIMES * limit
    if at <= 0:
        return source, False
    line = source.find("\n", at, at + limit)
    at = at if line < 0 else line + 1
    fence = _open_fence(source[:at])
    return (source[at:] if fence is None else f"{fence}\n{source[at:]}"), True


def _open_fence(source: str) -> str | None:
    """The line that began the code in which a source ends, None when it ends outside of code."""
    opened = None
    for found in _FENCE.finditer(source):
        if opened is None:
            opened = found
        elif found[1].startswith(opened[1]) and not found[2].strip():
            opened = None
    return None if opened is None else opened[0].strip()


def _tail(styled: Styled, room: int) -> list[Run]:
    """The end of a text, from a line or a word on, with an ellipsis before it; the whole when it has room."""
    text = styled.text
    if units(text) <= room:
        return styled.between(styled.skip(0), len(text))
    start = len(text) - max(1, room - 2)
    start += max(0, units(text[start:]) - room + 2)
    near = start + room // 5
    line, word = text.find("\n", start, near), _SPACE.search(text, start, near)
    at = line if line >= 0 else word.start() if word else boundary(text, max(0, start - 1), start)
    at = styled.skip(at)
    more = Run(_MORE + ("\n" if at < len(text) and (styled.at(at).has("pre") or line >= 0) else " "))
    return [more, *styled.between(at, len(text))]
