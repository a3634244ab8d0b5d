"""What Telegram makes a link of by itself (addresses, file names, @names, /commands, #tags, $TAGS), and how it is kept from it.

Telegram looks for them in every text, but not within code and links. So they are shown as code; where no entities can be sent,
a few of their characters are replaced by others that look alike and are as long.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from adapters.text.runs import Run, Style, Styled, merged

if TYPE_CHECKING:
    from collections.abc import Iterator

_HOST = r"\w~\-\u00c0-\u167f\u1681-\u1fff\u200c\u200d\u2010-\u2015\u2070-\u2fff\u3001-\U0010ffff"
"""What may stand in the name of a host, to Telegram: signs and emoji, too, but no blank (TDLib's `is_domain_symbol`)."""

_FOUND = re.compile(
    rf"""
      (?<![\w+.-])[\w+.-]+:/+\S+                                  # an address with its scheme
    | (?<![\w.+%&'-])[\w.+%&'-]*@\w[\w.+%&'@-]*                  # an e-mail address, a name
    | (?<!\w)@\w+
    | (?<![{_HOST}])(?<![{_HOST}]\.)(?:[{_HOST}]+\.)+[^\W\d_]{{2,}}(?:[:/?\#]\S*)?   # a domain, a file name
    | (?<![\d.])\d{{1,3}}(?:\.\d{{1,3}}){{3}}(?:[:/]\S*)?
    | (?<!\w)/\w[\w/.@-]*                                         # a command
    | (?<!\w)\#(?=\w*[^\W\d])\w[\w@]*
    | (?<!\w)\$[A-Za-z0-9]\w*
    """,
    re.VERBOSE,
)
_TRAILING = ".,;:!?…)]}'\"*_»”’"
_ALIKE = str.maketrans({".": "․", "@": "＠", "/": "⁄", "#": "＃", "$": "＄", ":": "："})


def guarded(runs: list[Run]) -> list[Run]:
    """The same text; what Telegram would make a link of has become code."""
    styled = Styled(runs)
    whole: list[Run] = []
    at = 0
    for start, end in _links(styled.text):
        whole += styled.exactly(at, start)
        whole += [run if _safe(run) else _as_code(run) for run in styled.exactly(start, end)]
        at = end
    return merged([*whole, *styled.exactly(at, len(styled.text))])


def tamed(runs: list[Run]) -> str:
    """The text alone, as long, with nothing that Telegram would make a link of."""
    text = "".join(run.text for run in runs)
    while found := [(start, end) for start, end in _links(text) if text[start:end].translate(_ALIKE) != text[start:end]]:
        pieces, at = [], 0  # what stood beside a link may be one by itself once that is gone
        for start, end in found:
            pieces += [text[at:start], text[start:end].translate(_ALIKE)]
            at = end
        text = "".join([*pieces, text[at:]])
    return text


def _links(text: str) -> Iterator[tuple[int, int]]:
    for found in _FOUND.finditer(text):
        shown = found[0].rstrip(_TRAILING)
        if shown:
            yield found.start(), found.start() + len(shown)


def _safe(run: Run) -> bool:
    return run.has("code") or run.has("pre") or run.has("link")


def _as_code(run: Run) -> Run:
    return Run(run.text, (*(style for style in run.styles if style.kind == "quote"), Style("code")))
