"""One run over a collection: look, compare, read, stage, embed, insert the vectors, flip, remove the old. Any may be its last.

Reading, embedding and inserting overlap: each is a stage with a short queue behind it, and documents travel in batches, so that
small ones share a call of the model and a transaction. What a run was doing when it died is found by the next.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

from knowledge import versions
from knowledge.compare import UNTRUSTED, Plan, compare, digest_of, settling_s, trusted
from knowledge.embedding import Home, vectors_of
from knowledge.errors import (
    ModelError,
    ModelMissingError,
    ModelUnfitError,
    ModelUnreachableError,
    UnreadableError,
)
from knowledge.failpoints import failpoint
from knowledge.sweep import surely, sweep
from knowledge.versions import SLICE, Known, Read, Staged

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from knowledge.files import Look, Stamp
    from knowledge.spaces import Space
    from knowledge.store import VectorStore
    from knowledge.types import Chunk, Reading, Sql

_BATCH_CHUNKS = 192
_BATCH_DOCUMENTS = 64
_LINGER_S = 0.2
_READ_AHEAD = 32
_FAILURES = 3
_VANISH = 500

_Todo = tuple[str, "Stamp", Known | None]


class DocumentReader(Protocol):
    """Reads a file and cuts it into chunks, somewhere else than in this process."""

    async def read(self, path: Path) -> tuple[Reading, list[Chunk]]:
        """Raises `UnreadableError`."""

    async def close(self) -> None:
        """End the process."""


@dataclass(frozen=True, slots=True)
class Progress:
    """After each document: `done` of `total` that this run has to read."""

    collection: str
    done: int
    total: int
    document: str


@dataclass(slots=True)
class IndexReport:
    """What a run did. `skipped` are paths with the reason; `embedded` counts texts the model was asked for."""

    collection: str
    added: int = 0
    changed: int = 0
    removed: int = 0
    unchanged: int = 0
    skipped: tuple[tuple[str, str], ...] = ()
    missing_folder: bool = False
    seconds: float = 0.0
    embedded: int = 0


@dataclass(slots=True)
class Work:
    """What a run works with.

    `homes` are asked for when something has to be embedded, and raise a `ModelError` when the model cannot say who it is;
    `spaces` are all that may hold a vector of the collection.
    """

    collection: str
    look: Look
    recipe: str
    sql: Sql
    store: VectorStore
    reader: DocumentReader
    homes: Callable[[], Awaitable[Sequence[Home]]]
    spaces: Callable[[], Sequence[Space]]
    pause: Callable[[], Awaitable[None]]
    progress: Callable[[Progress], None]


@dataclass(slots=True)
class _Batch:
    """Staged documents with the vectors of their chunks, in order, for each home."""

    staged: list[Staged]
    vectors: list[tuple[Home, NDArray[np.float32]]]


class Run:
    """One run: `run` is called once. Runs over one state never overlap. `missing` says why the folder could not be trusted."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._report = IndexReport(work.collection)
        self._skipped: list[tuple[str, str]] = []
        self._total = self._done = self._failures = 0
        self._stopped: ModelError | None = None
        self.missing: str | None = None

    async def run(self, *, prune: bool = False, changed: Collection[Path] | None = None) -> IndexReport:
        """Bring the index to what is on disk. Raises `IndexUnavailableError` and what the database raises; the next run mends."""
        started = time.perf_counter()
        work, report = self._work, self._report
        plan = await self._plan(prune=prune, changed=changed)
        gone = [known.id for known in plan.gone.values()]
        for start in range(0, len(gone), _VANISH):
            await work.sql.write(partial(versions.vanish, ids=gone[start : start + _VANISH]))
        if plan.todo:
            await self._flow(plan.todo)
        if gone:
            await sweep(work.sql, work.store, work.spaces(), gone)
        report.skipped, report.seconds = tuple(self._skipped), time.perf_counter() - started
        return report

    async def _plan(self, *, prune: bool, changed: Collection[Path] | None) -> Plan:
        """Mend what a crash left, look at the folder, compare. The report says what this finds."""
        work, report = self._work, self._report
        left = await work.sql.read(partial(versions.left_behind, collection=work.collection))
        if left:
            await work.sql.write(partial(versions.abandon, ids=left))
            await sweep(work.sql, work.store, work.spaces(), left)
        few = None if changed is None else await asyncio.to_thread(work.look.some, changed)
        scan = await asyncio.to_thread(work.look.scan) if few is None else few
        failpoint("index.scanned")
        known = await work.sql.read(partial(versions.manifest, collection=work.collection))
        plan = await asyncio.to_thread(compare, scan, known, work.recipe, whole=few is None, prune=prune)
        self._skipped = [*scan.skipped, *plan.refused]
        report.unchanged, self._total = plan.unchanged, len(plan.todo)
        self.missing, report.missing_folder = plan.missing, plan.missing is not None
        report.removed = sum(known.version > 0 for known in plan.gone.values())
        return plan

    async def _flow(self, todo: Sequence[_Todo]) -> None:
        read: asyncio.Queue[Read | None] = asyncio.Queue(_READ_AHEAD)
        ready: asyncio.Queue[_Batch | None] = asyncio.Queue(1)
        stages = (self._read_all(iter(todo), read), self._embed_all(read, ready), self._insert_all(ready))
        tasks = [asyncio.create_task(stage, name=f"index {self._work.collection}") for stage in stages]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    # Reading

    async def _read_all(self, todo: Iterator[_Todo], read: asyncio.Queue[Read | None]) -> None:
        async def reader() -> None:
            for path, stamp, known in todo:
                await self._work.pause()
                if self._stopped is not None:
                    self._skip(path, _not_embedded(self._stopped))
                elif (one := await self._read(path, stamp, known)) is not None:
                    failpoint("index.read")
                    await read.put(one)

        await asyncio.gather(reader(), reader())  # two: one file is looked at while the other is being read
        await read.put(None)

    async def _read(self, path: str, stamp: Stamp, known: Known | None) -> Read | None:
        work = self._work
        await asyncio.sleep(settling_s(stamp))
        try:
            if not await asyncio.to_thread(work.look.inside, path):
                self._skip(path, "it is a link that leaves the folder")
            elif known is not None and await asyncio.to_thread(self._same, path, stamp, known):
                await self._touch(path, stamp, known)
            else:
                reading, chunks = await work.reader.read(work.look.folder / path)
                if chunks:
                    digest, sealed = await asyncio.to_thread(self._sealed, path, stamp)
                    return Read(path, sealed, digest, known, reading, chunks)
                await self._refuse(path, stamp, known, "it holds no text")
        except UnreadableError as error:
            await self._refuse(path, stamp, known, error.reason)
        except OSError as error:
            self._skip(path, f"it cannot be read: {error.strerror}")
        return None

    def _same(self, path: str, stamp: Stamp, known: Known) -> bool:
        """Whether the bytes are those of the live version."""
        if known.recipe != self._work.recipe or known.digest is None or known.stamp.size not in {stamp.size, UNTRUSTED.size}:
            return False
        return digest_of(self._work.look, path) == known.digest

    def _sealed(self, path: str, stamp: Stamp) -> tuple[bytes | None, Stamp]:
        """Digest and stamp to remember of a file that has been read: none when it may have changed meanwhile."""
        digest = digest_of(self._work.look, path)
        return (digest, stamp) if trusted(self._work.look, path, stamp) else (None, UNTRUSTED)

    async def _touch(self, path: str, stamp: Stamp, known: Known) -> None:
        sure = await asyncio.to_thread(trusted, self._work.look, path, stamp)
        await self._work.sql.write(partial(versions.touch, known=known, stamp=stamp if sure else UNTRUSTED))
        self._report.unchanged += 1
        self._advance(path)

    async def _refuse(self, path: str, stamp: Stamp, known: Known | None, reason: str) -> None:
        sure = await asyncio.to_thread(trusted, self._work.look, path, stamp)
        refused = versions.Refused(path, known, stamp if sure else UNTRUSTED, reason)
        await self._work.sql.write(
            partial(versions.refuse, collection=self._work.collection, recipe=self._work.recipe, refused=refused)
        )
        self._skip(path, reason)

    # Embedding

    async def _embed_all(self, read: asyncio.Queue[Read | None], ready: asyncio.Queue[_Batch | None]) -> None:
        ended = False
        while not ended:
            documents, ended = await _gathered(read)
            if documents:
                staged = [await self._stage(one) for one in documents]
                failpoint("index.staged")
                for batch in await self._embedded(staged):
                    await ready.put(batch)
        await ready.put(None)

    async def _stage(self, read: Read) -> Staged:
        work = self._work
        staged = await work.sql.write(partial(versions.stage, collection=work.collection, recipe=work.recipe, read=read))
        for start in range(0, len(read.chunks), SLICE):
            await work.sql.write(partial(versions.add, staged=staged, start=start))
        return staged

    async def _embedded(self, staged: list[Staged]) -> list[_Batch]:
        """The documents with their vectors. When the model fails at several, each is tried alone; one that fails is given up."""
        try:
            batch = _Batch(staged, [await self._vectors(home, staged) for home in await self._work.homes()])
        except ModelError as error:
            final = isinstance(error, (ModelUnreachableError, ModelMissingError, ModelUnfitError))
            if len(staged) > 1 and not final and self._stopped is None:
                return [batch for one in staged for batch in await self._embedded([one])]
            self._failures += 1
            if final or self._failures >= _FAILURES:
                self._stopped = error
            await self._give_up(staged, error)
            return []
        self._failures = 0
        failpoint("index.embedded")
        return [batch]

    async def _vectors(self, home: Home, staged: list[Staged]) -> tuple[Home, NDArray[np.float32]]:
        texts = [text for one in staged for text in one.texts]
        hashes = [hash_ for one in staged for hash_ in one.hashes]
        vectors, embedded = await vectors_of(home, self._work.sql, self._work.store, texts, hashes, self._work.pause)
        self._report.embedded += embedded
        return home, vectors

    async def _give_up(self, staged: list[Staged], error: ModelError) -> None:
        ids = [one.id for one in staged]
        await self._work.sql.write(partial(versions.abandon, ids=ids))
        await sweep(self._work.sql, self._work.store, self._work.spaces(), ids)
        for one in staged:
            self._skip(one.read.path, _not_embedded(error))

    # Inserting

    async def _insert_all(self, ready: asyncio.Queue[_Batch | None]) -> None:
        while (batch := await ready.get()) is not None:
            await self._insert(batch)

    async def _insert(self, batch: _Batch) -> None:
        work = self._work
        ids = [id_ for staged in batch.staged for id_ in staged.ids]
        for home, vectors in batch.vectors:
            await surely(work.store, partial(work.store.add, home.space.name, ids, vectors))
        failpoint("index.upserted")
        await work.sql.write(partial(versions.flip, recipe=work.recipe, batch=batch.staged))
        failpoint("index.flipped")
        replaced = [staged.id for staged in batch.staged if staged.read.known is not None]
        if replaced:
            await sweep(work.sql, work.store, work.spaces(), replaced)
            failpoint("index.old_deleted")
        for staged in batch.staged:
            known = staged.read.known
            fresh = known is None or known.version == 0
            self._report.added, self._report.changed = self._report.added + fresh, self._report.changed + (not fresh)
            self._advance(staged.read.path)

    def _skip(self, path: str, reason: str) -> None:
        self._skipped.append((path, reason))
        self._advance(path)

    def _advance(self, path: str) -> None:
        self._done += 1
        self._work.progress(Progress(self._work.collection, self._done, self._total, path))


async def _gathered(read: asyncio.Queue[Read | None]) -> tuple[list[Read], bool]:
    """The next documents that make a batch, and whether they are the last. Waits a moment for a batch to fill."""
    documents: list[Read] = []
    chunks = 0
    try:
        async with asyncio.timeout(None) as patience:
            while chunks < _BATCH_CHUNKS and len(documents) < _BATCH_DOCUMENTS:
                one = await read.get()
                if one is None:
                    return documents, True
                if not documents:
                    patience.reschedule(asyncio.get_running_loop().time() + _LINGER_S)
                documents.append(one)
                chunks += len(one.chunks)
    except TimeoutError:
        pass  # The batch has waited long enough.
    return documents, False


def _not_embedded(error: ModelError) -> str:
    return f"it could not be embedded: {error}"
