"""Runs as Discord's Markdown: only what was styled is styled there. Lines with their quotes, headings, markers; code blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from adapters.text.characters import clean, units
from adapters.text.discord_spans import BACKTICK, spans, tame
from adapters.text.markdown import read
from adapters.text.runs import Run, merged, plain
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
    return split(styled, limit, lambda runs: marked(runs, limit), lambda part: max(units(part.text), units(part.plain)))


def escape_discord(text: str) -> str:
    """A plain text (a title, a name) as Markdown that shows it as it is: nothing in it is clickable, nobody is mentioned."""
    return serialised([Run(clean(text))])


def marked(runs: list[Run], limit: int) -> Marked:
    """Runs as one message; without `plain` when it is too long already."""
    text = serialised(runs)
    if units(text) > limit:
        return Marked(text, "")
    words = [run.without("bold", "italic", "strike", "link", "quote", "heading") for run in runs]
    return Marked(text, serialised(words))


def serialised(runs: list[Run]) -> str:
    """Runs as Discord's Markdown, line by line; code blocks whole."""
    brackets = any("](" in run.text and _is_code(run) for run in runs)
    if brackets and any(run.has("link") for run in runs):  # Discord lets a link's text go on until the last `](`, through code
        runs = [Run(run.text.replace("](", "］("), run.styles) if _is_code(run) else run for run in runs]
    lines: list[list[Run]] = [[]]
    for run in merged(runs):
        first, *others = [run.text] if run.has("pre") else run.text.split("\n")
        lines[-1].append(Run(first, run.styles))
        lines += [[Run(text, run.styles)] for text in others]
    return "\n".join(shown for line in lines for shown in _shown(line, brackets=brackets)).strip("\n")


def _is_code(run: Run) -> bool:
    return run.has("code") or run.has("pre")


def _shown(line: list[Run], *, brackets: bool) -> list[str]:
    """A line; a code block is one, and stands alone."""
    found = next((index for index, run in enumerate(line) if run.has("pre")), None)
    if found is None:
        return [_marked_line(line, brackets=brackets)]
    around = [line[:found], line[found + 1 :]]
    before, after = ([_marked_line(part, brackets=brackets)] if plain(part).strip() else [] for part in around)
    return [*before, *([_fenced(line[found])] if line[found].text.strip() else []), *after]  # empty fences would be seen


def _fenced(run: Run) -> str:
    """A code block; nothing in it can end it, nor mention everybody."""
    return f"```{run.value('pre') or ''}\n{tame(run.text.replace('```', BACKTICK * 3))}\n```"


def _marked_line(line: list[Run], *, brackets: bool) -> str:
    """A line with what begins it: a quote's bar, a heading's sign, a list's marker."""
    quote = "> " if any(run.has("quote") for run in line) else ""
    if not plain(line).strip():
        return quote
    heading = next((level for run in line if (level := run.value("heading"))), None)
    before = "" if heading is None else "#" * int(heading) + " "
    at = next((index for index, run in enumerate(line) if run.has("marker")), -1)
    for run in line[: at + 1]:
        before += "-" if run.has("marker") and not run.text[0].isdigit() else run.text
    if at >= 0:
        before += " "
    rest = _trimmed(line[at + 1 :]) if before else line[at + 1 :]
    return quote + before + spans(rest, brackets=brackets)


def _trimmed(line: list[Run]) -> list[Run]:
    for index, run in enumerate(line):
        if text := run.text.lstrip():
            return [Run(text, run.styles), *line[index + 1 :]]
    return []
