"""Where a text may be cut without breaking a character that a person sees, and how long it is for a platform."""

from __future__ import annotations

import re
import unicodedata

_LONGEST = 64
"""Code points after which even a character that goes on is cut: nothing that people write is longer."""

_BLANK = re.compile(r"[\s\u2800]*")


def units(text: str) -> int:
    """The length in UTF-16 units, as Telegram counts. Never less than the number of code points, which Discord counts."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def reach(text: str, start: int, room: int) -> int:
    """The furthest offset whose distance from `start` is at most `room` UTF-16 units; no regard to characters."""
    end = min(len(text), start + room)
    while (over := units(text[start:end]) - room) > 0:
        end -= (over + 1) // 2
    return end


def boundary(text: str, start: int, end: int) -> int:
    """The last offset at most `end` where a character that a person sees ends; the end of the first one when it is longer."""
    for at in range(end, max(start, end - _LONGEST), -1):
        if at >= len(text) or not _goes_on(text, at):
            return at
    if end - start > _LONGEST:
        return end
    for at in range(max(end, start + 1), min(len(text), start + _LONGEST)):
        if not _goes_on(text, at):
            return at
    return min(len(text), start + _LONGEST)


def fit(text: str, limit: int) -> str:
    """A text shortened to `limit` UTF-16 units, at a word where there is one, with an ellipsis when something is left out."""
    if units(text) <= limit:
        return text
    if limit < 2:
        return "…"[:limit]
    hard = reach(text, 0, limit - 1)
    end = boundary(text, 0, hard)
    if end > hard:
        return "…"
    word = max(text.rfind(" ", 0, end + 1), text.rfind("\n", 0, end + 1))
    return text[: word if word > end // 2 else end].rstrip() + "…"


def blank(text: str) -> bool:
    """Whether a person would see nothing."""
    return _BLANK.fullmatch(text) is not None


def _goes_on(text: str, at: int) -> bool:
    """Whether the character before `at` goes on there (a close reading of Unicode's annex 29, on the safe side)."""
    before, after = text[at - 1], text[at]
    if before < "\u0300" and after < "\u0300":
        return before == "\r" and after == "\n"
    if "\u200d" in (before, after) or after == "\u200c" or "\U0001f3fb" <= after <= "\U0001f3ff":
        return not before.isspace()
    if unicodedata.category(after)[0] == "M" or "\U000e0020" <= after <= "\U000e007f":
        return True
    if _virama(before) and unicodedata.category(after) == "Lo":
        return True
    return _flag(text, at) or _hangul(before, after)


def _virama(char: str) -> bool:
    return unicodedata.combining(char) == 9


def _flag(text: str, at: int) -> bool:
    """Two regional indicators make a flag: whether `at` stands within one."""
    if not (_indicator(text[at - 1]) and _indicator(text[at])):
        return False
    first = at
    while first > max(0, at - 2 * _LONGEST) and _indicator(text[first - 1]):
        first -= 1
    return (at - first) % 2 == 1


def _indicator(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"


def _hangul(before: str, after: str) -> bool:
    """Syllables written as separate jamo stay together: any two of them, on the safe side."""
    return "\u1160" <= after <= "\u11ff" and ("\u1100" <= before <= "\u11ff" or "\uac00" <= before <= "\ud7a3")
