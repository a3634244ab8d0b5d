"""The files of a message, as the platform claims them; nothing is downloaded here."""

from __future__ import annotations

from typing import Any

from adapters.types import Attachment

_KINDS = {
    "document": ("document", None),
    "audio": ("audio.mp3", "audio/mpeg"),
    "video": ("video.mp4", "video/mp4"),
    "voice": ("voice.ogg", "audio/ogg"),
    "video_note": ("video-note.mp4", "video/mp4"),
}
"""The kinds of files by the platform's name, each with a name and a type where it gives none."""


def attachments_of(native: dict[str, Any]) -> tuple[Attachment, ...]:
    """What came with a message. Raises `KeyError`, `TypeError`, `ValueError` where it is malformed."""
    found = [_attachment(native[kind], *_KINDS[kind]) for kind in _KINDS if kind in native]
    if native.get("photo"):
        largest = max(native["photo"], key=lambda size: int(size.get("width", 0)) * int(size.get("height", 0)))
        found.append(_attachment(largest, "photo.jpg", "image/jpeg"))
    return tuple(found)


def _attachment(file: dict[str, Any], name: str, media_type: str | None) -> Attachment:
    return Attachment(
        id=str(file["file_id"]),
        name=str(file.get("file_name") or name),
        size=int(file.get("file_size") or 0),
        media_type=str(file["mime_type"]) if file.get("mime_type") else media_type,
    )
