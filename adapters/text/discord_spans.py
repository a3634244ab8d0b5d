"""What stands within a line of Discord's Markdown: escapes, emphasis, code, links.

How Discord reads, as far as it matters: a backslash before what is no letter, digit or space shows that character; `_` closes
emphasis only where no letter of ASCII follows; `~~` closes only where no `_` follows; code ends at as many backticks as began it,
one or two.
"""

from __future__ import annotations

import re
from itertools import groupby
from typing import TYPE_CHECKING

from adapters.text.links import same
from adapters.text.runs import Run, merged, plain

if TYPE_CHECKING:
    from collections.abc import Sequence

BACKTICK = "ˋ"
"""Looks like a backtick, and closes no code."""

_AT = "＠"
_MENTION = re.compile(r"@(?=everyone|here)|(?<=<)@", re.IGNORECASE)
_SPECIAL = re.compile(r"[\\*_~`|<>]|:(?=//)|(?<=\])\(|(?<=<)[@#:/]|\.(?=gg\b|com/invite)", re.IGNORECASE)
_BEGINS = re.compile(r"^(\s*)(#{1,3}|-#?|\+|\d{1,9}(?=[.)]))(?=[.)]?(?:\s|$))")
_MARKS = {"strike": "~~", "bold": "**", "italic": "_"}
"""From the outermost to the innermost: so nothing follows `~~` that keeps it from closing."""

_BRACKET = re.compile(r"[\[\]]")
_UNRULY = re.compile(r"[*_~|\\]")
_WORD = re.compile(r"[A-Za-z0-9]")
_EDGES = re.compile(r"(\s*)(.*?)(\s*)", re.DOTALL)


def spans(line: list[Run], *, brackets: bool) -> str:
    """A line without its quote, heading and marker. What would begin a list or a heading at its start is escaped.

    `brackets`: escape `[` too, for somewhere in the message stands code that would be read as the end of a link.
    """
    text = ""
    for url, group in groupby(merged(line), key=lambda run: run.value("link")):
        inner = [run.without("link") for run in group]
        if url is not None:  # within code there are no escapes: its brackets would end the link
            inner = merged(run.without("code") if run.has("code") and _BRACKET.search(run.text) else run for run in inner)
        shown = _emphasised(inner, start=not text.strip(), brackets=brackets and url is None)
        text += shown if url is None else _link(inner, shown, url)
    return text


def tame(code: str) -> str:
    """Code in which nobody is mentioned: there are no escapes within code."""
    return _MENTION.sub(_AT, code)


def _link(inner: list[Run], shown: str, url: str) -> str:
    """A link without its preview. Brackets in its text that do not match would end it: they become round."""
    text = plain(inner)
    if same(text, url) and "://" in text:
        return f"<{url}>"
    if not _balanced(text):
        shown = _emphasised(
            [Run(run.text.replace("[", "(").replace("]", ")"), run.styles) for run in inner], start=False, brackets=False
        )
    return f"[{shown}](<{url}>)"


def _balanced(text: str) -> bool:
    depth = 0
    for char in text:
        depth += (char == "[") - (char == "]")
        if depth not in {0, 1}:
            return False
    return depth == 0


def _emphasised(line: list[Run], *, start: bool, brackets: bool) -> str:
    text = ""
    open_marks: list[str] = []
    for run, marks in _joined(_marked(line)):
        kept = _shared(open_marks, marks)
        text += "".join(reversed(open_marks[kept:])) + "".join(marks[kept:])
        open_marks = marks
        shown = _code(run.text, after=text) if run.has("code") else _escaped(run.text, start=start and not text.strip())
        text += shown.replace("[", "\\[") if brackets and not run.has("code") else shown
    return text + "".join(reversed(open_marks))


def _joined(marked: list[tuple[Run, list[str]]]) -> list[tuple[Run, list[str]]]:
    """Code that follows code within the same marks, as one: their backticks would be read together."""
    joined: list[tuple[Run, list[str]]] = []
    for run, marks in marked:
        last, around = joined[-1] if joined else (None, None)
        if last is not None and last.has("code") and run.has("code") and around == marks:
            joined[-1] = Run(last.text + run.text, last.styles), marks
        else:
            joined.append((run, marks))
    return joined


def _shared(first: Sequence[str], second: Sequence[str]) -> int:
    count = 0
    while count < min(len(first), len(second)) and first[count] == second[count]:
        count += 1
    return count


def _marked(line: list[Run]) -> list[tuple[Run, list[str]]]:
    """Each run with the marks around it, in the order of `_MARKS`."""
    cores = _cores(line)
    kinds = [_kinds(run) for run in cores]
    for index, run in enumerate(cores):
        if run.text.isspace():
            around = [kinds[near] for near in (index - 1, index + 1) if 0 <= near < len(kinds)]
            kinds[index] = around[0] & around[1] if len(around) == 2 else set()
    stars = _settle(cores, kinds)
    return [
        (run, [("*" if mark == "_" and index in stars else mark) for kind, mark in _MARKS.items() if kind in kinds[index]])
        for index, run in enumerate(cores)
    ]


def _cores(line: list[Run]) -> list[Run]:
    """The runs, white space at their edges apart: within marks it would keep them from closing."""
    cores = []
    for run in line:
        if run.has("code"):
            cores.append(run)
        elif found := _EDGES.fullmatch(run.text):
            cores += [Run(text, run.styles) for text in found.groups() if text]
    return cores


def _kinds(run: Run) -> set[str]:
    """The emphasis of a run; code whose own characters would close it has none."""
    if run.has("code") and _UNRULY.search(run.text):
        return set()
    return {style.kind for style in run.styles if style.kind in _MARKS}


def _settle(cores: Sequence[Run], kinds: list[set[str]]) -> set[int]:
    """Drop emphasis that Discord would not close; return the runs whose emphasis is written with a star."""
    stars = set()
    for index in range(len(cores) - 1, -1, -1):
        after = kinds[index + 1] if index + 1 < len(cores) else set()
        if "strike" in kinds[index] - after and (cores[index].text.endswith("~") or "italic" in after):
            _drop("strike", kinds, index)
        if "italic" in kinds[index] - after and index + 1 < len(cores) and _touches(cores[index + 1], after - kinds[index]):
            before = kinds[index - 1] if index else set()
            if kinds[index] == {"italic"} and not after and not before:
                stars.add(index)
            else:
                _drop("italic", kinds, index)
    return stars


def _touches(run: Run, opened: set[str]) -> bool:
    """Whether a letter follows at once what ends before this run."""
    return not opened and not run.has("code") and _WORD.match(run.text) is not None


def _drop(kind: str, kinds: list[set[str]], index: int) -> None:
    while index >= 0 and kind in kinds[index]:
        kinds[index].discard(kind)
        index -= 1


def _escaped(text: str, *, start: bool) -> str:
    text = _MENTION.sub(_AT, text)
    begins = _BEGINS.match(text) if start else None
    if begins is None:
        return _SPECIAL.sub(r"\\\g<0>", text)
    rest = _SPECIAL.sub(r"\\\g<0>", text[begins.end() :])
    if begins[2].isdigit():
        return f"{begins[0]}\\{rest}"
    return f"{begins[1]}\\{begins[2]}{rest}"


def _code(text: str, after: str) -> str:
    """Code within a line: in one backtick, in two when it holds one; three would begin a block."""
    text = tame(text)
    if "``" in text or ("`" in text and after.endswith("`")):
        text = text.replace("`", BACKTICK)
    if not text.strip():
        return text
    if "`" not in text:
        return f"`{text}`"
    return f"`` {text} ``"
