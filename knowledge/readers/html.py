"""HTML: headings, paragraphs, lists and table rows as readable lines, without scripts, styles and navigation."""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING

from selectolax.lexbor import LexborHTMLParser, SelectolaxError

from knowledge.errors import UnreadableError
from knowledge.language import language_of
from knowledge.readers.limits import Limits, bytes_of, title_of
from knowledge.readers.outline import Outline
from knowledge.readers.text import clean, decoded
from knowledge.types import Reading

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from selectolax.lexbor import LexborNode

# fmt: off
_DROPPED = frozenset((
    "-comment", "audio", "button", "canvas", "dialog", "embed", "head", "iframe", "math", "nav", "noscript", "object",
    "script", "select", "style", "svg", "template", "video"
))
_PARAGRAPHS = frozenset((
    "address", "article", "aside", "blockquote", "details", "div", "dl", "fieldset", "figure", "footer", "form",
    "header", "main", "ol", "p", "pre", "section", "table", "ul"
))
# fmt: on
_LINES = _PARAGRAPHS | {"body", "br", "caption", "dd", "dt", "figcaption", "hgroup", "hr", "legend", "li", "summary", "tr"}
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s{0,9}=\s{0,9}[\"']?([\w-]{1,40})", re.IGNORECASE)
_MEANT = {"ascii": "cp1252", "iso8859-1": "cp1252", "iso8859-9": "cp1254"}
"""What pages that name the one are written in, with œ, € and quotes: https://encoding.spec.whatwg.org/#names-and-labels."""
_TITLE_CHARS = 200
_SPACES = re.compile(r"\s+")


def read(path: Path, limits: Limits) -> Reading:
    """Read an HTML file. Malformed markup is read the way a browser would."""
    reading = parsed(_decoded(bytes_of(path, limits), limits), title_of(path))
    if not reading.sections:
        raise UnreadableError("it holds no text")
    return reading


def parsed(markup: str, title: str) -> Reading:
    """The sections of a page. `title` is used when the page names none."""
    try:
        tree = LexborHTMLParser(markup)
    except SelectolaxError as error:
        raise MemoryError from error  # every text is HTML: for want of memory alone lexbor gives up
    outline = Outline()
    page = _Page(outline)
    if tree.body is not None:
        for node, entering in _steps(tree.body):
            (page.enter if entering else page.leave)(node)
    sections = outline.sections()
    # Not the first of the whole tree: a picture in the page may have a title of its own.
    named = tree.head.css_first("title") if tree.head is not None else None
    title = (_line(named.text()) if named is not None else page.title)[:_TITLE_CHARS] or outline.title or title
    return Reading(title, sections, language_of("\n".join((title, *(section.text for section in sections[:20])))))


def _decoded(content: bytes, limits: Limits) -> str:
    """What the page says of its encoding counts only when the bytes do not say it themselves."""
    declared = _CHARSET.search(content[:4096])
    if declared is None or b"\0" in content[:4096] or _is_utf8(content):
        return decoded(content, limits)
    limits.check_text(len(content))
    try:
        named = codecs.lookup(declared.group(1).decode("ascii")).name
        return content.decode(_MEANT.get(named, named), "replace")
    except (LookupError, UnicodeError):
        return decoded(content, limits)  # it names an encoding that nobody knows, or one that is not for texts, as `idna`


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def _line(text: str) -> str:
    return clean(_SPACES.sub(" ", text))


def _steps(body: LexborNode) -> Iterator[tuple[LexborNode, bool]]:
    """Every node, when it begins and when it ends, without what is inside of those not shown. No recursion: pages nest deeply."""
    node = body
    while True:
        yield node, True
        if not _is_dropped(node) and (child := node.first_child) is not None:
            node = child
            continue
        yield node, False
        while (beside := node.next) is None:
            above = node.parent
            if above is None or node.mem_id == body.mem_id:
                return
            node = above
            yield node, False
        node = beside


def _is_dropped(node: LexborNode) -> bool:
    return node.tag in _DROPPED or (node.is_element_node and "hidden" in node.attrs)


class _Page:
    """Turns the nodes of a page, in order, into headings and lines. `title` is one that stands among them, misplaced."""

    def __init__(self, outline: Outline) -> None:
        self.title = ""
        self._outline = outline
        self._words: list[str] = []
        self._mark = ""
        self._lists: list[int | None] = []
        self._heading = 0
        self._pre = 0

    def enter(self, node: LexborNode) -> None:
        """A node begins."""
        tag = node.tag or ""
        if tag == "-text":
            self._text(node.text_content or "")
        elif tag == "title":
            self.title = self.title or _line(node.text())
        elif tag in _HEADINGS and not self._heading:
            self._end_line()
            self._heading = _HEADINGS[tag]
        elif tag in _LINES:
            self._end_line(tag)
            self._begin_item(tag)
            self._pre += tag == "pre"

    def leave(self, node: LexborNode) -> None:
        """A node ends."""
        tag = node.tag or ""
        if tag in _HEADINGS and self._heading == _HEADINGS[tag]:
            self._outline.heading(self._heading, self._taken())
            self._heading = 0
        elif tag in {"td", "th"}:
            self._words.append(" | ")
        elif tag in _LINES:
            self._end_line(tag)
            if tag in {"ul", "ol"} and self._lists:
                self._lists.pop()
            if tag == "li":
                self._mark = ""
            self._pre -= tag == "pre"

    def _text(self, text: str) -> None:
        """Text as it is written: outside of `pre` a line break is a space."""
        lines = text.split("\n") if self._pre and not self._heading else [text]
        for line in lines[:-1]:
            self._words.append(line)
            self._end_line()
        self._words.append(lines[-1])

    def _begin_item(self, tag: str) -> None:
        if tag in {"ul", "ol"}:
            self._lists.append(0 if tag == "ol" else None)
        elif tag == "li":
            count = self._lists[-1] if self._lists else None
            if count is not None:
                self._lists[-1] = count + 1
            self._mark = "  " * (len(self._lists) - 1) + ("- " if count is None else f"{count + 1}. ")

    def _end_line(self, tag: str = "") -> None:
        if self._heading:
            self._words.append(" ")
            return
        if line := self._taken():
            self._outline.add(self._mark + line)
            self._mark = ""
        if tag in _PARAGRAPHS and not self._mark and not self._lists:
            self._outline.add("")

    def _taken(self) -> str:
        line = _line("".join(self._words))
        self._words = []
        return line.removesuffix("|").rstrip()
