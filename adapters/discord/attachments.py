"""Files that people send: from Discord's own hosts alone, and no more of them than was allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from adapters.discord.errors import RestError
from adapters.types import FetchError

if TYPE_CHECKING:
    from adapters.discord.rest import Rest
    from adapters.types import Attachment

_HOSTS = frozenset({"cdn.discordapp.com", "media.discordapp.net"})


async def fetched(rest: Rest, attachment: Attachment, limit_bytes: int, *, api_base: str) -> bytes:
    """The bytes of a file. Raises `FetchError`."""
    if attachment.size > limit_bytes:
        raise FetchError("too_large", f"the file has {attachment.size} bytes; at most {limit_bytes} are read")
    if attachment.url is None or not _is_discords(attachment.url, api_base):
        raise FetchError("gone", "the file is not where Discord keeps files")
    try:
        return await rest.download(attachment.url, limit_bytes)
    except ValueError as error:
        raise FetchError("too_large", str(error)) from error
    except RestError as error:
        raise FetchError("failed", str(error)) from error


def _is_discords(url: str, api_base: str) -> bool:
    """Whether an address is one of Discord's hosts, or of the server that the settings name in its place."""
    try:
        told, own = urlsplit(url), urlsplit(api_base)
        same = (told.scheme, told.hostname, told.port) == (own.scheme, own.hostname, own.port)
    except ValueError:
        return False
    return same or (told.scheme == "https" and told.hostname in _HOSTS and told.port in (None, 443))
