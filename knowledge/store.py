"""The vectors, as seen from the daemon: a private child process that holds Chroma, its state, and its recovery."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from knowledge.errors import IndexUnavailableError
from knowledge.process import Child, ChildDiedError, ChildError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

T = TypeVar("T")

_LOG = logging.getLogger(__name__)
_SLICE = 200
"""Vectors in one write: a question never waits longer than one of these."""
_READ = 2000
_ASKED_WRONGLY = "InvalidArgumentError"
"""What Chroma raises for a vector of another dimension: starting it again would not help."""
_CALL_S = 60.0
_OPEN_S = 300.0


class VectorStore:
    """Vectors by space and chunk id. Everything raises `IndexUnavailableError` while the child is starting or broken.

    A child that dies, or fails at a call, is opened again in the background; a folder that cannot be opened twice in a row is
    set aside, an empty one takes its place, and `on_lost` is called: every vector can be made again from SQL.
    """

    def __init__(self, folder: Path, on_lost: Callable[[], None]) -> None:
        self._folder = folder
        self._on_lost = on_lost
        self._child = Child("knowledge.store_process", [str(folder)])
        self._ready = False
        self._why = "the vector index is starting"
        self._opening = asyncio.Lock()
        self._recovery: asyncio.Task[None] | None = None

    @property
    def ready(self) -> bool:
        """Whether it can be asked."""
        return self._ready

    @property
    def pid(self) -> int | None:
        """The process id of the child."""
        return self._child.pid

    async def open(self) -> None:
        """Start the child and load what is there; set it aside when it cannot be loaded. Raises `IndexUnavailableError`.

        Whoever comes second waits for the first, and finds it open.
        """
        async with self._opening:
            if not self._ready:
                await self._open()

    async def _open(self) -> None:
        for attempt in (1, 2, 3):
            try:
                await self._child.call("open", timeout_s=_OPEN_S)
            except ChildError as error:
                if error.kind == "FolderInUseError":
                    self._why = str(error)
                    raise IndexUnavailableError(self._why) from error
                problem: Exception = error
            except (ChildDiedError, TimeoutError, OSError) as error:
                problem = error
            else:
                self._ready = True
                return
            await self._child.kill()
            if attempt == 2:
                await self._set_aside(problem)
        self._why = "the vector index cannot be opened"
        raise IndexUnavailableError(self._why) from problem

    async def counted(self) -> dict[str, int]:
        """How many vectors each space holds; a space without any may be missing."""
        answer, _ = await self._call("counted", {})
        counts: dict[str, int] = answer["spaces"]
        return counts

    async def add(self, space: str, ids: Sequence[int], vectors: NDArray[np.float32]) -> None:
        """Insert or replace vectors, shape (len(ids), dimension), in slices."""
        for start in range(0, len(ids), _SLICE):
            part = slice(start, start + _SLICE)
            await self._call("add", {"space": space, "ids": list(ids[part])}, _raw(vectors[part]))

    async def query(
        self, spaces: Sequence[str], question: NDArray[np.float32], k: int, also: Sequence[int] = ()
    ) -> tuple[list[int], NDArray[np.float32], NDArray[np.float32]]:
        """The `k` nearest of each space, and `also`: ids, cosines, shape (hits,), and vectors, shape (hits, dimension)."""
        answer, blob = await self._call("query", {"spaces": list(spaces), "k": k, "also": list(also)}, _raw(question))
        vectors = np.frombuffer(blob, np.float32).reshape(-1, len(question))
        near = answer["similarities"]
        return answer["ids"], np.concatenate([np.asarray(near, np.float32), vectors[len(near) :] @ question]), vectors

    async def vectors(self, space: str, ids: Sequence[int]) -> tuple[list[int], NDArray[np.float32]]:
        """Those of `ids` that the space holds, and their vectors, shape (found, dimension), in the same order."""
        found: list[int] = []
        blobs = b""
        for start in range(0, len(ids), _READ):
            answer, blob = await self._call("vectors", {"space": space, "ids": list(ids[start : start + _READ])})
            found += answer["ids"]
            blobs += blob
        return found, np.frombuffer(blobs, np.float32).reshape(len(found), -1) if found else np.empty((0, 0), np.float32)

    async def held(self, space: str, ids: Sequence[int]) -> set[int]:
        """Those of `ids` that the space holds."""
        found: set[int] = set()
        for start in range(0, len(ids), _READ):
            answer, _ = await self._call("held", {"space": space, "ids": list(ids[start : start + _READ])})
            found.update(answer["ids"])
        return found

    async def pages(self, space: str) -> AsyncIterator[list[int]]:
        """All ids of a space, page by page; nothing may be written to it meanwhile."""
        offset = 0
        while True:
            answer, _ = await self._call("page", {"space": space, "offset": offset})
            if not answer["ids"]:
                return
            yield answer["ids"]
            offset += len(answer["ids"])

    async def delete(self, space: str, ids: Sequence[int]) -> None:
        """Remove vectors, in slices."""
        for start in range(0, len(ids), _SLICE):
            await self._call("delete", {"space": space, "ids": list(ids[start : start + _SLICE])})

    async def recovered(self) -> None:
        """Wait until a recovery under way has ended, well or not."""
        if self._recovery is not None:
            await asyncio.wait([self._recovery])

    async def drop(self, space: str) -> None:
        """Remove a space whole."""
        await self._call("drop", {"space": space})

    async def close(self) -> None:
        """End the child; what it was told is on disk."""
        self._ready = False
        if self._recovery is not None:
            self._recovery.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._recovery
        await self._child.stop()

    async def _call(self, method: str, params: dict[str, Any], blob: bytes = b"") -> tuple[dict[str, Any], bytes]:
        if self._ready and self._child.pid is None:
            self._recover(ChildDiedError("its process is gone"))
        if not self._ready:
            raise IndexUnavailableError(self._why)
        try:
            return await self._child.call(method, params, blob, timeout_s=_CALL_S)
        except (ChildError, ChildDiedError, TimeoutError, OSError) as error:
            if isinstance(error, ChildError) and error.kind == _ASKED_WRONGLY:
                raise IndexUnavailableError(f"the vector index cannot take that: {error}") from error
            self._recover(error)
            raise IndexUnavailableError(self._why) from error

    def _recover(self, error: Exception) -> None:
        self._ready, self._why = False, "the vector index is starting again"
        if self._recovery is None or self._recovery.done():
            _LOG.warning("the vector index ended (%s); starting it again", error)
            self._recovery = asyncio.create_task(self._reopen(), name="vector index")

    async def _reopen(self) -> None:
        try:
            async with self._opening:
                await self._child.kill()
                await self._open()
        except IndexUnavailableError as error:
            _LOG.error("%s", error)

    async def _set_aside(self, problem: Exception) -> None:
        _LOG.error("the vector index cannot be loaded (%s); it is set aside and made anew", problem)
        await asyncio.to_thread(_move, self._folder)
        self._on_lost()


async def surely(store: VectorStore, call: Callable[[], Awaitable[T]]) -> T:
    """Make a call that may be repeated; when the vector store fails at it, once more after its recovery.

    Raises `IndexUnavailableError`.
    """
    try:
        return await call()
    except IndexUnavailableError:
        await store.recovered()
        return await call()


def _raw(vectors: NDArray[np.float32]) -> bytes:
    return np.ascontiguousarray(vectors, np.float32).tobytes()


def _move(folder: Path) -> None:
    """Keep the one folder that broke last, for whoever wants to look."""
    broken = folder / "chroma.broken"
    shutil.rmtree(broken, ignore_errors=True)
    if (folder / "chroma").exists():
        (folder / "chroma").rename(broken)
