"""A folder of documents, a real database and a real vector process, opened as a library with free parts around them."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from bot.database.database import Database
from knowledge.config import CollectionConfig, EmbeddingConfig, KnowledgeConfig
from knowledge.library import Library
from tests.rigs.embedder import HashedEmbedder
from tests.rigs.reader import ParagraphReader

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from knowledge.library import Retrieved


class Shelf:
    """State and documents under one folder. `documents` is the folder of the collection `home`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.documents = root / "documents"
        self.documents.mkdir(exist_ok=True)
        self.embedder = HashedEmbedder()
        self.former: dict[str, HashedEmbedder] = {}
        self.reader = ParagraphReader()
        self.readers: Mapping[str, frozenset[str]] = {"home": frozenset({"everyone"})}
        self.folders: dict[str, Path] = {"home": self.documents}

    def write(self, name: str, text: str) -> Path:
        path = self.documents / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    @property
    def config(self) -> KnowledgeConfig:
        collections = [CollectionConfig(name=name, folder=folder) for name, folder in self.folders.items()]
        return KnowledgeConfig(collections=collections, embedding=EmbeddingConfig(name=self.embedder.name))

    def embedder_of(self, config: EmbeddingConfig) -> HashedEmbedder:
        return self.former.get(config.name) or HashedEmbedder(config.name, dimension=1)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Library]:
        database = await Database.open(self.root / "grillon.db")
        library = await self.library(database)
        try:
            yield library
        finally:
            await library.close()
            await database.close()

    async def library(self, database: Database) -> Library:
        return await Library.open(
            self.config,
            database,
            self.root / "index",
            readers=self.readers,
            embedder=self.embedder,
            reader=self.reader,
            make_embedder=self.embedder_of,
        )


async def found(library: Library, question: str, *audience: str, k: int = 20) -> set[str]:
    """The documents whose passages contain the question's words, whatever the threshold says of them."""
    result = await asked(library, question, *audience, k=k)
    return {passage.document for passage in (*result.passages, *result.nearest) if question in passage.text}


async def asked(library: Library, question: str, *audience: str, k: int = 20) -> Retrieved:
    return await library.retrieve(question, library.scope(frozenset(audience or {"everyone"})), k=k)
