"""The retriever: full text and vectors at once, fused, diversified, and nothing that is not live in SQL within the scope."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field
from functools import partial
from heapq import nlargest
from operator import itemgetter
from typing import TYPE_CHECKING, NoReturn

import orjson
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.callbacks import CallbackManager
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode
from sqlalchemy import text

from knowledge.errors import IndexUnavailableError, ModelError, PromptTooLongError
from knowledge.fulltext import Found, Words, search, words_of
from knowledge.language import language_of
from knowledge.questions import vectors_of
from knowledge.rank import Candidate, Near, ranked
from knowledge.scope import Scope
from knowledge.tables import json_list

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from sqlalchemy import Connection

    from knowledge.calibrate import Background
    from knowledge.config import RetrievalConfig
    from knowledge.models import Embedder
    from knowledge.store import VectorStore
    from knowledge.types import Passage, Sql

_LOG = logging.getLogger(__name__)
_NEAREST = 3
_ALSO = 12
"""Hits of full text whose vectors are fetched: one far down its list and unknown to the vectors is no answer."""
_DEEPER = 1000
"""Vectors that a second look takes, where the nearest are of collections that were not asked for."""


_Hit = tuple[int, float, "NDArray[np.float32]"]
"""Chunk, cosine, vector."""


@dataclass(frozen=True, slots=True)
class Leg:
    """Spaces of one embedder that a scope covers, and the background its similarities are read against, if known.

    `crowded` are the collections of the scope whose space holds others, which are not in it.
    """

    embedder: Embedder
    spaces: tuple[str, ...]
    background: Background | None
    crowded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Retrieved:
    """`passages` are above the threshold, best first; none means: refuse. `nearest` is what came closest.

    `timings` are seconds by step. `vectors` is false when full text had to answer alone.
    """

    passages: tuple[Passage, ...]
    nearest: tuple[Passage, ...]
    timings: dict[str, float] = field(default_factory=dict)
    vectors: bool = True


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
        names, limit, legs = sorted(scope.collections), self._config.candidates, self._legs(scope)
        (words, found), asked = await asyncio.gather(
            self._sql.read(partial(_by_words, question=question, collections=names, limit=limit)),
            self._asked(question, legs),
        )
        embedded = time.perf_counter()
        near = await self._near(asked, [hit.chunk_id for hit in found[:_ALSO]])
        searched = time.perf_counter()
        # Of the words of a long question no share is usual, in whatever language: it is judged without.
        judged = question if len(asked) <= len(legs) else ""
        choose = partial(self._chosen, question=judged, names=names, near=near, words=words, found=found, k=k)
        chosen = await self._sql.read(choose) if near or found else []
        timings = {"embed": embedded - started, "search": searched - embedded, "choose": time.perf_counter() - searched}
        passages, nearest = [p for p, related in chosen if related], [p for p, _ in chosen[:_NEAREST]]
        return Retrieved(tuple(passages), tuple(nearest), timings, vectors=bool(asked) and not self._troubled)

    def _chosen(
        self,
        connection: Connection,
        question: str,
        names: list[str],
        near: dict[int, Near],
        words: Words,
        found: Sequence[Found],
        k: int | None,
    ) -> list[tuple[Passage, bool]]:
        """Rank what is live and in scope, and fetch the best alone: in the thread of the database, off the event loop."""
        candidates = _live(connection, list(dict.fromkeys([*near, *(hit.chunk_id for hit in found)])), names)
        ranking = ranked(candidates, near, words, {hit.chunk_id: hit.score for hit in found})
        best = ranking.best(k or self._config.passages, self._config.diversity)
        literal = ranking.literal(found)
        ids = json_list({candidates[n].id for n in (*best, *literal)})
        texts = {row.id: row for row in connection.execute(_TEXTS, {"ids": ids})}
        rows = {n: texts[candidates[n].id] for n in (*best, *literal)}
        return ranking.judged(language_of(question), [(n, rows[n]) for n in ranking.seated(best, literal, rows)])

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        scope = getattr(query_bundle, "scope", None)
        if not isinstance(scope, Scope):
            raise TypeError("this retriever takes a query that carries its scope")
        found = await self.passages(query_bundle.query_str, scope)
        return [node_of(passage) for passage in found.passages]

    def _retrieve(self, query_bundle: QueryBundle) -> NoReturn:  # noqa: ARG002 -- the base class names it
        raise TypeError("this retriever is asynchronous: use aretrieve()")

    async def _asked(self, question: str, legs: Sequence[Leg]) -> list[tuple[Leg, NDArray[np.float32]]]:
        """Each leg with the question's vector; with several in turn where only pieces of the question fit into the window."""
        try:
            return [(leg, vector) for leg in legs for vector in await vectors_of(leg.embedder, question)]
        except PromptTooLongError:
            self._trouble("a question does not fit into the window of the embedding model")
            return []
        except ModelError as error:
            self._trouble(f"the embedding model cannot be asked ({type(error).__name__})")
            return []

    async def _near(self, asked: Sequence[tuple[Leg, NDArray[np.float32]]], also: Sequence[int]) -> dict[int, Near]:
        """The nearest chunks, and what the vectors say of those that full text found. Of several pieces the nearest counts."""
        near: dict[int, Near] = {}
        try:
            for leg, question in asked:
                first = await self._store.query(leg.spaces, question, self._config.candidates, also)
                measures = leg.background.measures(question) if leg.background else {}
                for id_, cosine, vector in (*_hits(*first), *await self._crowded_out(leg, question, first[0])):
                    if id_ not in near or cosine > near[id_].cosine:
                        near[id_] = Near(cosine, measures, vector)
        except IndexUnavailableError as error:
            self._trouble(str(error))
            return {}
        if asked:
            self._trouble("")
        return near

    async def _crowded_out(self, leg: Leg, question: NDArray[np.float32], first: Sequence[int]) -> list[_Hit]:
        """The nearest of the crowded collections, where others that share their space have most of the `first` places.

        A small collection is compared whole; of a large one, what is far down among the others is far from the question too.
        """
        limit = self._config.candidates
        if not leg.crowded:
            return []
        seen = await self._sql.read(partial(_live, ids=first, collections=leg.crowded))
        own = set(await self._sql.read(partial(_some_of, collections=leg.crowded, limit=_DEEPER + 1)))
        if len(seen) >= min(limit, len(own)):
            return []
        if len(own) <= _DEEPER:
            hits = _hits(*await self._store.query(leg.spaces, question, 1, list(own)))
        else:
            hits = _hits(*await self._store.query(leg.spaces, question, _DEEPER))
            live = await self._sql.read(partial(_live, ids=[id_ for id_, _, _ in hits], collections=leg.crowded))
            own = {candidate.id for candidate in live}
        return nlargest(limit, (hit for hit in hits if hit[0] in own), key=itemgetter(1))

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
    words = words_of(connection, question, collections)
    return words, search(connection, words, collections, limit)


