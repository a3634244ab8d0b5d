"""The parts of a reply as bodies of REST calls. Every body that shows something to people is made here: none mentions anybody."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.types import File

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapters.discord.payloads import Json
    from adapters.types import Button

SUPPRESS_EMBEDS = 1 << 2
EPHEMERAL = 1 << 6
LIMIT = 2000
_STYLE_GREY, _STYLE_RED = 2, 4
_ROW = 5
_ROWS = 5
_LABEL = 80


def body_of(payload: Json, *, plain: bool = False, hidden: bool = False) -> Json:
    """What all messages have in common. `plain`: without any formatting. Embeds (link previews) are suppressed."""
    body: Json = {
        "content": payload.get("plain", payload["content"]) if plain else payload["content"],
        "components": payload.get("components", []),
        "allowed_mentions": {"parse": [], "replied_user": False},
        "flags": SUPPRESS_EMBEDS | (EPHEMERAL if hidden else 0),
    }
    files = payload.get("files")
    if files:
        body["attachments"] = [{"id": n, "filename": file["name"]} for n, file in enumerate(files)]
    return body


def files_of(payload: Json) -> tuple[File, ...]:
    """The files that go with a part."""
    return tuple(File(file["name"], file["text"]) for file in payload.get("files", ()))


def with_reference(body: Json, message_id: str | None) -> Json:
    """The body as a reply to a message; one that is gone does not matter."""
    if message_id is None:
        return body
    return {**body, "message_reference": {"message_id": message_id, "fail_if_not_exists": False}}


def rows(buttons: Sequence[Button]) -> list[Json]:
    """Buttons in rows of five. What does not fit is left out: sources first come first, so the last sources go."""
    ends = [button for button in buttons if button.kind != "source"][: _ROW * _ROWS]
    shown = [button for button in buttons if button.kind == "source"][: _ROW * _ROWS - len(ends)] + ends
    sources = [_button(button) for button in shown if button.kind == "source"]
    others = [_button(button) for button in shown if button.kind != "source"]
    split = [group[n : n + _ROW] for group in (sources, others) for n in range(0, len(group), _ROW)]
    if len(split) > _ROWS:
        together = sources + others
        split = [together[n : n + _ROW] for n in range(0, len(together), _ROW)]
    return [{"type": 1, "components": row} for row in split]


def _button(button: Button) -> Json:
    style = _STYLE_RED if button.kind == "stop" else _STYLE_GREY
    label = button.label if len(button.label) <= _LABEL else button.label[: _LABEL - 1] + "…"
    return {"type": 2, "style": style, "label": label or "…", "custom_id": button.code}
