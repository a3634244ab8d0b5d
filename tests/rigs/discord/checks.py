"""What Discord refuses in a message: lengths, emptiness, embeds, components; and what a careful bot never leaves out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.rigs.discord.wire import Problem
from tests.rigs.discord.world import COMPONENTS_V2, Json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.rigs.discord.world import Upload

CONTENT = 2000
_EMBED = {"title": 256, "description": 4096}
_EMBED_TOTAL = 6000
_TEXT = 10
_BUTTON_SCHEMES = ("http://", "https://", "discord://")


def length(text: str) -> int:
    """How long a text is to Discord: in code points."""
    return len(text)


def too_long(path: str, text: Any, most: int) -> Iterator[Problem]:
    if not isinstance(text, str):
        yield Problem(path, "BASE_TYPE_STRING", "Must be a string.")
    elif length(text) > most:
        yield Problem(path, "BASE_TYPE_MAX_LENGTH", f"Must be {most} or fewer in length.")


def problems(body: Json, flags: int) -> Iterator[Problem]:
    """Everything that is wrong with the payload of a message; `flags` are those it will have."""
    if body.get("content") is not None:
        yield from too_long("content", body["content"], CONTENT)
    if body.get("nonce") is not None:
        yield from too_long("nonce", str(body["nonce"]), 25)
    yield from _embeds(body.get("embeds") or [])
    if flags & COMPONENTS_V2:
        yield from _second_version(body)
    else:
        yield from _rows(body.get("components") or [])
    yield from _twice(body.get("components") or [])


def _embeds(embeds: list[Json]) -> Iterator[Problem]:
    if len(embeds) > 10:
        yield Problem("embeds", "BASE_TYPE_MAX_LENGTH", "Must be 10 or fewer in length.")
    for n, embed in enumerate(embeds):
        for name, most in _EMBED.items():
            yield from too_long(f"embeds.{n}.{name}", embed.get(name) or "", most)
        yield from too_long(f"embeds.{n}.footer.text", (embed.get("footer") or {}).get("text", ""), 2048)
        yield from too_long(f"embeds.{n}.author.name", (embed.get("author") or {}).get("name", ""), 256)
        yield from _fields(n, embed.get("fields") or [])
    if sum(_embedded(embed) for embed in embeds) > _EMBED_TOTAL:
        yield Problem("embeds", "MAX_EMBED_SIZE_EXCEEDED", f"Embed size exceeds maximum size of {_EMBED_TOTAL}")


def _fields(n: int, fields: list[Json]) -> Iterator[Problem]:
    if len(fields) > 25:
        yield Problem(f"embeds.{n}.fields", "BASE_TYPE_MAX_LENGTH", "Must be 25 or fewer in length.")
    for m, field in enumerate(fields):
        yield from too_long(f"embeds.{n}.fields.{m}.name", field.get("name"), 256)
        yield from too_long(f"embeds.{n}.fields.{m}.value", field.get("value"), 1024)


def _embedded(embed: Json) -> int:
    texts = [embed.get("title"), embed.get("description")]
    texts += [(embed.get("footer") or {}).get("text"), (embed.get("author") or {}).get("name")]
    texts += [field.get(key) for field in embed.get("fields") or [] for key in ("name", "value")]
    return sum(length(text) for text in texts if isinstance(text, str))


def _rows(rows: list[Json]) -> Iterator[Problem]:
    if len(rows) > 5:
        yield Problem("components", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 5 in length.")
    for n, row in enumerate(rows):
        items = row.get("components") or []
        if row.get("type") != 1:
            yield Problem(f"components.{n}.type", "BASE_TYPE_CHOICES", "Value of field 'type' must be one of (1,).")
        yield from _items(f"components.{n}.components", items)


def _items(path: str, items: list[Json]) -> Iterator[Problem]:
    wide = sum(5 if item.get("type") != 2 else 1 for item in items)
    if not 1 <= wide <= 5:
        yield Problem(path, "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 5 in length.")
    for m, item in enumerate(items):
        yield from _item(f"{path}.{m}", item)


def _item(path: str, item: Json) -> Iterator[Problem]:
    if item.get("type") == 2:
        yield from _button(path, item)
    elif item.get("type") in {3, 5, 6, 7, 8}:
        yield from _custom_id(path, item)
    else:
        yield Problem(f"{path}.type", "UNION_TYPE_CHOICES", "Value of field 'type' must be one of (2, 3, 5, 6, 7, 8).")


def _button(path: str, item: Json) -> Iterator[Problem]:
    yield from too_long(f"{path}.label", item.get("label") or "", 80)
    if not item.get("label") and not item.get("emoji"):
        yield Problem(path, "BUTTON_COMPONENT_INVALID_LABEL", "A button must have a label or an emoji.")
    if item.get("style") != 5:
        yield from _custom_id(path, item)
    elif not str(item.get("url")).startswith(_BUTTON_SCHEMES):
        yield Problem(f"{path}.url", "URL_TYPE_INVALID_SCHEME", "Scheme must be one of ('http', 'https', 'discord').")
    else:
        yield from too_long(f"{path}.url", item["url"], 512)
    if item.get("style") not in range(1, 6):
        yield Problem(f"{path}.style", "BASE_TYPE_CHOICES", "Value of field 'style' must be one of (1, 2, 3, 4, 5).")


def _custom_id(path: str, item: Json) -> Iterator[Problem]:
    custom_id = item.get("custom_id")
    if not custom_id:
        yield Problem(f"{path}.custom_id", "BASE_TYPE_REQUIRED", "This field is required")
    else:
        yield from too_long(f"{path}.custom_id", custom_id, 100)


def _second_version(body: Json) -> Iterator[Problem]:
    items = list(_all(body.get("components") or []))
    for name in ("content", "embeds"):
        if body.get(name):
            yield Problem(name, "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2", "It cannot be used with components v2.")
    if len(items) > 40:
        yield Problem("components", "BASE_TYPE_MAX_LENGTH", "Must be 40 or fewer in length.")
    if sum(length(item.get("content", "")) for item in items if item.get("type") == _TEXT) > 4000:
        yield Problem("components", "COMPONENT_MAX_TOTAL_TEXT", "The text of all components must be 4000 or fewer in length.")


def _twice(components: list[Json]) -> Iterator[Problem]:
    seen = set()
    for item in _all(components):
        if (custom_id := item.get("custom_id")) is not None:
            if custom_id in seen:
                yield Problem("components", "COMPONENT_CUSTOM_ID_DUPLICATED", "Component custom id cannot be duplicated")
            seen.add(custom_id)


def _all(components: list[Json]) -> Iterator[Json]:
    for item in components:
        yield item
        yield from _all(item.get("components") or [])
        yield from _all([item["accessory"]] if item.get("accessory") else [])


def mentions(body: Json) -> str | None:
    """What is wrong with the mentions that a payload allows, None when it pings nobody and says so."""
    allowed = body.get("allowed_mentions")
    if allowed is None:
        return "no allowed_mentions"
    pings = allowed.get("parse") != [] or allowed.get("users") or allowed.get("roles") or allowed.get("replied_user")
    return f"allowed_mentions {allowed}" if pings else None


def heavy(files: Mapping[int, Upload], most: int) -> Upload | None:
    """The first file that is too big."""
    return next((file for file in files.values() if len(file.data) > most), None)
