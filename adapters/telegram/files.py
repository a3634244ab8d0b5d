"""Files that people sent: what the platform claims of them, and their download, never of more than is allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from adapters.telegram.client import CallError
from adapters.types import Attachment, FetchError

if TYPE_CHECKING:
    from adapters.telegram.client import Client

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


async def download(client: Client, attachment: Attachment, limit_bytes: int) -> bytes:
    """A file's content. Refused by what the platform claims, then by what comes. Raises `FetchError`."""
    _check(attachment.size, limit_bytes)
    try:
        found = await client.call("getFile", {"file_id": attachment.id})
        _check(int(found.get("file_size") or 0), limit_bytes)
        content = await client.download(str(found["file_path"]), limit_bytes)
    except CallError as error:
        raise FetchError(_reason(error), f"the file could not be downloaded: {error}") from error
    except (AttributeError, KeyError, ValueError, TypeError) as error:
        raise FetchError("failed", "the platform does not say where the file is") from error
    if content is None:
        raise FetchError("too_large", f"the file is larger than {limit_bytes} bytes")
    return content


def _check(size: int, limit_bytes: int) -> None:
    if size > limit_bytes:
        raise FetchError("too_large", f"the file has {size} bytes, {limit_bytes} are allowed")


def _attachment(file: dict[str, Any], name: str, media_type: str | None) -> Attachment:
    return Attachment(
        id=str(file["file_id"]),
        name=str(file.get("file_name") or name),
        size=int(file.get("file_size") or 0),
        media_type=str(file["mime_type"]) if file.get("mime_type") else media_type,
    )


def _reason(error: CallError) -> Literal["too_large", "gone", "failed"]:
    if "too big" in error.description:
        return "too_large"
    return "gone" if error.code in {400, 404} else "failed"
