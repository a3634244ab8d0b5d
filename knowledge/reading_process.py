"""The inside of the reading process: files in, chunks out, with bounded memory and without a network."""

from __future__ import annotations

import logging
import os
import resource
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from knowledge.child import Answer, die_with_parent, serve
from knowledge.chunks import Chunking, counter, fitted, split
from knowledge.readers import Limits, read_file
from knowledge.sealed import seal

_FRAME_CHARS = 128 * 1024


def main(descriptor: int, limits: Limits, chunking: Chunking, memory_mb: int) -> None:
    """Serve the parent until it closes the socket."""
    die_with_parent()
    _quieten()
    seal()
    counter(chunking.counter)
    _bound_memory(memory_mb)

    def read(_: dict[str, Any], path: bytes) -> Iterator[Answer]:
        reading = fitted(read_file(Path(os.fsdecode(path)), limits), chunking)
        chunks = split(reading, chunking)
        yield {"title": reading.title, "language": reading.language}, b""
        rows: list[Any] = []
        length = 0
        for chunk in chunks:
            rows.append([chunk.text, chunk.headings, chunk.page, chunk.tokens])
            length += len(chunk.text)
            # In pieces: the parent decodes each one on its event loop.
            if length >= _FRAME_CHARS:
                yield {"chunks": rows}, b""
                rows, length = [], 0
        yield {"chunks": rows}, b""

    serve(descriptor, {"read": read})


def _quieten() -> None:
    """What parsers log and warn of quotes the files they read, which has no place in the daemon's log."""
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")


def _bound_memory(memory_mb: int) -> None:
    """Bound the address space: what is mapped now (Python, a tokenizer), and `memory_mb` for files."""
    mapped = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    limit = mapped + memory_mb * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would hold the text of the document


if __name__ == "__main__":
    told = orjson.loads(sys.argv[2])
    main(int(sys.argv[1]), Limits(**told["limits"]), Chunking(**told["chunking"]), told["memory_mb"])
