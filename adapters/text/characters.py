"""Characters as a person sees them: what nobody sees is removed, what belongs together is not cut, and how long a text is."""

from __future__ import annotations

import re
import unicodedata

_LONGEST = 64
"""Code points after which even a character that goes on is cut: nothing that people write is longer."""

_BLANK = re.compile(r"[\s\u2800]*")

_PICTURE = "\u00a9\u00ae\u203c\u2049\u2122\u2139\u2190-\u21ff\u2300-\u23ff\u24c2\u25a0-\u27bf\u2900-\u297f\u2b00-\u2bff"
_PICTURE += "\u3030\u303d\u3297\u3299\U0001f000-\U0001faff"
"""What can be an emoji, as the inside of a character class."""

_JOINING = "\u0600-\u08ff\u0900-\u0dff\u1000-\u109f\u1780-\u18af\ua840-\ua87f\ufb50-\ufdff\ufe70-\ufefc"
"""Scripts in which a (non-)joiner between two letters changes their shape: Arabic to Sinhala, Burmese, Khmer, Mongolian."""

_INVISIBLE = (
    "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ufdd0-\ufdef\ufffe\uffff"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_MARKS = "\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
_STRANGE = re.compile(f"[{_INVISIBLE}\r\x85\u2028\u2029\u2800\ud800-\udfff]|[{_MARKS}]{{9}}")
_NEWLINES = re.compile("\r\n?|[\x85\u2028\u2029]")
_SURROGATES = re.compile("[\ud800-\udfff]")
_PILE = re.compile(f"([{_MARKS}]{{8}})[{_MARKS}]+")
_KEPT = re.compile(
    f"(?P<flag>\U0001f3f4[\U000e0061-\U000e007a\U000e0030-\U000e0039]{{3,6}}\U000e007f)"
    f"|(?P<emoji>[{_PICTURE}][\ufe0e\ufe0f]?[\U0001f3fb-\U0001f3ff]?(?:\u200d(?=[{_PICTURE}]))?)"
    "|(?P<key>[0-9#*]\ufe0f(?=\u20e3))"
    f"|(?P<letters>(?<=[{_JOINING}])[\u200c\u200d](?=[{_JOINING}]))"
    f"|[{_INVISIBLE}]"
)


def clean(text: str) -> str:
    """A text without what nobody sees, with `\\n` as its only line break. Cheap when there is nothing to do."""
    if not _STRANGE.search(text):
        return text
    text = _SURROGATES.sub("\ufffd", _NEWLINES.sub("\n", text)).replace("\u2800", " ")
    return _PILE.sub(r"\1", _KEPT.sub(lambda found: found[0] if found.lastgroup else "", text))


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
        if at >= len(text) or not _goes_on(text, at, start):
            return at
    if end - start > _LONGEST:
        return end
    for at in range(max(end, start + 1), min(len(text), start + _LONGEST)):
        if not _goes_on(text, at, start):
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


def _goes_on(text: str, at: int, start: int) -> bool:
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
    return _flag(text, at, start) or _hangul(before, after)


def _virama(char: str) -> bool:
    return unicodedata.combining(char) == 9


def _flag(text: str, at: int, start: int) -> bool:
    """Two regional indicators make a flag: whether `at` stands within one, when a character begins at `start`."""
    if not (_indicator(text[at - 1]) and _indicator(text[at])):
        return False
    first = at
    while first > start and _indicator(text[first - 1]):
        first -= 1
    return (at - first) % 2 == 1


def _indicator(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"


def _hangul(before: str, after: str) -> bool:
    """Syllables written as separate jamo stay together: any two of them, on the safe side."""
    return "\u1160" <= after <= "\u11ff" and ("\u1100" <= before <= "\u11ff" or "\uac00" <= before <= "\ud7a3")
