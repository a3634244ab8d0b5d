"""A free embedder: hashed words, deterministic, with a model's manners (fingerprint, failures on demand, a count of its work)."""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING

import numpy as np

from knowledge.errors import PromptTooLongError
from knowledge.models import Fingerprint, Health

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from knowledge.errors import ModelError

_WORD = re.compile(r"\w+")


class HashedEmbedder:
    """Each word adds one to the dimension its hash names, less a word everybody has; texts that share words are close.

    A question over the window is refused. `fail_on` maps a piece of text to the error it causes; `error` fails every call.
    `embedded` counts the passages.
    """

    def __init__(self, name: str = "hashed", dimension: int = 256, window: int = 512) -> None:
        self.name = name
        self.window = window
        self.dimension = dimension
        self.digest = "1"
        self.error: ModelError | None = None
        self.fail_on: dict[str, ModelError] = {}
        self.embedded = 0
        self.calls = 0

    async def fingerprint(self, *, anew: bool = False) -> Fingerprint:  # noqa: ARG002 -- it remembers nothing
        if self.error is not None:
            raise self.error
        return Fingerprint(self.name, self.digest, self.dimension, ("", ""))

    async def query(self, text: str) -> NDArray[np.float32]:
        if self.error is not None:
            raise self.error
        if self.count(text) > self.window:
            raise PromptTooLongError("over the window")
        return self.vector(text)

    async def passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.calls += 1
        if self.error is not None:
            raise self.error
        for text in texts:
            for part, error in self.fail_on.items():
                if part in text:
                    raise error
        self.embedded += len(texts)
        return np.stack([self.vector(text) for text in texts])

    def vector(self, text: str) -> NDArray[np.float32]:
        words = _WORD.findall(text.lower()) or [""]
        hashes = [zlib.crc32((self.name + word).encode()) % self.dimension for word in words]
        counts = np.bincount(hashes, minlength=self.dimension).astype(np.float32)
        return counts / np.float32(np.linalg.norm(counts))

    def count(self, text: str) -> int:
        return len(text) // 3 + 1

    async def check(self) -> Health:
        return Health("ready" if self.error is None else "unreachable", self.name, "")

    async def close(self) -> None:
        return
