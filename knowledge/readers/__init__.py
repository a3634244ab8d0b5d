"""Readers: a file in, headings and text out. One module for each format, chosen by the file's suffix."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final

from knowledge.errors import UnreadableError
from knowledge.readers.limits import Limits

if TYPE_CHECKING:
    from pathlib import Path

    from knowledge.types import Reading

_MODULES: Final = {
    ".md": "markdown",
    ".markdown": "markdown",
    ".txt": "text",
    ".text": "text",
    ".rst": "text",
    ".csv": "text",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".pdf": "pdf",
}
SUFFIXES: Final = frozenset(_MODULES)
"""The suffixes, in lower case, of the files that can be read; the index leaves all others alone."""

PLAIN: Final = frozenset(suffix for suffix, module in _MODULES.items() if module in {"markdown", "text"})
"""Those whose readers are a few lines of ours: they wear no process out, as parsers of large formats may."""


def read_file(path: Path, limits: Limits) -> Reading:
    """Read one file. Raises `UnreadableError` with one clause for the index report. Runs long: never on the event loop."""
    module = _MODULES.get(path.suffix.lower())
    if module is None:
        raise UnreadableError(f"files of the kind {path.suffix or path.name} are not read")
    # Imported when the first file of its kind comes: pypdf alone costs 0.3 s and 40 MB.
    reading: Reading = importlib.import_module(f"{__name__}.{module}").read(path, limits)
    return reading


__all__ = ["PLAIN", "SUFFIXES", "Limits", "read_file"]
