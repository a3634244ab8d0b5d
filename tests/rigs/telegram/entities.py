"""Formatting as the server takes it: checked in UTF-16 units, cleaned and trimmed with its text."""

from __future__ import annotations

import re
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from tests.rigs.telegram.errors import bad

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.rigs.telegram.records import Entity

MAX_ENTITIES = 100
QUOTES = frozenset({"blockquote", "expandable_blockquote"})
CODE = frozenset({"code", "pre"})
STYLES = frozenset({"bold", "italic", "underline", "strikethrough", "spoiler"})
LINKS = frozenset(
    {"mention", "hashtag", "cashtag", "bot_command", "url", "email", "phone_number", "text_link", "text_mention", "custom_emoji",
     "date_time"}
)  # fmt: skip
_NEEDS = {"text_link": "url", "text_mention": "user", "custom_emoji": "custom_emoji_id"}
_BLANKS = ("", " ", "\n")
_UNSEEN = re.compile(r"[\s\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2060-\u2069\u3164\ufe00-\ufe0f\ufeff]*")
_DROPPED = frozenset("\r\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u0333\u033f\u030a")

_UNCLEAN = re.compile("[\0-\x09\x0b-\x1f" + "".join(_DROPPED) + "]")


def units(text: str) -> int:
    """The length as the server counts it, in UTF-16 units."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def offsets(text: str) -> list[int]:
    """Where each character begins, in UTF-16 units, and at the end the length of all."""
    if units(text) == len(text):
        return list(range(len(text) + 1))
    return list(accumulate((2 if character > "\uffff" else 1 for character in text), initial=0))


def problems(text: str, entities: Iterable[Any]) -> list[str]:
    """What is wrong with the entities of a text, in words; empty when all is well."""
    starts = set(offsets(text))
    found = [problem for entity in entities if (problem := _alone(entity, starts))]
    return found or _nesting(sorted(entities, key=_order))


def _alone(entity: Any, starts: set[int]) -> str | None:
    if not isinstance(entity, dict) or not all(isinstance(entity.get(key), int) for key in ("offset", "length")):
        return f"no entity: {entity!r}"
    kind, begin, length = entity.get("type"), entity["offset"], entity["length"]
    if kind not in QUOTES | CODE | STYLES | LINKS:
        return f"there is no type {kind!r}"
    if begin < 0 or length <= 0 or begin + length > max(starts):
        return f"{kind} at {begin}+{length} is outside of the text of {max(starts)}"
    if begin not in starts or begin + length not in starts:
        return f"{kind} at {begin}+{length} cuts a surrogate pair"
    if kind in _NEEDS and not entity.get(_NEEDS[kind]):
        return f"{kind} at {begin} has no {_NEEDS[kind]}"
    return None


def _order(entity: Entity) -> tuple[int, int, bool]:
    return entity["offset"], -entity["length"], entity["type"] not in QUOTES


def _nesting(entities: list[Entity]) -> list[str]:
    open_: list[Entity] = []
    found = []
    for entity in entities:
        open_ = [outer for outer in open_ if _end(outer) > entity["offset"]]
        found += [problem for outer in open_ if (problem := _pair(outer, entity))]
        open_.append(entity)
    return found


def _pair(outer: Entity, inner: Entity) -> str | None:
    out, into = outer["type"], inner["type"]
    where = f"at {inner['offset']}+{inner['length']}"
    if _end(inner) > _end(outer):
        return f"{into} {where} overlaps {out} at {outer['offset']}+{outer['length']}"
    if out in CODE or (into in CODE and out not in QUOTES):
        return f"{into} {where} is inside {out}"
    if (out in QUOTES and into in QUOTES) or (out in LINKS and into in LINKS):
        return f"{into} {where} is nested in {out}"
    return None


def _end(entity: Entity) -> int:
    return int(entity["offset"] + entity["length"])


def cleaned(text: str, entities: list[Entity]) -> tuple[str, list[Entity]]:
    """Text and entities as the server keeps them: without control and bidi characters, trimmed, at most 100 entities."""
    if text and text[0] not in _BLANKS and text[-1] not in _BLANKS and not _UNCLEAN.search(text):
        return text, entities[:MAX_ENTITIES]
    kept = [_clean(character) for character in text]
    lead = min((entity["offset"] for entity in entities), default=len(text))
    begin = _first(kept, lead)
    end = len(kept)
    while end > begin and kept[end - 1] in _BLANKS:
        end -= 1
    kept[:begin] = [""] * begin
    kept[end:] = [""] * (len(kept) - end)
    result = "".join(kept)
    if result == text:
        return text, entities[:MAX_ENTITIES]
    return result, _moved(text, kept, entities)[:MAX_ENTITIES]


def _clean(character: str) -> str:
    if character in _DROPPED:
        return ""
    return " " if character < " " and character != "\n" else character


def _first(kept: list[str], lead: int) -> int:
    """How many characters are cut at the front: blanks, up to the first entity (`lead`, UTF-16 units: blanks are one each)."""
    count = 0
    while count < min(lead, len(kept)) and kept[count] in _BLANKS:
        count += 1
    return count


def _moved(text: str, kept: list[str], entities: list[Entity]) -> list[Entity]:
    old = {start: number for number, start in enumerate(offsets(text))}
    new = [0, *accumulate(units(character) for character in kept)]
    found = []
    for entity in entities:
        begin, end = new[old[entity["offset"]]], new[old[_end(entity)]]
        if end > begin:
            found.append({**entity, "offset": begin, "length": end - begin})
    return found


def checked(text: str, limit: int, *, empty: bool = False) -> None:
    """Refuse a text of the wrong length. `empty`: it may be empty."""
    if not empty and _UNSEEN.fullmatch(text):
        raise bad("message text is empty")
    if units(text) > limit:
        raise bad("message is too long")
