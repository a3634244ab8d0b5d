"""Citations in a stream of words: `[1]` is checked against the passages given; one without a passage is removed."""

from __future__ import annotations

import re

_HELD = re.compile(r"[^\S\n]?(?:[\[【][^\]】\n]{0,24})?\Z")
# No citation is longer than what is held back, nor goes over the end of a line.
_MARK = re.compile(
    r"[^\S\n]?[\[【](?=[^\]】\n]{0,24}[\]】])\s*(?:\^|(?:passage|source|doc(?:ument)?|citation)s?\s*:?\s*)?"
    r"(\d{1,3}(?:\s*(?:,|;|-|–|et|and)\s*\d{1,3})*)\s*[\]】]",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"\d+")
_RANGE_LIMIT = 20


class CitationStream:
    """Passes words on and checks each citation in them. `cited` holds the numbers of the passages named so far, in order.

    `passages` are as many as the model was given, which may become known with its first words.

    A bracket that may become a citation is held back until it closes, at most 25 characters, so that a number without a
    passage is never shown, not even for a moment.
    """

    def __init__(self, passages: int) -> None:
        self.passages = passages
        self._held = ""
        self.cited: list[int] = []

    def feed(self, words: str) -> str:
        """Take the model's next words; return what can be shown."""
        text = self._held + words
        held = _HELD.search(text)
        cut = held.start() if held else len(text)
        self._held = text[cut:]
        return self._checked(text[:cut])

    def end(self) -> str:
        """Return what was still held back."""
        text, self._held = self._held, ""
        return self._checked(text)

    def _checked(self, text: str) -> str:
        return _MARK.sub(self._mark, text) if "[" in text or "【" in text else text

    def _mark(self, match: re.Match[str]) -> str:
        known = [n for n in _numbers(match[1]) if 1 <= n <= self.passages]
        for n in known:
            if n not in self.cited:
                self.cited.append(n)
        space = " " if match[0][0].isspace() else ""
        return space + "".join(f"[{n}]" for n in known) if known else ""


def _numbers(text: str) -> list[int]:
    """The numbers of `1`, `1, 2`, `1-3`."""
    numbers: list[int] = []
    for piece in re.split(r"\s*(?:,|;|et|and)\s*", text):
        ends = [int(n) for n in _NUMBER.findall(piece)]
        if len(ends) == 2 and ends[0] < ends[1] <= ends[0] + _RANGE_LIMIT:
            numbers.extend(range(ends[0], ends[1] + 1))
        else:
            numbers.extend(ends)
    return numbers
