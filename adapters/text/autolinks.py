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

_FOUND = tuple(
    map(
        re.compile,
        (
            r"(?<![\w+.-])[\w+.-]+:/+\S+",  # an address with its scheme
            r"(?<![\w.+%&'-])[\w.+%&'-]*@\w[\w.+%&'@-]*",  # an e-mail address, a name
            r"(?<!\w)@\w+",
            rf"(?<![{_HOST}])(?<![{_HOST}]\.)(?:[{_HOST}]+\.)+[^\W\d_]{{2,}}(?:[:/?#]\S*)?",  # a domain, a file name
            r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?:[:/]\S*)?",
            r"(?<!\w)/\w[\w/.@-]*",  # a command
            r"(?<!\w)#(?=\w*[^\W\d])\w[\w@]*",
            r"(?<!\w)\$[A-Za-z0-9]\w*",
        ),
    )
)
"""Each is looked for by itself: what one of them takes may be the beginning of another's."""
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
    """Where links are, in order; those that overlap as one."""
    spans = sorted(
        (found.start(), found.start() + len(found[0].rstrip(_TRAILING))) for kind in _FOUND for found in kind.finditer(text)
    )
    begun: tuple[int, int] | None = None
    for start, end in spans:
        if begun is not None and start < begun[1]:
            begun = (begun[0], max(begun[1], end))
            continue
        if begun is not None:
            yield begun
        begun = (start, end) if end > start else None
    if begun is not None:
        yield begun


def _safe(run: Run) -> bool:
    return run.has("code") or run.has("pre") or run.has("link")


def _as_code(run: Run) -> Run:
    return Run(run.text, (*(style for style in run.styles if style.kind == "quote"), Style("code")))
