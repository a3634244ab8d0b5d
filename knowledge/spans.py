"""Where a text may be cut, and how its pieces are packed: spans of sentences or lines, gathered up to a number of tokens."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

# After a sentence (its closing quote or bracket included) and its spaces, after a full-width stop, after line breaks.
_BOUNDARY = re.compile(r"(?:(?<=[.!?…»”\")])[^\S\n]+|(?<=[。！？])|\n\s*)")
_SPARE = 1.25
_SHORT = 24  # characters: "Mme." or a line of a few letters goes with what follows, and a file of such lines is not slow


class Span(NamedTuple):
    """A piece of a text. `paragraph`: a blank line follows."""

    start: int
    end: int
    tokens: int
    paragraph: bool


def spans_of(text: str, room: int, count: Callable[[str], int]) -> list[Span]:
    """Every character of the text in spans of at most `room` tokens: sentences or lines, or parts of those that are longer."""
    spans: list[Span] = []
    start = 0
    for boundary in _BOUNDARY.finditer(text):
        end = boundary.end()
        if end - start >= _SHORT:
            spans += _halved(text, start, end, room, count, paragraph=boundary.group().count("\n") > 1)
            start = end
    if start < len(text):
        spans += _halved(text, start, len(text), room, count, paragraph=True)
    return spans


def _halved(text: str, start: int, end: int, room: int, count: Callable[[str], int], *, paragraph: bool) -> Iterator[Span]:
    """Cut what is too long into as many equal parts as its tokens ask for, at spaces where there are any, until all fit.

    Each round counts the text once, and one round nearly always does: counting word by word would cost a call for each.
    """
    tokens = count(text[start:end])
    if tokens <= room or end - start == 1:
        yield Span(start, end, tokens, paragraph)
        return
    step = max(1, int((end - start) / max(2.0, _SPARE * tokens / room)))
    while start < end:
        stop = start + step
        if stop >= end:
            stop = end
        elif (space := _last_space(text, start + step // 2, stop)) > 0:
            stop = space
        yield from _halved(text, start, stop, room, count, paragraph=paragraph and stop == end)
        start = stop


def _last_space(text: str, low: int, high: int) -> int:
    """Where to cut after the last space between `low` and `high`; -1 when there is none."""
    return max(text.rfind(" ", low, high), text.rfind("\t", low, high), text.rfind("\xa0", low, high)) + 1


def pack(spans: Sequence[Span], room: int, overlap: int) -> Iterator[tuple[int, int]]:
    """Gather spans into chunks of at most `room` tokens, as equal as may be; yields `(first, last)` indexes, `last` exclusive.

    A chunk begins with up to `overlap` tokens, whole spans only, of the end of the one before.
    """
    remaining = sum(span.tokens for span in spans)
    start = 0
    while start < len(spans):
        first = start and _back(spans, start, overlap, at_most=room - spans[start].tokens)
        space = room - sum(span.tokens for span in spans[first:start])
        end = _end(spans, start, remaining, space)
        yield first, end
        remaining -= sum(span.tokens for span in spans[start:end])
        start = end


def _back(spans: Sequence[Span], start: int, overlap: int, *, at_most: int) -> int:
    """The first of the spans before `start` that are said again."""
    left = min(overlap, at_most)
    first = start
    while first > 0 and spans[first - 1].tokens <= left:
        first -= 1
        left -= spans[first].tokens
    return first


def _end(spans: Sequence[Span], start: int, remaining: int, space: int) -> int:
    """Where a chunk that begins with `start` ends: at the end if that fits, else near an equal share, at a paragraph if near."""
    if remaining <= space:
        return len(spans)
    share = remaining / -(-remaining // space)
    total, end, paragraph = 0, start, start
    while end < len(spans) and total + spans[end].tokens <= space and (end == start or total + spans[end].tokens / 2 <= share):
        total += spans[end].tokens
        end += 1
        if spans[end - 1].paragraph and total >= share * 2 / 3:
            paragraph = end
    return paragraph if paragraph > start else max(end, start + 1)
