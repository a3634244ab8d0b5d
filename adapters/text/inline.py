"""What stands within one line of Markdown, as runs: emphasis, code, links, images."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from adapters.text.characters import clean
from adapters.text.links import misleading, same
from adapters.text.runs import Run, Style, merged, plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markdown_it.token import Token

    from adapters.text.links import Links
    from adapters.text.runs import Kind, Styles

_OPEN: dict[str, Kind] = {"em_open": "italic", "strong_open": "bold", "s_open": "strike"}
_BREAKS = {"softbreak", "hardbreak"}
_NUMBER = re.compile(r"\d{1,3}")
_LONG_ADDRESS = 200
"""Characters of an address that is shown as text beside its link's text; the rest is left out."""


def inline_runs(tokens: Sequence[Token], links: Links, base: Styles, newline: str = "\n") -> list[Run]:
    """The runs of an inline token's children, on the styles `base`; a line break in the source becomes `newline`."""
    reading = _Reading(links, base, newline)
    for token in tokens:
        reading.take(token)
    return merged(_bare(merged(reading.end()), links))


class _Reading:
    def __init__(self, links: Links, base: Styles, newline: str) -> None:
        self._links, self._base, self._newline = links, base, newline
        self._styles: list[Style] = []
        self._runs: list[Run] = []
        self._link: tuple[int, str] | None = None

    def take(self, token: Token) -> None:
        kind = token.type
        if kind in _OPEN:
            self._styles.append(Style(_OPEN[kind]))
        elif kind in {"em_close", "strong_close", "s_close"}:
            self._styles.pop()
        elif kind in _BREAKS:
            self._add(self._newline)
        elif kind == "code_inline":
            self._add(clean(token.content), Style("code"))
        elif kind == "link_open":
            self._link = len(self._runs), clean(str(token.attrs.get("href", "")))
        elif kind == "link_close":
            self._close()
        elif kind == "image":
            self._image(token)
        else:
            self._add(clean(token.content))

    def end(self) -> list[Run]:
        return self._runs

    def _add(self, text: str, *styles: Style) -> None:
        self._runs.append(Run(text, (*self._base, *dict.fromkeys((*self._styles, *styles)))))

    def _close(self) -> None:
        if self._link is None:
            return
        (start, url), self._link = self._link, None
        inner, self._runs = merged(self._runs[start:]), self._runs[:start]
        if _NUMBER.fullmatch(plain(inner)):
            inner = [Run("[", inner[0].styles), *inner, Run("]", inner[-1].styles)]
        self._linked(inner, url)

    def _image(self, token: Token) -> None:
        alt = "".join(child.content for child in token.children or ())
        url = clean(str(token.attrs.get("src", "")))
        start = len(self._runs)
        self._add(clean(alt).strip() or "🖼")
        inner, self._runs = self._runs[start:], self._runs[:start]
        if self._link is not None:
            self._runs += inner  # a picture as the text of a link: the link is what counts
        else:
            self._linked(inner, url)

    def _linked(self, inner: list[Run], url: str) -> None:
        """A link as a link when it may be one and says where it leads; else its text, and its address as text."""
        text, live = plain(inner), self._links.live(url)
        style = None if live is None else Style("link", live)
        if style is not None and text.strip() and not misleading(text, url):
            self._runs += [Run(run.text, (*run.styles, style)) for run in inner]
            return
        self._runs += inner
        if url and not same(text, url):
            self._add(" (" if text.strip() else "(")
            self._add(_shown(url), *([style] if style else []))
            self._add(")")


def _shown(url: str) -> str:
    return url if len(url) <= _LONG_ADDRESS else url[:_LONG_ADDRESS] + "…"


def _bare(runs: list[Run], links: Links) -> list[Run]:
    """Addresses that stand in the text as they are become links, when they may."""
    found: list[Run] = []
    for run in runs:
        at = 0
        if not (run.has("code") or run.has("link")):
            for start, end, url in links.bare(run.text):
                found += [Run(run.text[at:start], run.styles), Run(run.text[start:end], (*run.styles, Style("link", url)))]
                at = end
        found.append(Run(run.text[at:], run.styles))
    return found
