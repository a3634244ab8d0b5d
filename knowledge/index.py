"""One run over a collection: look, compare, read, stage, embed, insert the vectors, flip, remove the old. Any may be its last.

Reading, embedding and inserting overlap: each is a stage with a short queue behind it, and documents travel in batches, so that
small ones share a call of the model and a transaction. What a run was doing when it died is found by the next.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from knowledge import versions
from knowledge.compare import Plan, compare
from knowledge.embedding import Home, vectors_of
from knowledge.errors import ModelError, ModelMissingError, ModelUnfitError, ModelUnreachableError
from knowledge.failpoints import failpoint
from knowledge.intake import Intake
from knowledge.store import surely
from knowledge.sweep import sweep
from knowledge.versions import SLICE, Read, Staged
from knowledge.work import Account, IndexReport, Work

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from knowledge.files import Stamp
    from knowledge.versions import Known

_BATCH_CHUNKS = 192
_BATCH_DOCUMENTS = 64
_LINGER_S = 0.2
_READ_AHEAD = 32
_FAILURES = 3
_PLAIN = "bonjour"
_VANISH = 500


@dataclass(slots=True)
class _Batch:
    """Staged documents with the vectors of their chunks, in order, for each home."""

    staged: list[Staged]
    vectors: list[tuple[Home, NDArray[np.float32]]]


class Run:
    """One run: `run` is called once. Runs over one state never overlap. `missing` says why the folder could not be trusted."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._account = Account(work.collection, work.progress, IndexReport(work.collection))
        self._failures = 0
        self.missing: str | None = None

    async def run(self, *, prune: bool = False, changed: Collection[Path] | None = None) -> IndexReport:
        """Bring the index to what is on disk. Raises `IndexUnavailableError` and what the database raises; the next run mends."""
        started = time.perf_counter()
        work, account = self._work, self._account
        await self._mend()
        plan = await self._plan(prune=prune, changed=changed)
        gone = [known.id for known in plan.gone.values()]
        for start in range(0, len(gone), _VANISH):
            await work.sql.write(partial(versions.vanish, ids=gone[start : start + _VANISH]))
        if plan.todo:
            await self._flow(plan.todo)
        if gone:
            await self._sweep(gone)
        account.report.skipped, account.report.seconds = tuple(account.skipped), time.perf_counter() - started
        return account.report

    async def _mend(self) -> None:
        """Remove what a run left behind when it died."""
        left = await self._work.sql.read(partial(versions.left_behind, collection=self._work.collection))
        if left:
            await self._work.sql.write(partial(versions.abandon, ids=left))
            await self._sweep(left)

    async def _plan(self, *, prune: bool, changed: Collection[Path] | None) -> Plan:
        work, account, report = self._work, self._account, self._account.report
        few = None if changed is None else await asyncio.to_thread(work.look.some, changed)
        scan = await asyncio.to_thread(work.look.scan) if few is None else few
        failpoint("index.scanned")
        known = await work.sql.read(partial(versions.manifest, collection=work.collection))
        plan = await asyncio.to_thread(compare, scan, known, work.recipe, whole=few is None, prune=prune)
        account.skipped, account.total = [*scan.skipped, *plan.refused], len(plan.todo)
        self.missing, report.missing_folder, report.unchanged = plan.missing, plan.missing is not None, plan.unchanged
        report.other = scan.other
        report.removed = sum(known.version > 0 for known in plan.gone.values())
        return plan

    async def _flow(self, todo: Sequence[tuple[str, Stamp, Known | None]]) -> None:
        read: asyncio.Queue[Read | None] = asyncio.Queue(_READ_AHEAD)
        ready: asyncio.Queue[_Batch | None] = asyncio.Queue(1)
        intake = Intake(self._work, self._account)
        stages = (intake.read_all(iter(todo), read), self._embed_all(read, ready), self._insert_all(ready))
        tasks = [asyncio.create_task(stage, name=f"index {self._work.collection}") for stage in stages]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _embed_all(self, read: asyncio.Queue[Read | None], ready: asyncio.Queue[_Batch | None]) -> None:
        ended = False
        while not ended:
            documents, ended = await _gathered(read)
            if documents:
                # All at once: writes that wait together share a transaction, and one wait for the disk.
                staged = await asyncio.gather(*map(self._stage, documents))
                failpoint("index.staged")
                for batch in await self._embedded(staged):
                    await ready.put(batch)
        await ready.put(None)

    async def _stage(self, read: Read) -> Staged:
        work = self._work
        staged = await work.sql.write(partial(versions.begin, collection=work.collection, recipe=work.recipe, read=read))
        for start in range(SLICE, len(read.chunks), SLICE):
            await work.sql.write(partial(versions.add, staged=staged, start=start))
        return staged

    async def _embedded(self, staged: list[Staged]) -> list[_Batch]:
        """The documents with their vectors. When the model fails at several, each is tried alone; one that fails is given up."""
        if self._account.stopped is not None:
            await self._give_up(staged, self._account.stopped)
            return []
        try:
            batch = _Batch(staged, [await self._vectors(home, staged) for home in await self._work.homes()])
        except ModelError as error:
            final = isinstance(error, (ModelUnreachableError, ModelMissingError, ModelUnfitError))
            if len(staged) > 1 and not final:
                return [batch for one in staged for batch in await self._embedded([one])]
            self._failures += 1
            if final or (self._failures >= _FAILURES and not await self._answers()):
                self._account.stopped = error
            await self._give_up(staged, error)
            return []
        self._failures = 0
        failpoint("index.embedded")
        return [batch]

    async def _answers(self) -> bool:
        """Whether the model embeds a plain word: then it is the documents that it fails at, and the others have their turn."""
        try:
            for home in await self._work.homes():
                await home.embedder.passages([_PLAIN])
        except ModelError:
            return False
        self._failures = 0
        return True

    async def _vectors(self, home: Home, staged: list[Staged]) -> tuple[Home, NDArray[np.float32]]:
        texts = [text for one in staged for text in one.texts]
        hashes = [hash_ for one in staged for hash_ in one.hashes]
        vectors, embedded = await vectors_of(home, self._work.sql, self._work.store, texts, hashes, self._work.pause)
        self._account.report.embedded += embedded
        return home, vectors

    async def _give_up(self, staged: list[Staged], error: ModelError) -> None:
        ids = [one.id for one in staged]
        await self._work.sql.write(partial(versions.abandon, ids=ids))
        await self._sweep(ids)
        for one in staged:
            self._account.not_embedded(one.read.path, error)

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
            await self._sweep(replaced)
            failpoint("index.old_deleted")
        report = self._account.report
        for staged in batch.staged:
            known = staged.read.known
            fresh = known is None or known.version == 0
            report.added, report.changed = report.added + fresh, report.changed + (not fresh)
            self._account.advance(staged.read.path)

    async def _sweep(self, documents: Sequence[int]) -> None:
        await sweep(self._work.sql, self._work.store, self._work.spaces(), documents)


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
