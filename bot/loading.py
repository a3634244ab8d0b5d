"""What is loaded behind, once messages can be received: LlamaIndex, the library, the models. Imported in a thread."""

from __future__ import annotations

import gc
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bot.chosen import chosen_model
from bot.settings.fields import Settings
from knowledge.choose import chat_model, embedder
from knowledge.config import KnowledgeConfig
from knowledge.engine import CitingQueryEngine
from knowledge.library import Library
from knowledge.models import ChatModel, Embedder
from knowledge.types import Sql


@dataclass(slots=True)
class Loaded:
    """The library, the models, and the engine over both. `left` are the chat models that answered before the present one."""

    library: Library
    model: ChatModel
    embedder: Embedder
    engine: CitingQueryEngine
    left: list[ChatModel] = field(default_factory=list)

    def use(self, model: ChatModel) -> None:
        """Let another chat model answer from the next question on. What the former one still writes, it ends."""
        self.left.append(self.model)
        self.model, self.engine = model, CitingQueryEngine(self.library, model)

    def count(self, text: str) -> int:
        """Tokens of a text for the chat model, at most."""
        return self.model.count(text)

    async def close(self) -> None:
        """Release children and sockets."""
        await self.library.close()
        for model in (*self.left, self.model):
            await model.close()
        await self.embedder.close()


async def load(settings: Settings, sql: Sql, folder: Path, readers: Mapping[str, frozenset[str]]) -> Loaded:
    """Open the library and the models. An absent model is no error: it is asked for when a question comes."""
    config = knowledge_config(settings)
    chosen = await chosen_model(settings.model, sql)
    vectors = embedder(config.embedding)
    try:
        library = await Library.open(config, sql, folder, readers=readers, embedder=vectors)
    except Exception:
        await vectors.close()
        raise
    model = chat_model(chosen)
    # What was loaded stays for good: the collector need not walk over it again and again, 50 ms at a time.
    gc.collect()
    gc.freeze()
    return Loaded(library, model, vectors, CitingQueryEngine(library, model))


def knowledge_config(settings: Settings) -> KnowledgeConfig:
    """The part of the settings that knowledge is told."""
    return KnowledgeConfig(
        collections=settings.collections,
        model=settings.model,
        embedding=settings.embedding,
        retrieval=settings.retrieval,
        reading=settings.reading,
    )
