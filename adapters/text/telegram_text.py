"""Runs as Telegram's text with entities, which are counted in UTF-16 units."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from adapters.text.autolinks import guarded, tamed
from adapters.text.characters import clean, units
from adapters.text.markdown import read
from adapters.text.runs import Run, Style, common, merged
from adapters.text.split import split

if TYPE_CHECKING:
    from collections.abc import Iterable

    from adapters.text.runs import Kind, Styled

EntityType = Literal[
    "bold", "italic", "strikethrough", "code", "pre", "text_link", "blockquote", "expandable_blockquote"
]  # fmt: skip

_TYPES: dict[Kind, EntityType] = {
    "bold": "bold", "italic": "italic", "strike": "strikethrough", "code": "code", "pre": "pre", "link": "text_link",
    "quote": "blockquote", "heading": "bold",
}  # fmt: skip

_MOST_ENTITIES = 100
"""Telegram ignores those beyond."""


@dataclass(frozen=True, slots=True)
class Entity:
    """A stretch of a message's text, as the Bot API takes it; `offset` and `length` in UTF-16 units."""

    type: EntityType
    offset: int
    length: int
    url: str | None = None
    language: str | None = None

    def as_json(self) -> dict[str, Any]:
        """As the Bot API takes it."""
        found: dict[str, Any] = {"type": self.type, "offset": self.offset, "length": self.length}
        if self.url is not None:
            found["url"] = self.url
        if self.language is not None:
            found["language"] = self.language
        return found


@dataclass(frozen=True, slots=True)
class Rich:
    """A message as Telegram takes it. `plain` has the same length: to be sent alone when the entities are refused.

    `plain` looks the same; in what Telegram would make a link of by itself, a few characters are others that look alike.
    """

    text: str
    entities: tuple[Entity, ...] = ()
    plain: str = ""

    def __add__(self, other: Rich) -> Rich:
        """One after the other."""
        by = units(self.text)
        moved = tuple(replace(entity, offset=entity.offset + by) for entity in other.entities)
        return Rich(self.text + other.text, self.entities + moved, self.plain + other.plain)

    @property
    def size(self) -> int:
        """UTF-16 units, of which a message may have 4,096."""
        return units(self.text)


def telegram_parts(markdown: str, *, allowed_links: Iterable[str] | None, limit: int = 4096) -> list[Rich]:
    """A Markdown text in messages of at most `limit` UTF-16 units (200 or more). Empty when there is nothing to see."""
    return rich_parts(read(markdown, allowed_links), limit)


def rich_parts(styled: Styled, limit: int) -> list[Rich]:
    """A styled text in messages."""
    return split(styled, limit, rendered, lambda part: rich_size(part, limit))


def rich_size(part: Rich, limit: int) -> int:
    """UTF-16 units, or, in a message with many entities, what makes it as full as it is."""
    return max(part.size, len(part.entities) * limit // _MOST_ENTITIES)


def rich(text: str, kind: EntityType | None = None, *, url: str | None = None) -> Rich:
    """A plain text (a title, a sentence of ours), all of it styled so; nothing in it becomes a link by itself.

    `url` is that of a `text_link`. White space at its ends stays outside of the entity.
    """
    runs = [Run(clean(text), (Style("link", url),) if url is not None else ())]
    guarded_runs = guarded(runs)
    whole = _message(guarded_runs)
    if kind is None or kind == "text_link":
        return whole
    if kind in {"code", "pre"}:
        return _message([Run(clean(text), (Style("pre" if kind == "pre" else "code"),))])
    if kind in {"blockquote", "expandable_blockquote"}:
        around = _entity(kind, "", whole.text, 0)
        return Rich(whole.text, ((around,) if around else ()) + whole.entities, whole.plain)
    style = Style(next(name for name, entity in _TYPES.items() if entity == kind))
    return _message([run if run.has("code") else Run(run.text, (*run.styles, style)) for run in guarded_runs])


def rendered(runs: list[Run]) -> Rich:
    """Runs as one message."""
    return _message(guarded(runs))


def _message(runs: list[Run]) -> Rich:
    text = "".join(run.text for run in runs)
    return Rich(text, tuple(_entities(runs)), tamed(runs))


def _entities(runs: list[Run]) -> list[Entity]:
    """The entities of runs: each within another or apart from it, outer ones first."""
    found: list[tuple[int, int, Entity]] = []
    open_styles: list[tuple[Style, int, int, list[str]]] = []
    offset = order = 0
    for run in [*merged(_apart(run) for run in runs), Run("")]:
        kept = len(common(tuple(entry[0] for entry in open_styles), run.styles))
        while len(open_styles) > kept:
            style, start, number, texts = open_styles.pop()
            entity = _entity(_TYPES[style.kind], style.value, "".join(texts), start)
            if entity is not None:
                found.append((start, number, entity))
        for style in run.styles[kept:]:
            open_styles.append((style, offset, order, []))
            order += 1
        for entry in open_styles:
            entry[3].append(run.text)
        offset += units(run.text)
    return [entity for _, _, entity in sorted(found, key=lambda entry: entry[:2])]


def _apart(run: Run) -> Run:
    """A run with what Telegram lets stand together: code with nothing but a quote around it."""
    if run.has("pre"):
        return Run(run.text, tuple(style for style in run.styles if style.kind == "pre"))
    if run.has("code"):
        return Run(run.text, tuple(style for style in run.styles if style.kind in {"code", "quote"}))
    kinds: dict[EntityType, Style] = {}
    for style in run.without("marker").styles:
        kinds.setdefault(_TYPES[style.kind], style)  # a heading is bold already
    return Run(run.text, tuple(kinds.values()))


def _entity(kind: EntityType, value: str, text: str, start: int) -> Entity | None:
    """An entity without white space at its ends, None when nothing is left of it."""
    inner = text.strip()
    if not inner:
        return None
    offset = start + units(text[: len(text) - len(text.lstrip())])
    if kind == "pre":
        offset, inner = start, text
    return Entity(
        kind, offset, units(inner), url=value if kind == "text_link" else None, language=value or None if kind == "pre" else None
    )
