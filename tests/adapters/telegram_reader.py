"""Telegram's rules for a message, written without the code under test: which entities are valid, and what it links by itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from adapters.text import Rich

_QUOTES = {"blockquote", "expandable_blockquote"}
_ANYWHERE = {"bold", "italic", "strikethrough"}
_ALONE = {"code", "pre"}
_FOUND = (
    re.compile(r"(?<![a-z0-9+.-])[a-z0-9+.-]+://[^\s]+", re.IGNORECASE),
    re.compile(r"(?<![\w.@-])[\w-]+(?:\.[\w-]+)*\.(?:com|example|md|org|net|gg|de|fr|me|rs|py)(?![\w-])", re.IGNORECASE),
    re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+"),
    re.compile(r"(?<![\w/])@[A-Za-z0-9_]{2,32}\b"),
    re.compile(r"(?<![\w/<>])/[A-Za-z0-9_]{1,64}(?:@[A-Za-z0-9_]{3,32})?(?![\w/<>])"),
    re.compile(r"(?<!\w)#\w*[^\W\d]\w*"),
    re.compile(r"(?<!\w)\$[A-Z]{1,8}(?!\w)"),
    re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])"),
)


def check(part: Rich, limit: int) -> None:
    """Fail where the Bot API would refuse the message, or not show it as it is."""
    coded = part.text.encode("utf-16-le")
    assert 0 < len(coded) // 2 <= limit
    at_once = any(entity.offset == 0 and entity.type == "pre" for entity in part.entities)
    assert part.text == (part.text.rstrip() if at_once else part.text.strip()), "Telegram cuts it, and the offsets would be wrong"
    assert len(part.entities) <= 100
    assert len(part.plain.encode("utf-16-le")) == len(coded)
    spans = [(entity.offset, entity.offset + entity.length, entity.as_json()) for entity in part.entities]
    for start, end, entity in spans:
        assert 0 <= start < end <= len(coded) // 2
        inner = coded[2 * start : 2 * end].decode("utf-16-le")  # raises when it cuts a surrogate pair
        assert inner.strip()
        assert ("url" in entity) == (entity["type"] == "text_link")
        assert "language" not in entity or entity["type"] == "pre"
    for index, first in enumerate(spans):
        for second in spans[index + 1 :]:
            _apart_or_within(first, second)


def _apart_or_within(first: tuple[int, int, dict[str, Any]], second: tuple[int, int, dict[str, Any]]) -> None:
    if first[1] <= second[0] or second[1] <= first[0]:
        return
    assert first[0] <= second[0], "not in order"
    assert second[1] <= first[1] or (first[0] == second[0] and first[1] <= second[1]), "neither apart nor one within the other"
    types = {first[2]["type"], second[2]["type"]}
    assert len(types) == 2, "the same twice"
    assert not (types & _ALONE) or types & _QUOTES, "something within code"
    assert types & (_ANYWHERE | _QUOTES)
    assert not types >= _QUOTES


def links(part: Rich) -> list[str]:
    """The addresses of its links."""
    return [entity.url or "" for entity in part.entities if entity.type == "text_link"]


def linked_by_itself(text: str, part: Rich | None = None) -> list[str]:
    """What Telegram would make a link of: nothing that touches code or a link."""
    taken = [] if part is None else [
        (entity.offset, entity.offset + entity.length) for entity in part.entities if entity.type in {"code", "pre", "text_link"}
    ]  # fmt: skip
    found = []
    for pattern in _FOUND:
        for match in pattern.finditer(text):
            start = len(text[: match.start()].encode("utf-16-le")) // 2
            end = start + len(match[0].encode("utf-16-le")) // 2
            if not any(start < last and first < end for first, last in taken):
                found.append(match[0])
    return found
