"""What every reader starts from: the bytes of a file, within limits, or the sentence that says why not."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from knowledge.errors import UnreadableError

if TYPE_CHECKING:
    from pathlib import Path

_MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one file may hold, as `[reading]` of the settings says; plain data, so that it travels to the reading process."""

    file_mb: float = 50
    text_mb: float = 16
    pages: int = 3000

    def check_text(self, size: float) -> None:
        """Raise `UnreadableError` when `size` bytes of text are more than one file may hold."""
        if size > self.text_mb * _MB:
            raise UnreadableError(f"it holds more than {self.text_mb:g} MB of text, the limit of reading.text_mb")


def bytes_of(path: Path, limits: Limits) -> bytes:
    """The content of a file. Raises `UnreadableError` for one that is too large, empty, not a file, or may not be opened."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise UnreadableError("it is not a regular file")  # Opening a pipe would wait for ever.
        if status.st_size > limits.file_mb * _MB:
            size = f"{status.st_size / _MB:,.0f} MB"
            raise UnreadableError(f"it has {size}, more than the {limits.file_mb:g} MB that reading.file_mb allows")
        content = path.read_bytes()
    except PermissionError as error:
        raise UnreadableError("this account may not read it") from error
    except OSError as error:
        raise UnreadableError(f"it cannot be read: {error.strerror}") from error
    if not content:
        raise UnreadableError("it is empty")
    return content


def title_of(path: Path) -> str:
    """The title of a document that names none: its file name in words. A byte of it that is no text becomes a question mark."""
    name = path.stem.replace("_", " ").replace("-", " ").strip() or path.name
    return name.encode(errors="replace").decode()
