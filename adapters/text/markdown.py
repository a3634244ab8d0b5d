"""Markdown as runs: parsed within bounds, its blocks laid out as lines that every chat can show."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt

from adapters.text.characters import clean
from adapters.text.inline import inline_runs
from adapters.text.layout import Layout, fence_info
from adapters.text.links import Links
from adapters.text.runs import Run, Style, Styled
from adapters.text.tables import table_runs

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from markdown_it.token import Token

_MOST = 256 * 1024
"""Characters that are parsed (in a second); in a longer text only its paragraphs and fenced code are told apart."""

_DEEPEST = 60
"""Levels of blocks within blocks; a text that nests deeper is no text: it is shown as it was written."""

_FENCE = re.compile(r"^ {0,3}(```+|~~~+)[ \t]*([^`\n]*)$")


def read(markdown: str, allowed_links: Iterable[str] | None) -> Styled:
    """A Markdown text as styled text. Never fails, whatever the text."""
    source, links = clean(markdown), Links(allowed_links)
    tokens = _parser().parse(source) if len(source) <= _MOST else None
    if tokens is None or any(token.level >= _DEEPEST - 1 for token in tokens):
        return Styled(_as_written(source))
    layout = Layout()
    at = 0
    while at < len(tokens):
        at += _take(tokens, at, layout, links)
    return Styled(layout.runs)


def _parser() -> MarkdownIt:
    """A new one: it is cheap, and parsing runs in several threads."""
    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": _DEEPEST}).enable(["table", "strikethrough"])
    parser.disable("reference")  # `[1]: …` is a line that a person wants to see, and `[1]` a citation
    parser.normalizeLink = str  # type: ignore[method-assign,assignment]  # addresses are compared as they are written
    return parser


def _take(tokens: Sequence[Token], at: int, layout: Layout, links: Links) -> int:
    """Lay out the block that begins with a token; return how many tokens it took."""
    token = tokens[at]
    if token.type == "table_open":
        end = next(index for index in range(at, len(tokens)) if tokens[index].type == "table_close")
        layout.block(table_runs(tokens[at:end], links, layout.styles))
        return end - at + 1
    if token.type == "heading_open":
        styles = layout.heading(token.tag[1])
        layout.block(inline_runs(tokens[at + 1].children or (), links, styles, " "))
        return 3
    if token.type == "inline":
        layout.block(inline_runs(token.children or (), links, layout.styles, layout.newline))
    elif token.type in {"fence", "code_block"}:
        layout.code(clean(token.content), token.info)
    elif token.type == "hr":
        layout.block([Run("———", layout.styles)])
    else:
        _container(tokens, at, layout)
    return 1


def _container(tokens: Sequence[Token], at: int, layout: Layout) -> None:
    token = tokens[at]
    match token.type:
        case "blockquote_open":
            layout.open_quote()
        case "blockquote_close":
            layout.close_quote()
        case "bullet_list_open":
            layout.open_list(None)
        case "ordered_list_open":
            layout.open_list(int(token.attrs.get("start", 1)))
        case "bullet_list_close" | "ordered_list_close":
            layout.close_list()
        case "list_item_open":
            layout.item(loose=tokens[at + 1].type == "paragraph_open" and not tokens[at + 1].hidden)
        case "list_item_close":
            layout.end_item()
        case _:
            pass


def _as_written(source: str) -> list[Run]:
    """The source itself; of its Markdown only fenced code is kept."""
    runs: list[Run] = []
    fence, language = None, ""
    for line in source.splitlines(keepends=True):
        found = _FENCE.match(line.rstrip("\n"))
        if fence is None and found is not None:
            fence = found[1]
            language, first = fence_info(found[2])
            runs.append(Run(first, (Style("pre", language),)))
        elif fence is not None and found is not None and found[1].startswith(fence) and not found[2].strip():
            fence = None
            runs.append(Run("\n"))
        else:
            runs.append(Run(line, () if fence is None else (Style("pre", language),)))
    return runs
