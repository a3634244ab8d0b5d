"""A reader without a process: Markdown paragraphs become chunks. For tests of the index, which have no interest in parsing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from knowledge.errors import UnreadableError
from knowledge.types import Chunk, Reading

if TYPE_CHECKING:
    from pathlib import Path


class ParagraphReader:
    """The title is the file's stem; a file that begins with `broken` cannot be read. `read_paths` lists what was read."""

    def __init__(self) -> None:
        self.read_paths: list[str] = []

    async def read(self, path: Path) -> tuple[Reading, list[Chunk]]:
        text = path.read_text()
        self.read_paths.append(path.name)
        if text.startswith("broken"):
            raise UnreadableError("it is broken")
        paragraphs = [paragraph for paragraph in text.split("\n\n") if paragraph.strip()]
        chunks = [Chunk(n, paragraph, (), None, len(paragraph) // 3 + 1) for n, paragraph in enumerate(paragraphs)]
        return Reading(path.stem, (), "fr"), chunks

    async def close(self) -> None:
        return
