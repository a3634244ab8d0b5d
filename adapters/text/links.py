"""Which addresses may be clickable, and how an address is found in a text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_LONGEST = 512
"""Characters of an address; a longer one is shown as text, for it would leave no room for anything else."""

_BARE = re.compile(r"(?<![\w+.-])https?://[^\s<>\"`]{1,1000}", re.IGNORECASE)
_UNFIT = re.compile(r"[\s<>()\[\]\\\"`*|~^{}]")
_ADDRESS = re.compile(r"://|\bwww\.|[\w-]\.[^\W\d_]{2,}(?:[/:?#]|$)|@[\w-]+\.", re.IGNORECASE)


class Links:
    """The addresses that may be clickable; None: every http(s) address."""

    def __init__(self, allowed: Iterable[str] | None) -> None:
        self._allowed = None if allowed is None else {normal for url in allowed if (normal := _normal(url)) is not None}

    def live(self, url: str) -> str | None:
        """The address as a platform takes it, None when it may not be clickable."""
        normal = _normal(url)
        if normal is None or (self._allowed is not None and normal not in self._allowed):
            return None
        fit = _UNFIT.sub(lambda found: quote(found[0], safe=""), url.strip())
        return fit if len(fit) <= _LONGEST else None

    def bare(self, text: str) -> Iterator[tuple[int, int, str]]:
        """The addresses in a text that may be clickable: where each begins and ends, and what it is."""
        if "://" not in text:
            return
        for found in _BARE.finditer(text):
            shown = _ended(found[0])
            url = self.live(shown)
            if url is not None:
                yield found.start(), found.start() + len(shown), url


def misleading(text: str, url: str) -> bool:
    """Whether the text of a link looks like an address, but of something else."""
    return _ADDRESS.search(text) is not None and not same(text, url)


def same(text: str, url: str) -> bool:
    """Whether a text is the address itself, with its scheme or without."""
    bare = url.split("://", 1)[-1].removeprefix("mailto:").rstrip("/")
    return text.strip().split("://", 1)[-1].removeprefix("mailto:").rstrip("/") in {bare, unquote(bare)}


def _ended(url: str) -> str:
    """An address in a sentence, without the punctuation that follows it."""
    while url and (
        url[-1] in ".,;:!?'*_~…" or (url[-1] in ")]}" and url.count(url[-1]) > url.count("([{"[")]}".index(url[-1])]))
    ):
        url = url[:-1]
    return url


def _normal(url: str) -> str | None:
    """What two addresses of the same thing have in common; None when it is no http(s) address, or hides where it leads."""
    try:
        parts = urlsplit(url.strip())
        scheme, host, port = parts.scheme.lower(), parts.hostname, parts.port
    except ValueError:
        return None
    if scheme not in {"http", "https"} or not host or "@" in parts.netloc:
        return None
    rest = unquote(parts.path).rstrip("/") + (f"?{unquote(parts.query)}" if parts.query else "")
    return f"{scheme}://{host}:{port}{rest}" + (f"#{unquote(parts.fragment)}" if parts.fragment else "")
