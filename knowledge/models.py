"""What the engine and the index ask of a model, whoever serves it.

The implementations are LlamaIndex models; no library is imported here.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What makes two vectors comparable. `digest` is the model's own; `prefixes` the texts put before questions and passages."""

    model: str
    digest: str
    dimension: int
    prefixes: tuple[str, str]
    distance: str = "cosine"

    @property
    def key(self) -> str:
        """Twelve hexadecimal digits that differ whenever any part differs."""
        parts = (self.model, self.digest, str(self.dimension), *self.prefixes, self.distance)
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of the prompt. `images` are files in base64, for a model that can see."""

    role: Literal["system", "user", "assistant"]
    content: str
    images: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Piece:
    """The next words of the model, or the last piece, which carries `done`: `stop`, `length`.

    Token counts are the server's own, seconds are converted from its nanoseconds; None where it does not say.
    """

    text: str
    done: str | None = None
    prompt_tokens: int | None = None
    answer_tokens: int | None = None
    load_s: float | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """What `check` found, without raising: `state` chooses the sentence.

    `unreachable`, `missing`, `unfit`, `remote`, `loading` (installed, not in memory yet) or `ready`; `vram_share` is the
    part of the model that sits on the GPU (0 to 1), None where the server does not say.
    """

    state: Literal["unreachable", "missing", "unfit", "remote", "loading", "ready"]
    model: str
    address: str
    detail: str = ""
    version: str | None = None
    context_length: int | None = None
    capabilities: frozenset[str] = frozenset()
    vram_share: float | None = None


class Sized(Protocol):
    """What a prompt is fitted to: tokens of the whole window, tokens an answer may take, and a counter."""

    name: str
    window: int
    answer_tokens: int

    def count(self, text: str) -> int:
        """Upper bound of the tokens of `text`: the model's tokenizer where we have it, else a calibrated bound."""


class ChatModel(Sized, Protocol):
    """A model that writes. Every implementation is also a LlamaIndex `LLM`."""

    def stream(self, prompt: Sequence[Turn]) -> AsyncGenerator[Piece]:
        """Write an answer, piece by piece. Closing it, or cancelling the task, closes the request.

        Same options on every call. Raises the `ModelError` family; never returns a silently cut prompt.
        """

    async def check(self) -> Health:
        """Ask the server what it knows of this model. Never raises a `ModelError`."""

    async def warm(self) -> None:
        """Load the model with the options of every call, within the load deadline. Raises the `ModelError` family."""

    async def close(self) -> None:
        """Release sockets and processes."""


class Embedder(Protocol):
    """A model that turns text into vectors. Every implementation is also a LlamaIndex `BaseEmbedding`."""

    name: str
    window: int

    async def fingerprint(self, *, anew: bool = False) -> Fingerprint:
        """Ask the server once for digest and dimension, then remember; `anew` sees whether the digest is still the same.

        Raises the `ModelError` family.
        """

    async def query(self, text: str) -> NDArray[np.float32]:
        """Vector of a question, shape (dimension,), length 1. Raises the `ModelError` family."""

    async def passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of passages, shape (n, dimension), length 1 each, in batches. Raises the `ModelError` family."""

    def count(self, text: str) -> int:
        """Upper bound of the tokens of `text`."""

    async def check(self) -> Health:
        """Ask the server what it knows of this model. Never raises a `ModelError`."""

    async def close(self) -> None:
        """Release sockets and processes."""
