"""`python -m tests.bench [PART …]`: measure, and print one table. Parts: answering, indexing, platforms, retrieval, size."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.table import Row, printed

PARTS = ("size", "indexing", "answering", "platforms", "retrieval")


def main() -> int:
    """Run the parts; exit code 1 when a target was missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all by default")
    parser.add_argument("--folder", type=Path, help="work here, and leave corpus and index for the next time")
    arguments = parser.parse_args()
    unknown = set(arguments.parts) - set(PARTS)
    if unknown:
        parser.error(f"no part {min(unknown)!r}")
    with tempfile.TemporaryDirectory() as name:
        folder = arguments.folder or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        rows = [row for part in arguments.parts or PARTS for row in _measured(part, folder)]
    print("\n" + printed(rows))
    return int(any(row.met is False for row in rows))


def _measured(part: str, folder: Path) -> list[Row]:
    print(f"{part} …", flush=True)
    started = time.perf_counter()
    rows: list[Row] = asyncio.run(importlib.import_module(f"tests.bench.{part}").measure(folder))
    print(f"{printed(rows)}\n{part}: {time.perf_counter() - started:.0f} s", flush=True)
    return rows


if __name__ == "__main__":
    sys.exit(main())
