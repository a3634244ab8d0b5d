"""What one would write with LlamaIndex alone: its pipeline into Chroma, and its query engine over what that holds."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import chromadb
from chromadb.config import Settings
from llama_index.core import SimpleDirectoryReader, VectorStoreIndex
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.response_synthesizers import ResponseMode, get_response_synthesizer
from llama_index.core.schema import TextNode
from llama_index.core.utils import globals_helper
from llama_index.embeddings.ollama import OllamaEmbedding
from llama_index.llms.ollama import Ollama
from llama_index.vector_stores.chroma import ChromaVectorStore
from nltk.tokenize import PunktSentenceTokenizer  # type: ignore[import-untyped]

from tests.bench.apart import serve

if TYPE_CHECKING:
    from collections.abc import Sequence

_WITHIN = 0.05
_DOCUMENTS = 500
"""Chroma takes no more than 5,461 vectors at once, and the pipeline hands on all that it is given."""
_PASSAGES = 5

# What LlamaIndex makes of itself on first use, but for its list of stop words, which nltk refuses to read where an installer made
# its files hard links. The splitter does not need it.
globals_helper._punkt_tokenizer = PunktSentenceTokenizer()


def index(address: str, corpus: str, folder: str, chunks: int) -> dict[str, float]:
    """Seconds from files to searchable vectors, and how many chunks: as many as asked for, but for 5 %."""
    size = _chunk_size(Path(corpus), chunks)
    started = time.perf_counter()
    store = _store(folder)
    splitter = SentenceSplitter(chunk_size=size, chunk_overlap=0)
    pipeline = IngestionPipeline(transformations=[splitter, _embedder(address)], vector_store=store)
    documents = SimpleDirectoryReader(corpus).load_data()
    for first in range(0, len(documents), _DOCUMENTS):
        pipeline.run(documents=documents[first : first + _DOCUMENTS])
    return {"seconds": time.perf_counter() - started, "chunks": store._collection.count()}


def hold(address: str, folder: str, texts: Sequence[str]) -> dict[str, float]:
    """Put given chunks into Chroma, so that the engine finds the passages that we find."""
    store, embedder = _store(folder), _embedder(address)
    for first in range(0, len(texts), _DOCUMENTS):
        part = texts[first : first + _DOCUMENTS]
        store.add(
            [
                TextNode(text=text, embedding=one)
                for text, one in zip(part, embedder.get_text_embedding_batch([*part]), strict=True)
            ]
        )
    return {"chunks": store._collection.count()}


def answer(address: str, folder: str, questions: Sequence[str], clients: int, seconds: float) -> dict[str, float]:
    """Streamed answers a second of `RetrieverQueryEngine` with `Ollama` and `SimpleSummarize`."""
    llm = Ollama(model="smollm2:135m", base_url=address, context_window=4096, request_timeout=120, keep_alive=-1)
    retriever = VectorStoreIndex.from_vector_store(_store(folder), _embedder(address)).as_retriever(similarity_top_k=_PASSAGES)
    synthesizer = get_response_synthesizer(llm=llm, response_mode=ResponseMode.SIMPLE_SUMMARIZE, streaming=True, use_async=True)
    engine = RetrieverQueryEngine(retriever, synthesizer)
    return {"rate": asyncio.run(_rate(engine, questions, clients, seconds))}


async def _rate(engine: RetrieverQueryEngine, questions: Sequence[str], clients: int, seconds: float) -> float:
    handled, started = 0, time.perf_counter()

    async def client(number: int) -> None:
        nonlocal handled
        while time.perf_counter() < started + seconds:
            number += 1
            response: Any = await engine.aquery(questions[number % len(questions)])
            assert len([piece async for piece in response.async_response_gen()]) > 1
            handled += 1

    await asyncio.gather(*(client(n) for n in range(clients)))
    return handled / (time.perf_counter() - started)


def _store(folder: str) -> ChromaVectorStore:
    client = chromadb.PersistentClient(folder, settings=Settings(anonymized_telemetry=False))
    collection = client.get_or_create_collection("plain", embedding_function=None, configuration={"hnsw": {"space": "cosine"}})
    return ChromaVectorStore(chroma_collection=collection)


def _embedder(address: str) -> OllamaEmbedding:
    return OllamaEmbedding(model_name="all-minilm", base_url=address, embed_batch_size=64)


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


def work(kind: str, **job: Any) -> dict[str, float]:
    """One measurement."""
    match kind:
        case "index":
            return index(**job)
        case "hold":
            return hold(**job)
        case _:
            return answer(**job)


if __name__ == "__main__":
    serve(work)
