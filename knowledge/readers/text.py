"""Plain text: which encoding it is in, whether it is text at all, and what is cleaned from it."""

from __future__ import annotations

import codecs
import re
import unicodedata
from typing import TYPE_CHECKING

from knowledge.errors import UnreadableError
from knowledge.language import language_of
from knowledge.readers.limits import Limits, bytes_of, title_of
from knowledge.types import Reading, Section

if TYPE_CHECKING:
    from pathlib import Path

_MARKS = (  # UTF-32 first: its little-endian mark begins with that of UTF-16.
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_EXAMINED = 32 * 1024
_WESTERN = ("cp1252", "mac-roman", "cp850")
_FRENCH = frozenset("àâçéèêëîïôùûœÉÀ°€«»“”‘’–—…·•\xa0")
_WESTERN_LETTERS = frozenset("äæíìñöóòüúáßÂÄÆÇÈÊËÎÏÔÖŒÙÛÜÿ£²³§½¼×©®™")
_SURE = 0.8
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f-\x84\x86-\x9f\u200b\u2060\ufeff\u00ad\ud800-\udfff\ufffe\uffff]")
_BLANK_LINES = re.compile(r"\n[^\S\n]*(?:\n[^\S\n]*){2,}")


def read(path: Path, limits: Limits) -> Reading:
    """Read a text file as one section without headings."""
    text = clean(decoded(bytes_of(path, limits), limits))
    if not text:
        raise UnreadableError("it holds no text")
    return Reading(title_of(path), (Section(text),), language_of(text))


def decoded(content: bytes, limits: Limits) -> str:
    """The text in `content`: by its byte order mark, else UTF-8, else an old Western one, else what charset-normalizer finds.

    Raises `UnreadableError` for binary content and for more text than the limit.
    """
    limits.check_text(len(content))
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return content[len(mark) :].decode(encoding, "replace")
    if b"\0" in content[:_EXAMINED]:
        return _without_mark(content)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        return _guessed(content, error.start)


def clean(text: str) -> str:
    """Text fit for a database, a model and a screen: composed accents, plain line ends, no control characters, few blank lines.

    Half of a surrogate pair, which a PDF may contain, could not even be stored.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\x0c", "\n").replace("\x85", "\n")
    text = unicodedata.normalize("NFC", _CONTROLS.sub("", text))
    return _BLANK_LINES.sub("\n\n", text).strip()


def _without_mark(content: bytes) -> str:
    """UTF-16 without its mark: in Western text every second byte is zero. Anything else with zeros is binary."""
    sample = content[:_EXAMINED]
    half = len(sample) // 2
    for offset, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        if sample[offset::2].count(0) > 0.7 * half and sample[1 - offset :: 2].count(0) < 0.05 * half:
            return content.decode(encoding, "replace")
    raise UnreadableError("it is binary, not text")


def _guessed(content: bytes, first_bad: int) -> str:
    text = content.decode(errors="replace")
    broken, accents = text.count("\ufffd"), sum(map(text.count, "éèàç’œêùîô"))
    if broken * 10 < accents:
        return text  # UTF-8 with a few broken bytes: guessing anew would garble every accent for their sake.
    sample = content[max(0, first_bad - 1024) :][:_EXAMINED]
    if _is_binary(sample):
        raise UnreadableError("it is binary, not text")
    best = max(_WESTERN, key=lambda encoding: _likeness(sample, encoding))
    return content.decode(best if _likeness(sample, best) >= _SURE else _detected(sample), "replace")


def _likeness(sample: bytes, encoding: str) -> float:
    """How French or English the characters beyond ASCII are, 0 to 1; charset-normalizer is unsure of texts with few of them."""
    foreign = [character for character in sample.decode(encoding, "replace") if character > "\x7f"]
    points = sum(1.0 if character in _FRENCH else 0.5 if character in _WESTERN_LETTERS else 0.0 for character in foreign)
    return points / len(foreign)


def _is_binary(sample: bytes) -> bool:
    controls = sum(byte < 32 and byte not in b"\t\n\r\f\x1b" for byte in sample)
    return controls > 0.02 * len(sample)


def _detected(sample: bytes) -> str:
    """What charset-normalizer makes of a bounded sample: its time grows with the sample times a hundred encodings."""
    from charset_normalizer import from_bytes  # late: 20 ms and 5 MB that hardly any file needs

    best = from_bytes(sample).best()
    if best is None:
        raise UnreadableError("its encoding could not be recognised")
    return best.encoding
