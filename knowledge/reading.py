"""Reading files in a process of their own, so that a hostile or broken one costs that process and never the daemon."""

from __future__ import annotations

import asyncio
import dataclasses
import os
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import orjson

from knowledge.chunks import Chunking
from knowledge.errors import UnreadableError
from knowledge.process import Child, ChildDiedError, ChildError
from knowledge.readers import PLAIN
from knowledge.types import Chunk, Reading

if TYPE_CHECKING:
    from pathlib import Path

    from knowledge.config import ReadingConfig

_IDLE_S = 60.0


class Reader:
    """Reads and cuts files, one at a time, in a long-lived process.

    The process is started for the first file; replaced after `files_per_worker` files (Markdown and text not counted), after a
    crash and after a file that took too long or too much memory; ended after `idle_s` seconds without a file, to give its memory
    back.
    """

    def __init__(self, config: ReadingConfig, chunking: Chunking, *, idle_s: float = _IDLE_S) -> None:
        self._config = config
        self._child = Child("knowledge.reading_process", (_told(config, chunking),), environment={"MALLOC_ARENA_MAX": "1"})
        self._idle_s = idle_s
        self._lock = asyncio.Lock()
        self._files = 0
        self._alarm: asyncio.TimerHandle | None = None
        self._resting: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The reading process, None while there is none."""
        return self._child.pid

    @property
    def starts(self) -> int:
        """How many reading processes there have been."""
        return self._child.starts

    async def read(self, path: Path) -> tuple[Reading, list[Chunk]]:
        """Read a file and cut it. The reading comes without its sections: their text is in the chunks.

        Raises `UnreadableError`, whatever the file did to the process; the next file is read by a sound one.
        """
        async with self._lock:
            if self._alarm is not None:
                self._alarm.cancel()
            try:
                return await self._read(path)
            finally:
                self._alarm = asyncio.get_running_loop().call_later(self._idle_s, self._rest)

    async def close(self) -> None:
        """End the process."""
        if self._alarm is not None:
            self._alarm.cancel()
        async with self._lock:
            await self._child.kill()

    async def _read(self, path: Path) -> tuple[Reading, list[Chunk]]:
        if self._files >= self._config.files_per_worker:
            await self._child.kill()  # it holds nothing worth a farewell
        if self._child.pid is None:
            self._files = 0
        # A new process costs as much as reading 200 plain files, so these do not count.
        self._files += path.suffix.lower() not in PLAIN
        try:
            async with asyncio.timeout(self._config.seconds):
                return await self._answer(path)
        except TimeoutError as error:
            await self._child.kill()
            raise UnreadableError(f"reading it took over the {self._config.seconds:g} s that reading.seconds allows") from error
        except asyncio.CancelledError:
            await self._child.kill()  # it would read on, and the next file would wait
            raise
        except ChildDiedError as error:
            raise UnreadableError("the reading process broke down on it") from error
        except ChildError as error:
            raise await self._translated(error) from error

    async def _answer(self, path: Path) -> tuple[Reading, list[Chunk]]:
        head: dict[str, Any] = {}
        chunks: list[Chunk] = []
        async with aclosing(self._child.stream("read", blob=os.fsencode(path))) as frames:
            async for header, _ in frames:
                head = head or header
                for text, headings, page, tokens in header.get("chunks", ()):
                    chunks.append(Chunk(len(chunks), text, tuple(headings), page, tokens))
        return Reading(head["title"], (), head["language"]), chunks

    async def _translated(self, error: ChildError) -> UnreadableError:
        if error.kind == UnreadableError.__name__:
            return UnreadableError(str(error))
        await self._child.kill()  # short of memory, or something we do not know: what comes next deserves a sound one
        if error.kind == "MemoryError":
            return UnreadableError(f"it needs more than the {self._config.memory_mb} MB that reading.memory_mb allows")
        return UnreadableError(f"it could not be read: {error.kind}")

    def _rest(self) -> None:
        if not self._lock.locked():
            self._resting = asyncio.create_task(self._child.kill(), name="end the reading process")


def _told(config: ReadingConfig, chunking: Chunking) -> str:
    limits = {"file_mb": config.file_mb, "text_mb": config.text_mb, "pages": config.pages}
    told = {"limits": limits, "chunking": dataclasses.asdict(chunking), "memory_mb": config.memory_mb}
    return orjson.dumps(told).decode()
