"""The embedder of the settings, and those that made the vectors of older spaces, as long as they can still be asked."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING

from knowledge.config import EmbeddingConfig
from knowledge.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable

    from knowledge.models import Embedder, Fingerprint
    from knowledge.spaces import Space

_LOG = logging.getLogger(__name__)


class Embedders:
    """Embedders by fingerprint. `given` is the current one and stays the caller's; without it, it is made and closed here."""

    def __init__(self, given: Embedder | None, config: EmbeddingConfig, make: Callable[[EmbeddingConfig], Embedder]) -> None:
        self.current = given or make(config)
        self._own = given is None
        self.config = config
        self.fingerprint: Fingerprint | None = None
        self._make = make
        self._former: dict[str, Embedder] = {}

    @property
    def described(self) -> str:
        """The settings of the current embedder as JSON, without secrets: enough to make it again."""
        return self.config.model_dump_json(exclude={"api_key"})

    async def recognise(self) -> Fingerprint:
        """Ask the current embedder who it is. Raises the `ModelError` family."""
        self.fingerprint = await self.current.fingerprint()
        return self.fingerprint

    def of(self, space: Space) -> Embedder | None:
        """Who can embed a question for this space, None when nobody can now."""
        if self.fingerprint is not None and space.fingerprint == self.fingerprint.key:
            return self.current
        return self._former.get(space.fingerprint)

    async def recall(self, space: Space) -> None:
        """Find the embedder that made this space again, if it still answers and is still the same."""
        if self.of(space) is not None:
            return
        config = EmbeddingConfig.model_validate_json(space.embedding)
        if config.address == self.config.address:
            config = config.model_copy(update={"api_key": self.config.api_key})
        former = self._make(config)
        with contextlib.suppress(ModelError):
            if (await former.fingerprint()).key == space.fingerprint:
                self._former[space.fingerprint] = former
                return
        _LOG.info("the embedding model %s of an older index cannot be asked any more", config.name)
        await former.close()

    async def close(self) -> None:
        """Close those that were made here."""
        for former in self._former.values():
            await former.close()
        self._former.clear()
        if self._own:
            await self.current.close()
