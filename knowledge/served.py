"""An embedding model that a server holds: texts go there in calls small enough for their answers to be read at once."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

import numpy as np
from pydantic import PrivateAttr

from knowledge.config import EmbeddingConfig
from knowledge.errors import ModelBrokenError
from knowledge.llamaindex import ArrayEmbedding
from knowledge.models import Fingerprint
from knowledge.tokens import bound
from knowledge.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_FLOATS_A_CALL = 65_536
"""Numbers in one answer, which is read on the event loop."""


class ServedEmbedding(ArrayEmbedding):
    """What the embedders of all servers share; how one is asked is for its dialect to say."""

    _config: EmbeddingConfig = PrivateAttr()
    _wire: Wire = PrivateAttr()
    _fingerprint: Fingerprint | None = PrivateAttr(default=None)

    def __init__(self, config: EmbeddingConfig, wire: Wire) -> None:
        super().__init__(name=config.name, window=config.window, model_name=config.name, embed_batch_size=config.batch)
        self._config = config
        self._wire = wire

    async def fingerprint(self, *, anew: bool = False) -> Fingerprint:
        """Digest from the server, dimension from a vector. Raises the `ModelError` family."""
        if anew and self._fingerprint is not None and await self._digest() != self._fingerprint.digest:
            self._fingerprint = None
        if self._fingerprint is None:
            digest = await self._digest()
            dimension = (await self._embed(["a"])).shape[1]
            prefixes = (self._config.query_prefix, self._config.passage_prefix)
            self._fingerprint = Fingerprint(self.name, digest, dimension, prefixes)
        return self._fingerprint

    async def query(self, text: str) -> NDArray[np.float32]:
        """Vector of a question: `knowledge.models.Embedder`."""
        await self.fingerprint()
        vector: NDArray[np.float32] = (await self._like_before([self._config.query_prefix + text]))[0]
        return vector

    async def passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of passages, one call at a time; each answer is small enough to be read within milliseconds."""
        dimension = (await self.fingerprint()).dimension
        size = max(1, min(self._config.batch, _FLOATS_A_CALL // dimension))
        prefixed = [self._config.passage_prefix + text for text in texts]
        rows = [await self._like_before(prefixed[start : start + size]) for start in range(0, len(prefixed), size)]
        return np.concatenate(rows) if rows else np.empty((0, dimension), np.float32)

    def count(self, text: str) -> int:
        """Upper bound of the tokens of `text`: no server has a route that counts."""
        return bound(text)

    async def close(self) -> None:
        """Close the connections."""
        await self._wire.close()

    async def _like_before(self, texts: list[str]) -> NDArray[np.float32]:
        """Vectors of one call. Raises `ModelBrokenError` where another model has taken the place of the one that was asked."""
        rows = await self._embed(texts)
        if self._fingerprint is not None and rows.shape[1] != self._fingerprint.dimension:
            problem = f"vectors of {rows.shape[1]} numbers instead of {self._fingerprint.dimension}: it is another model"
            self._fingerprint = None
            raise ModelBrokenError(problem, model=self.name, address=self._wire.address)
        return rows

    @abstractmethod
    async def _digest(self) -> str:
        """What stands for the model's weights. Raises the `ModelError` family."""

    @abstractmethod
    async def _embed(self, texts: list[str]) -> NDArray[np.float32]:
        """Unit vectors of one call, shape (len(texts), dimension). Raises the `ModelError` family."""
