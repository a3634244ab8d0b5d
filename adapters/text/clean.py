"""What nobody sees is removed: control, zero-width and bidi characters, but for those that emoji and scripts need."""

from __future__ import annotations

import re

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
