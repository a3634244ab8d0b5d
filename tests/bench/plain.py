"""What one would write with LlamaIndex alone: its query engine over given passages, and its pipeline into Chroma."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import chromadb
from chromadb.config import Settings
from llama_index.core import SimpleDirectoryReader
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.response_synthesizers import ResponseMode, get_response_synthesizer
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode
from llama_index.core.utils import globals_helper
from llama_index.embeddings.ollama import OllamaEmbedding
from llama_index.llms.ollama import Ollama
from llama_index.vector_stores.chroma import ChromaVectorStore
from nltk.tokenize import PunktSentenceTokenizer  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_WITHIN = 0.05
_DOCUMENTS = 500
"""Chroma takes no more than 5,461 vectors at once, and the pipeline hands on all that it is given."""

# What LlamaIndex makes of itself on first use, but for its list of stop words, which nltk refuses to read where an installer made
# its files hard links. The splitter does not need it.
globals_helper._punkt_tokenizer = PunktSentenceTokenizer()


class _Given(BaseRetriever):
    """Finds the same passages whatever is asked, at no cost."""

    def __init__(self, texts: Sequence[str]) -> None:
        super().__init__()
        self._nodes = [NodeWithScore(node=TextNode(text=text), score=0.9) for text in texts]

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:  # noqa: ARG002 -- the base class names it
        return self._nodes

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:  # noqa: ARG002 -- the base class names it
        return self._nodes


async def engine_rate(address: str, passages: Sequence[str], clients: int, seconds: float) -> float:
    """Streamed answers a second of `RetrieverQueryEngine` with `Ollama` and `SimpleSummarize`."""
    llm = Ollama(model="smollm2:135m", base_url=address, context_window=4096, request_timeout=120, keep_alive=-1)
    synthesizer = get_response_synthesizer(llm=llm, response_mode=ResponseMode.SIMPLE_SUMMARIZE, streaming=True, use_async=True)
    engine = RetrieverQueryEngine(_Given(passages), synthesizer)
    handled, started = 0, time.perf_counter()

    async def client() -> None:
        nonlocal handled
        while time.perf_counter() < started + seconds:
            response: Any = await engine.aquery("What do the documents say of it?")
            async for _ in response.async_response_gen():
                pass
            handled += 1

    await asyncio.gather(*(client() for _ in range(clients)))
    return handled / (time.perf_counter() - started)


def index_seconds(address: str, corpus: Path, folder: Path, chunks: int) -> tuple[float, int]:
    """Seconds from files to searchable vectors, and how many chunks; as many as asked for, but for 5 %."""
    size = _chunk_size(corpus, chunks)
    started = time.perf_counter()
    client = chromadb.PersistentClient(str(folder), settings=Settings(anonymized_telemetry=False))
    collection = client.create_collection("plain", configuration={"hnsw": {"space": "cosine"}})
    embedder = OllamaEmbedding(model_name="all-minilm", base_url=address, embed_batch_size=64)
    pipeline = IngestionPipeline(
        transformations=[SentenceSplitter(chunk_size=size, chunk_overlap=0), embedder],
        vector_store=ChromaVectorStore(chroma_collection=collection),
    )
    documents = SimpleDirectoryReader(str(corpus)).load_data()
    for first in range(0, len(documents), _DOCUMENTS):
        pipeline.run(documents=documents[first : first + _DOCUMENTS])
    return time.perf_counter() - started, collection.count()


def _chunk_size(corpus: Path, chunks: int) -> int:
    """The chunk size at which the splitter makes as many chunks of the corpus: found by halving, on a sample of it."""
    files = sorted(corpus.iterdir())
    sample = SimpleDirectoryReader(input_files=files[:: max(1, len(files) // 40)]).load_data()
    wanted = chunks * len(sample) / len(files)
    low, high = 64, 4096
    while low < high:
        middle = (low + high) // 2
        made = len(SentenceSplitter(chunk_size=middle, chunk_overlap=0).get_nodes_from_documents(sample))
        if abs(made - wanted) <= _WITHIN / 2 * wanted:
            return middle
        low, high = (middle + 1, high) if made > wanted else (low, middle)
    return low
