"""Runs as Discord's Markdown: only what was styled is styled there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from adapters.text.clean import clean
from adapters.text.discord_lines import serialised
from adapters.text.graphemes import units
from adapters.text.markdown import read
from adapters.text.runs import Run
from adapters.text.split import split

if TYPE_CHECKING:
    from collections.abc import Iterable

    from adapters.text.runs import Styled


@dataclass(frozen=True, slots=True)
class Marked:
    """A message as Discord takes it: `text` with its Markdown; `plain` the same words with only code marked."""

    text: str
    plain: str


def discord_parts(markdown: str, *, allowed_links: Iterable[str] | None, limit: int = 2000) -> list[Marked]:
    """A Markdown text in messages of at most `limit` UTF-16 units (200 or more). Empty when there is nothing to see."""
    return marked_parts(read(markdown, allowed_links), limit)


def marked_parts(styled: Styled, limit: int) -> list[Marked]:
    """A styled text in messages."""
    return split(styled, limit, marked, lambda part: max(units(part.text), units(part.plain)))


def escape_discord(text: str) -> str:
    """A plain text (a title, a name) as Markdown that shows it as it is: nothing in it is clickable, nobody is mentioned."""
    return serialised([Run(clean(text))])


def marked(runs: list[Run]) -> Marked:
    """Runs as one message."""
    return Marked(
        serialised(runs), serialised([run.without("bold", "italic", "strike", "link", "quote", "heading") for run in runs])
    )
