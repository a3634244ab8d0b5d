"""What a run over a collection works with, and its running account."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

    from knowledge.embedding import Home
    from knowledge.errors import ModelError
    from knowledge.files import Look
    from knowledge.spaces import Space
    from knowledge.store import VectorStore
    from knowledge.types import Chunk, Reading, Sql


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
    """What a run did. `skipped` are paths with the reason; `other` counts the files of kinds that are not read, `embedded` the
    texts the model was asked for.

    `not_embedded` counts those of the skipped that wait for the embedding model: another run is worth while once it answers.
    """

    collection: str
    added: int = 0
    changed: int = 0
    removed: int = 0
    unchanged: int = 0
    skipped: tuple[tuple[str, str], ...] = ()
    missing_folder: bool = False
    seconds: float = 0.0
    embedded: int = 0
    not_embedded: int = 0
    other: int = 0


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
class Account:
    """What a run has done so far. `stopped` is the error after which the model is not asked any more."""

    collection: str
    tell: Callable[[Progress], None]
    report: IndexReport
    skipped: list[tuple[str, str]] = field(default_factory=list)
    total: int = 0
    done: int = 0
    stopped: ModelError | None = None

    def skip(self, path: str, reason: str) -> None:
        """A document that stays as it was, or out."""
        self.skipped.append((path, reason))
        self.advance(path)

    def not_embedded(self, path: str, error: ModelError) -> None:
        """A document the model failed at; the next run tries again."""
        self.report.not_embedded += 1
        self.skip(path, f"it could not be embedded: {error}")

    def advance(self, path: str) -> None:
        """A document is done, one way or another."""
        self.done += 1
        self.tell(Progress(self.collection, self.done, self.total, path))
