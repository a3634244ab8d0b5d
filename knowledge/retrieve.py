"""The retriever: full text and vectors at once, fused, diversified, and nothing that is not live in SQL within the scope."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import orjson
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.callbacks import CallbackManager
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode
from sqlalchemy import Row, bindparam, text

from knowledge.errors import IndexUnavailableError, ModelError
from knowledge.fulltext import Found, Words, covered, search, words_of
from knowledge.fuse import diversified, fused, lexical
from knowledge.language import language_of
from knowledge.scope import Scope
from knowledge.types import Passage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from sqlalchemy import Connection

    from knowledge.calibrate import Background
    from knowledge.config import RetrievalConfig
    from knowledge.models import Embedder
    from knowledge.store import VectorStore
    from knowledge.types import Sql

_LOG = logging.getLogger(__name__)
_NEAREST = 3
_NEIGHBOURS = 0.6
_WORDS_SUFFICE = 0.8
"""A passage with this share of the question's words is related, whatever its vector says."""
_SHARED, _USUAL_SHARE = 2.0, 0.5
"""Within one language half of a question's words are usual; all of them raise its standing by one, none lowers it by one."""
_BESIDE = 0.75
"""Beside a passage above the threshold, another is given from this part of the threshold on."""


@dataclass(frozen=True, slots=True)
class Leg:
    """Spaces of one embedder that a scope covers, and the background its similarities are read against, if known."""

    embedder: Embedder
    spaces: tuple[str, ...]
    background: Background | None


@dataclass(frozen=True, slots=True)
class Retrieved:
    """`passages` are above the threshold, best first; none means: refuse. `nearest` is what came closest.

    `timings` are seconds by step. `vectors` is false when full text had to answer alone.
    """

    passages: tuple[Passage, ...]
    nearest: tuple[Passage, ...]
    timings: dict[str, float] = field(default_factory=dict)
    vectors: bool = True


@dataclass(slots=True)
class _Near:
    """What the vectors say of a chunk. `standing` is over the background, None without one; `threshold` is one too."""

    cosine: float
    standing: float | None
    threshold: float
    vector: NDArray[np.float32]


class Retriever(BaseRetriever):
    """Finds passages. `legs` names the spaces and embedders of a scope: none while no model can be asked."""

    def __init__(self, sql: Sql, store: VectorStore, config: RetrievalConfig, legs: Callable[[Scope], Sequence[Leg]]) -> None:
        super().__init__(callback_manager=CallbackManager())
        self._sql = sql
        self._store = store
        self._config = config
        self._legs = legs
        self._troubled = ""

    async def passages(self, question: str, scope: Scope, k: int | None = None) -> Retrieved:
        """The best `k` passages above the threshold, and the nearest, whether above or not.

        When the model or the vectors cannot be asked, full text answers alone. Raises what the database raises.
        """
        started = time.perf_counter()
        names, limit = sorted(scope.collections), self._config.candidates
        (words, found), asked = await asyncio.gather(
            self._sql.read(partial(_by_words, question=question, collections=names, limit=limit)),
            self._asked(question, self._legs(scope)),
        )
        embedded = time.perf_counter()
        near = await self._near(asked, [hit.chunk_id for hit in found])
        searched = time.perf_counter()
        ids = list(dict.fromkeys([*near, *(hit.chunk_id for hit in found)]))
        rows = await self._sql.read(partial(_live, ids=ids, collections=names)) if ids else []
        ranked = _ranked(question, rows, near, words, {hit.chunk_id: hit.score for hit in found})
        chosen = ranked.chosen(k or self._config.passages, self._config.diversity)
        timings = {"embed": embedded - started, "search": searched - embedded, "choose": time.perf_counter() - searched}
        passages, nearest = [p for p, related in chosen if related], [p for p, _ in chosen[:_NEAREST]]
        return Retrieved(tuple(passages), tuple(nearest), timings, vectors=bool(asked) and not self._troubled)

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        scope = getattr(query_bundle, "scope", None)
        if not isinstance(scope, Scope):
            raise TypeError("this retriever takes a query that carries its scope")
        found = await self.passages(query_bundle.query_str, scope)
        return [node_of(passage) for passage in found.passages]

    def _retrieve(self, query_bundle: QueryBundle) -> NoReturn:  # noqa: ARG002 -- the base class names it
        raise TypeError("this retriever is asynchronous: use aretrieve()")

    async def _asked(self, question: str, legs: Sequence[Leg]) -> list[tuple[Leg, NDArray[np.float32]]]:
        try:
            return [(leg, await leg.embedder.query(question)) for leg in legs]
        except ModelError as error:
            self._trouble(f"the embedding model cannot be asked ({type(error).__name__})")
            return []

    async def _near(self, asked: Sequence[tuple[Leg, NDArray[np.float32]]], also: Sequence[int]) -> dict[int, _Near]:
        """The nearest chunks, and what the vectors say of those that full text found."""
        near: dict[int, _Near] = {}
        try:
            for leg, question in asked:
                ids, cosines, vectors = await self._store.query(leg.spaces, question, self._config.candidates, also)
                background = leg.background
                standings = background.standing(question, cosines) if background else None
                for n, id_ in enumerate(ids):
                    standing = None if standings is None else float(standings[n])
                    level = background.threshold if background else 0.0
                    near.setdefault(id_, _Near(float(cosines[n]), standing, level, vectors[n]))
        except IndexUnavailableError as error:
            self._trouble(str(error))
            return {}
        if asked:
            self._trouble("")
        return near

    def _trouble(self, what: str) -> None:
        """Say once when full text has to answer alone, and once when it is over."""
        if what and what != self._troubled:
            _LOG.warning("questions are answered from full text alone: %s", what)
        elif self._troubled and not what:
            _LOG.info("questions are answered from vectors and full text again")
        self._troubled = what


