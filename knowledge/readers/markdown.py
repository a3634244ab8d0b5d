"""Markdown: front matter, headings and the text between them, found in one pass over the lines.

markdown-it needs 4.7 s per MiB, and of its tree we would use the headings alone: the text is stored as it was written. A scan of
the lines takes a hundredth of that; the tests hold it against markdown-it.
"""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

from knowledge.errors import UnreadableError
from knowledge.language import language_of
from knowledge.readers.limits import Limits, bytes_of, title_of
from knowledge.readers.outline import Outline
from knowledge.readers.text import clean, decoded
from knowledge.types import Reading

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FRONT_MATTER = re.compile(r"\A(---|\+\+\+)[ \t]*\n(.*?)^\1[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_FRONT_KEY = re.compile(r"[\w.-]+[ \t]*:(?:[ \t]|$)")
_FRONT_REST = re.compile(r"[ \t#\]}]|-(?:[ \t]|$)|$")
_FRONT_TITLE = re.compile(r"^title[ \t]*[:=](.+)$", re.MULTILINE)
_EMBEDDED_DATA = re.compile(r"\(data:[^()\s]{100,}\)")
_MARK = re.compile(
    r"\\.|^[ \t>*+-]*(?P<fence>`{3,}(?=[^`\n]*$)|~{3,})|(?P<ticks>`+)|(?P<first>^[ \t>*+-]*)?(?P<comment><!--)", re.MULTILINE
)
_BLOCK_END = re.compile(r"\n(?=[ \t>]*(?:\n|`{3}|~{3}|#{1,6}[ \t]|[-+*][ \t]|\d{1,9}[.)][ \t]))")
_SPAN_CHARS = 2000
_FENCE = re.compile(r" {0,3}(`{3,}(?=[^`]*$)|~{3,})")
_HEADING = re.compile(r" {0,3}(#{1,6})(?=[ \t]|$)")
_UNDERLINE = re.compile(r" {0,3}(=+|-+)[ \t]*$")
_RULE = re.compile(r" {0,3}(?:-[ \t]*){3,}$")
_CODE = re.compile(r" {4}|\t")
_NOT_UNDERLINED = re.compile(r" {0,3}(?:>|[-+*][ \t]|\d{1,9}[.)][ \t]|\|)")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_PLAIN_CHARS = 1000
_MARKUP = re.compile(r"[*`]+|(?<!\w)_+|_+(?!\w)")


def read(path: Path, limits: Limits) -> Reading:
    """Read a Markdown file: one section for each heading that has text of its own."""
    reading = parsed(clean(decoded(bytes_of(path, limits), limits)), title_of(path))
    if not reading.sections:
        raise UnreadableError("it holds no text")
    return reading


def parsed(text: str, title: str) -> Reading:
    """The sections of a Markdown text. `title` is used when neither the front matter nor a heading names it."""
    front = _front_matter(text)
    named = _FRONT_TITLE.search(front.group(2)) if front else None
    outline = Outline()
    scan(_without_comments(text[front.end() :] if front else text).split("\n"), outline)
    sections = outline.sections()
    title = (named.group(1).strip().strip("\"'") if named else outline.title) or title
    return Reading(title, sections, language_of("\n".join((title, *(section.text for section in sections[:20])))))


def plain(heading: str) -> str:
    """A heading without its markup. Bounded, because the patterns are not linear."""
    if len(heading) > _PLAIN_CHARS:
        return heading
    return " ".join(_MARKUP.sub("", _LINK.sub(r"\1", heading)).replace("\\", "").split())


def _front_matter(text: str) -> re.Match[str] | None:
    """What is said of the document at its top. Between two rules, which look the same, stands text: not keys alone."""
    front = _FRONT_MATTER.match(text)
    if front is None or front.group(1) == "+++":
        return front
    lines = front.group(2).split("\n")
    keys = [bool(_FRONT_KEY.match(line)) for line in lines]
    whole = all(key or _FRONT_REST.match(line) for key, line in zip(keys, lines, strict=True))
    return front if any(keys) and whole else None


def _without_comments(text: str) -> str:
    kept, position = [], 0
    for begin, end in _comments(text) if "<!--" in text else ():
        kept.append(text[position:begin])
        position = end
    return _EMBEDDED_DATA.sub("()", "".join((*kept, text[position:])))


def _comments(text: str) -> Iterator[tuple[int, int]]:
    """Where comments begin and end. Code may show the marks of one; one that does not begin a line ends in its paragraph.

    The end of the paragraph and that of the comment are looked for once: a text may be full of beginnings.
    """
    at = block = end = 0
    while mark := _MARK.search(text, at):
        at = mark.end()
        if block < at:
            block = found.start() if (found := _BLOCK_END.search(text, at)) else len(text)
        if fence := mark["fence"]:
            closing = re.compile(rf"^[ \t>]*{fence[0]}{{{len(fence)},}}[ \t]*$", re.MULTILINE).search(text, at)
            at = closing.end() if closing else len(text)
        elif ticks := mark["ticks"]:
            closing = re.compile(rf"(?<!`)`{{{len(ticks)}}}(?!`)").search(text, at, min(block, at + _SPAN_CHARS))
            at = closing.end() if closing else at
        elif mark["comment"]:
            end = text.find("-->", at) if end < at else end
            if end < 0:
                return
            if mark["first"] is not None or end < block:
                yield at - len("<!--"), end + len("-->")
                at = end + len("-->")


def scan(lines: list[str], outline: Outline) -> None:
    """Tell the outline every heading and every line of text."""
    fence = ""
    for line in lines:
        if fence:
            outline.add(line)
            fence = "" if _closes(line, fence) else fence
        elif opening := _FENCE.match(line):
            fence = opening.group(1)
            outline.add(line)
        elif heading := _HEADING.match(line):
            outline.heading(len(heading.group(1)), plain(_without_closing(line[heading.end() :])))
        elif (underline := _UNDERLINE.match(line)) and (above := _paragraph_above(outline.lines)):
            outline.drop(len(above))
            outline.heading(1 if "=" in underline.group(1) else 2, plain(" ".join(map(str.strip, above))))
        else:
            outline.add(line)


def _without_closing(heading: str) -> str:
    """`# Heading #` may end in a row of `#` of its own, set off by a space."""
    heading = heading.strip()
    bare = heading.rstrip("#")
    return bare.rstrip() if not bare or bare[-1] in " \t" else heading


def _closes(line: str, fence: str) -> bool:
    stripped = line.strip()
    return len(line) - len(line.lstrip(" ")) < 4 and len(stripped) >= len(fence) and set(stripped) == {fence[0]}


def _paragraph_above(lines: list[str]) -> list[str]:
    """The lines that an underline makes a heading: the paragraph right above; none for a list, a quotation, a table or code."""
    above: list[str] = []
    for line in reversed(lines):
        if not line.strip() or _RULE.match(line) or _FENCE.match(line):
            break
        if _NOT_UNDERLINED.match(line):
            return []
        above.append(line)
    return list(itertools.dropwhile(_CODE.match, reversed(above)))
