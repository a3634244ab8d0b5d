"""The links that the server makes by itself out of plain text: addresses, names, commands, tags.

Behaviour after https://core.telegram.org/bots/api#messageentity and what TDLib, the server's own library, detects.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.rigs.telegram.entities import CODE, LINKS, offsets
from tests.rigs.telegram.tlds import TLDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.rigs.telegram.records import Entity

Span = tuple[str, int, int]
SENT = frozenset({"text_link", "text_mention", "custom_emoji"})
_SHORT_NAMES = frozenset({"gif", "vid", "pic"})
_FOREIGN = "\u00c0-\u167f\u1681-\u1fff\u200c\u200d\u2010-\u2015\u2070-\u2fff\u3001-\U0010ffff"
_RUN = re.compile(rf"[\w.~\-{_FOREIGN}]+")
_PORT = re.compile(r":0*([1-9]\d{0,4})(?!\d)")
_PATH = re.compile(r"[/?#][^\s<>\"«»\u2000-\u200b\u200e\u200f\u2016-\u206f]*")
_PROTOCOL = re.compile(r"([a-z0-9+-]+)://$", re.IGNORECASE | re.ASCII)
_TG = re.compile(r"(?:tg|ton)://[\w-]{1,253}", re.IGNORECASE | re.ASCII)
_EMAIL = re.compile(
    r"(?<![\w.+-])(?:[a-z0-9_-]{0,26}[.+]){0,10}[a-z0-9_-]{1,35}@(?:(?:[a-z0-9][a-z0-9_-]{0,28})?[a-z0-9]\.){1,6}[a-z]{2,8}"
    r"(?![\w-])",
    re.IGNORECASE | re.ASCII,
)
_MENTION = re.compile(r"(?<!\w)@([A-Za-z0-9_]{2,32})(?!\w)")
_COMMAND = re.compile(r"(?<![\w/<>])/[A-Za-z0-9_]{1,64}(?:@[A-Za-z0-9_]{3,32})?(?![\w/<>@])")
_HASHTAG = re.compile(r"(?<!\w)#(?=\w*[^\W\d_])\w{1,256}(?![\w#])")
_CASHTAG = re.compile(r"(?<![\w$])\$(?:1INCH|[A-Z]{1,8})(?![\w$])")
_TAIL = ".:;,('?!`"
_OPENS = {")": "(", "]": "[", "}": "{"}


def final(text: str, entities: list[Entity]) -> tuple[Entity, ...]:
    """The entities that a person sees: those sent, and those the server adds where neither link nor code stands.

    A sent `url`, `mention`, `bot_command` and the like counts for nothing: the server finds those by itself.
    """
    kept = [one for one in entities if one["type"] not in LINKS - SENT]
    taken = [(one["offset"], one["offset"] + one["length"]) for one in kept if one["type"] in CODE | SENT]
    starts = offsets(text)
    added: list[Entity] = [
        {"type": kind, "offset": starts[begin], "length": starts[end] - starts[begin]} for kind, begin, end in found(text)
    ]
    free = [one for one in added if all(one["offset"] + one["length"] <= begin or one["offset"] >= end for begin, end in taken)]
    return tuple(sorted([*kept, *free], key=lambda one: (one["offset"], -one["length"])))


def found(text: str) -> list[Span]:
    """What the server links in a text: (type, begin, end) in characters; of two that overlap the first and longer one."""
    spans: list[Span] = []
    end = 0
    for span in sorted((*_addresses(text), *_tags(text)), key=lambda span: (span[1], -span[2])):
        if span[1] >= end:
            spans.append(span)
            end = span[2]
    return spans


def _tags(text: str) -> Iterator[Span]:
    for match in _MENTION.finditer(text):
        if len(match[1]) > 3 or match[1].lower() in _SHORT_NAMES:
            yield "mention", *match.span()
    for kind, pattern in (("bot_command", _COMMAND), ("hashtag", _HASHTAG), ("cashtag", _CASHTAG)):
        for match in pattern.finditer(text):
            yield kind, *match.span()


def _addresses(text: str) -> Iterator[Span]:
    for match in _EMAIL.finditer(text) if "@" in text else ():
        yield "email", *match.span()
    for match in _TG.finditer(text) if "://" in text else ():
        yield "url", match.start(), _path_end(text, match.end())
    for match in _RUN.finditer(text):
        if "." in match[0] and (span := _address(text, match.start(), match.end())):
            yield span


def _address(text: str, begin: int, end: int) -> Span | None:
    """The address whose host stands there, with its protocol, port and path."""
    before = text[max(0, begin - 40) : begin]
    protocol = _protocol(before)
    if not protocol and re.search(r"[\w/#@]$", before):
        return None
    port = _PORT.match(text, end)
    last = _path_end(text, port.end() if port and int(port[1]) < 65536 else end)
    host = text[begin:end]
    if last == end:
        host = host.rstrip(".")
        last = begin + len(host)
    return ("url", begin - len(protocol), last) if _is_host(host, known=not protocol) else None


def _protocol(before: str) -> str:
    """`http://`, `https://` or `ftp://` when that stands at the end, also behind other letters."""
    match = _PROTOCOL.search(before)
    name = match[1].lower() if match else ""
    for known, others in (("http", ("shttp",)), ("https", ()), ("ftp", ("tftp", "sftp"))):
        if name.endswith(known) and name not in others:
            return before[-len(known) - 3 :]
    return ""


def _path_end(text: str, begin: int) -> int:
    """Where the path ends that may begin there: before a bracket that nothing opened, without the end of a sentence."""
    match = _PATH.match(text, begin)
    if match is None:
        return begin
    path = match[0][: _balanced(match[0])].rstrip(_TAIL)
    return begin + len(path) if path and path not in "?#" else begin


def _balanced(path: str) -> int:
    open_ = dict.fromkeys(_OPENS.values(), 0)
    for number, character in enumerate(path):
        if character in open_:
            open_[character] += 1
        elif character in _OPENS:
            open_[_OPENS[character]] -= 1
            if open_[_OPENS[character]] < 0:
                return number
    return len(path)


def _is_host(host: str, *, known: bool) -> bool:
    """Whether the server takes a host. `known`: its last label must be a top-level domain, as without a protocol."""
    labels = host.split(".")
    if len(labels) < 2 or any(not label or len(label) > 63 or label.endswith("-") for label in labels):
        return False
    if all(label.isdecimal() for label in labels):
        return len(labels) == 4 and all(int(label) < 256 and str(int(label)) == label for label in labels)
    last = labels[-1]
    if last.startswith("xn--"):
        return last[4:].isalnum() and len(last) > 5
    return len(last) > 1 and not set(last) & set("_-") and "_" not in labels[-2] and (not known or _is_tld(last))


def _is_tld(label: str) -> bool:
    """In lower case, or all in upper case: `fin.Il` is the end of a sentence."""
    capitalised = label != label.lower() and label[1:] == label[1:].lower()
    return label.lower() in TLDS and not capitalised
