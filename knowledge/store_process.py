"""The private process of the vectors: leave out what it never uses, then serve `knowledge.vectors`."""

from __future__ import annotations

import importlib.util
import sys
import types
from pathlib import Path

from knowledge.child import die_with_parent, serve

_HOLLOW = ("llama_index.core", "llama_index.core.indices", "llama_index.core.indices.query", "llama_index.core.vector_stores")


def _import_lean() -> None:
    """Let `ChromaVectorStore` be imported without the rest of LlamaIndex and Chroma's exporter of traces.

    The packages on its way import everything at their top: 50 MB and 2 s that a process of vectors never uses. Hollow packages
    (the path without the top) take their place in this process alone.
    """
    exporter = types.ModuleType("opentelemetry.exporter.otlp.proto.grpc.trace_exporter")
    exporter.OTLPSpanExporter = None  # type: ignore[attr-defined]
    sys.modules[exporter.__name__] = exporter
    sys.modules["httpx._main"] = None  # type: ignore[assignment]  # its command line, which it can do without
    for name in _HOLLOW:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.submodule_search_locations is None:
            raise ImportError(name)
        hollow = types.ModuleType(name)
        hollow.__path__ = list(spec.submodule_search_locations)
        hollow.__spec__ = spec
        sys.modules[name] = hollow


def main(descriptor: int, folder: Path) -> None:
    """Serve the parent until it closes the socket, in two threads: a question does not wait for a write to end."""
    die_with_parent()
    _import_lean()
    from knowledge.vectors import Vectors

    vectors = Vectors(folder)
    reading = (vectors.open, vectors.counted, vectors.query, vectors.vectors, vectors.held, vectors.page)
    writing = (vectors.add, vectors.delete, vectors.drop)
    serve(descriptor, {method.__name__: method for method in (*reading, *writing)}, threads=2)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