def _hits(ids: Sequence[int], cosines: NDArray[np.float32], vectors: NDArray[np.float32]) -> list[_Hit]:
    return list(zip(ids, cosines.tolist(), vectors, strict=True))


def _live(connection: Connection, ids: Sequence[int], collections: Sequence[str]) -> list[Candidate]:
    """What is live and in scope of `ids`: the one place that decides what may be shown."""
    values = {"ids": json_list(ids), "collections": json_list(collections)}
    return [Candidate(*row) for row in orjson.loads(connection.execute(_LIVE, values).scalar_one())]


def _some_of(connection: Connection, collections: Sequence[str], limit: int) -> list[int]:
    """Live chunks of these collections, at most `limit`."""
    values = {"collections": json_list(collections), "limit": limit}
    return [int(id_) for id_ in connection.execute(_SOME_OF, values).scalars()]


_LIVE = text(
    """SELECT json_group_array(json_array(chunks.id, document_id, ordinal, language))
    FROM chunks JOIN documents ON documents.id = chunks.document_id AND documents.version = chunks.version
    WHERE chunks.id IN (SELECT value FROM json_each(:ids))
    AND +documents.collection IN (SELECT value FROM json_each(:collections))"""  # +: not by the index on collections
)
_SOME_OF = text(
    """SELECT chunks.id FROM documents JOIN chunks ON chunks.document_id = documents.id AND chunks.version = documents.version
    WHERE documents.collection IN (SELECT value FROM json_each(:collections)) LIMIT :limit"""
)
_TEXTS = text(
    """SELECT chunks.id, document_id, headings, text, page, collection, path, title, language
    FROM chunks JOIN documents ON documents.id = chunks.document_id WHERE chunks.id IN (SELECT value FROM json_each(:ids))"""
)
