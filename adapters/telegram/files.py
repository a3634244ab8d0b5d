"""Files that people sent: downloaded when they are wanted, never more of them than is allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.telegram.client import CallError

if TYPE_CHECKING:
    from adapters.telegram.client import Client
    from adapters.types import Attachment


class DownloadError(Exception):
    """A file could not be had. `reason`: `too_large`, `gone` (the platform has it no longer) or `failed` (try again)."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


async def download(client: Client, attachment: Attachment, limit_bytes: int) -> bytes:
    """A file's content. Refused by what the platform claims, then by what comes. Raises `DownloadError`."""
    _check(attachment.size, limit_bytes)
    try:
        found = await client.call("getFile", {"file_id": attachment.id})
        _check(int(found.get("file_size") or 0), limit_bytes)
        content = await client.download(str(found["file_path"]), limit_bytes)
    except CallError as error:
        too_large = "too big" in error.description
        gone = error.code in {400, 404}
        reason = "too_large" if too_large else "gone" if gone else "failed"
        raise DownloadError(reason, f"the file could not be downloaded: {error}") from error
    except (AttributeError, KeyError, ValueError, TypeError) as error:
        raise DownloadError("failed", "the platform does not say where the file is") from error
    if content is None:
        raise DownloadError("too_large", f"the file is larger than {limit_bytes} bytes")
    return content


def _check(size: int, limit_bytes: int) -> None:
    if size > limit_bytes:
        raise DownloadError("too_large", f"the file has {size} bytes, {limit_bytes} are allowed")