def node_of(passage: Passage) -> NodeWithScore:
    """The passage as LlamaIndex knows it."""
    metadata = {"collection": passage.collection, "document": passage.document, "title": passage.title, "page": passage.page}
    return NodeWithScore(node=TextNode(id_=str(passage.chunk_id), text=passage.text, metadata=metadata), score=passage.score)


def _by_words(connection: Connection, question: str, collections: list[str], limit: int) -> tuple[Words, list[Found]]:
    words = words_of(connection, question)
    return words, search(connection, words, collections, limit)


def _live(connection: Connection, ids: list[int], collections: list[str]) -> Sequence[Row[Any]]:
    """What is live and in scope of `ids`: the one place that decides what may be shown."""
    return connection.execute(_LIVE, {"ids": ids, "collections": collections}).all()


_LIVE = text(
    """SELECT chunks.id, document_id, ordinal, headings, text, page, collection, path, title, language
    FROM chunks JOIN documents ON documents.id = chunks.document_id AND documents.version = chunks.version
    WHERE chunks.id IN :ids AND documents.collection IN :collections"""
).bindparams(bindparam("ids", expanding=True), bindparam("collections", expanding=True))


@dataclass(slots=True)
class _Ranking:
    """Live candidates with their scores, 0 to 1, in one order."""

    language: str | None
    rows: Sequence[Row[Any]]
    near: list[_Near | None]
    words: Words
    scores: NDArray[np.float32]

    def chosen(self, count: int, diversity: float) -> list[tuple[Passage, bool]]:
        """The best, diversified, in order of their score, and whether each is related to the question.

        One of them must stand above the threshold; then the others may stand a little below.
        """
        best = sorted(diversified(self.scores, self._alike(), count, diversity), key=lambda n: -self.scores[n])
        shares = [covered(self.words, f"{self.rows[n].headings} {self.rows[n].text}") for n in best]
        standings = [self._standing(n) for n in best]
        answered = max(standings, default=0.0) + self._expected(best, shares) >= 1
        related = [
            share >= _WORDS_SUFFICE or (answered and standing >= _BESIDE)
            for share, standing in zip(shares, standings, strict=True)
        ]
        return [(self._passage(n), one) for n, one in zip(best, related, strict=True)]

    def _standing(self, n: int) -> float:
        """Over the background, in thresholds. Without a background everything is related, without a vector nothing."""
        near = self.near[n]
        if near is None:
            return 0.0
        return 1.0 if near.standing is None else near.standing / near.threshold

    def _expected(self, best: Sequence[int], shares: Sequence[float]) -> float:
        """What the shared words add or take away: related texts in one language share half of them; across languages few do."""
        same = [share for n, share in zip(best, shares, strict=True) if self.language and self.language == self.rows[n].language]
        levels = [near.threshold for near in self.near if near is not None and near.threshold]
        return _SHARED * (max(same) - _USUAL_SHARE) / levels[0] if same and levels else 0.0

    def _alike(self) -> NDArray[np.float32]:
        """How alike every two are, 0 to 1: their cosines on the scale of these candidates; neighbours in a document overlap."""
        size = max((len(near.vector) for near in self.near if near is not None), default=1)
        vectors = np.zeros((len(self.near), size), np.float32)
        for n, near in enumerate(self.near):
            if near is not None and len(near.vector) == size:
                vectors[n] = near.vector
        cosines = vectors @ vectors.T
        usual = float(np.median(cosines)) if len(cosines) else 0.0
        alike: NDArray[np.float32] = np.square(np.clip((cosines - usual) / max(1 - usual, 1e-6), 0, 1))
        documents = np.array([row.document_id for row in self.rows])
        ordinals = np.array([row.ordinal for row in self.rows])
        neighbours = (documents[:, None] == documents) & (np.abs(ordinals[:, None] - ordinals) == 1)
        closest: NDArray[np.float32] = np.maximum(alike, np.float32(_NEIGHBOURS) * neighbours)
        return closest

    def _passage(self, n: int) -> Passage:
        row, near = self.rows[n], self.near[n]
        return Passage(
            chunk_id=row.id,
            document_id=row.document_id,
            collection=row.collection,
            document=row.path,
            title=row.title,
            headings=tuple(orjson.loads(row.headings)[1:]),
            page=row.page,
            url=None,
            text=row.text,
            score=round(float(self.scores[n]), 4),
            similarity=None if near is None else round(near.cosine, 4),
        )


def _ranked(question: str, rows: Sequence[Row[Any]], near: dict[int, _Near], words: Words, found: dict[int, float]) -> _Ranking:
    of_rows = [near.get(row.id) for row in rows]
    relative = [None if one is None or one.standing is None else one.standing / one.threshold for one in of_rows]
    top = max(2.0, *(value or 0.0 for value in relative), 2.0)
    dense = [
        0.0 if one is None else one.cosine if value is None else value / top for one, value in zip(of_rows, relative, strict=True)
    ]
    by_words = lexical(np.array([found.get(row.id, 0.0) for row in rows], np.float32), words)
    scores = fused(np.clip(np.array(dense, np.float32), 0, 1), by_words) if near else by_words
    return _Ranking(language_of(question), rows, of_rows, words, scores)
