"""Lines of Discord's Markdown: quotes, headings, list markers, code blocks."""

from __future__ import annotations

from adapters.text.discord_spans import BACKTICK, spans, tame
from adapters.text.runs import Run, merged, plain


def serialised(runs: list[Run]) -> str:
    """Runs as Discord's Markdown, line by line; code blocks whole."""
    lines: list[list[Run]] = [[]]
    for run in merged(runs):
        first, *others = [run.text] if run.has("pre") else run.text.split("\n")
        lines[-1].append(Run(first, run.styles))
        lines += [[Run(text, run.styles)] for text in others]
    return "\n".join(shown for line in lines for shown in _shown(line)).strip("\n")


def _shown(line: list[Run]) -> list[str]:
    """A line; a code block is one, and stands alone."""
    found = next((index for index, run in enumerate(line) if run.has("pre")), None)
    if found is None:
        return [_marked_line(line)]
    around = [line[:found], line[found + 1 :]]
    before, after = ([_marked_line(part)] if plain(part).strip() else [] for part in around)
    return [*before, _fenced(line[found]), *after]


def _fenced(run: Run) -> str:
    """A code block; nothing in it can end it, nor mention everybody."""
    return f"```{run.value('pre') or ''}\n{tame(run.text.replace('```', BACKTICK * 3))}\n```"


def _marked_line(line: list[Run]) -> str:
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
    return quote + before + spans(rest)


def _trimmed(line: list[Run]) -> list[Run]:
    for index, run in enumerate(line):
        if text := run.text.lstrip():
            return [Run(text, run.styles), *line[index + 1 :]]
    return []
