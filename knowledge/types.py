"""The words of knowledge work: sections, chunks, passages, and what an answer is made of. No library is imported here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

T = TypeVar("T")


class Sql(Protocol):
    """The one database, opened by `bot` and passed in. `work` runs in a thread, inside one transaction, and must not wait."""

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run `work` on a read-only connection."""

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run `work` inside `BEGIN IMMEDIATE`; committed and durable when this returns."""


@dataclass(frozen=True, slots=True)
class Section:
    """A piece of a document under one heading or on one page, in reading order.

    `headings` is the path of headings from the outermost; `page` counts from 1.
    """

    text: str
    headings: tuple[str, ...] = ()
    page: int | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reader makes of a file."""

    title: str
    sections: tuple[Section, ...]
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a document that is retrieved whole. `text` is shown; what is embedded is heading and text."""

    ordinal: int
    text: str
    headings: tuple[str, ...]
    page: int | None
    tokens: int


@dataclass(frozen=True, slots=True)
class Passage:
    """A retrieved chunk with its score and where it stands. `similarity` is the cosine (None where only full text found it)."""

    chunk_id: int
    document_id: int
    collection: str
    document: str
    title: str
    headings: tuple[str, ...]
    page: int | None
    url: str | None
    text: str
    score: float
    similarity: float | None = None


@dataclass(frozen=True, slots=True)
class PastTurn:
    """A question of this conversation with its answer, as it enters the prompt.

    `documents` are the ids of the documents the answer was made from: a later answer inherits them, because it may repeat it.
    """

    question: str
    answer: str
    documents: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Citation:
    """A passage that the answer names as `[n]`."""

    n: int
    passage: Passage


@dataclass(frozen=True, slots=True)
class Step:
    """A sign of life: `condense`, `retrieve`, `generate`."""

    name: str


@dataclass(frozen=True, slots=True)
class Words:
    """The next words of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Answer:
    """The end of an answer. `consulted` are passages that were given and not cited; `nearest` is filled when `refused`.

    `cut`: the model stopped at its length limit. `documents` are the ids of all documents whose text was in the prompt, or, when
    `refused`, of those in `nearest`.
    """

    text: str
    citations: tuple[Citation, ...] = ()
    consulted: tuple[Passage, ...] = ()
    nearest: tuple[Passage, ...] = ()
    refused: bool = False
    cut: bool = False
    documents: frozenset[int] = frozenset()
    model: str = ""
    prompt_tokens: int = 0
    answer_tokens: int = 0
    timings: dict[str, float] = field(default_factory=dict)


Event = Step | Words | Answer
