"""Vectors of a real model, kept by the hash of their text under `.cache/`: the benches embed a text once in its life."""

from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

CACHE = Path(__file__).parents[2] / ".cache" / "vectors.db"


class KeptVectors:
    """A table of text hash and vector. `missing` texts are embedded in small steps, each kept at once: a killed bench resumes."""

    def __init__(self, path: Path = CACHE) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(path, timeout=60)
        self._database.execute("CREATE TABLE IF NOT EXISTS vectors (hash BLOB PRIMARY KEY, vector BLOB) WITHOUT ROWID")

    def of(
        self, kind: str, texts: Sequence[str], embed: Callable[[list[str]], Sequence[Sequence[float]]], step: int = 8
    ) -> NDArray[np.float32]:
        """Vectors, shape (len(texts), dimension). `kind` tells apart models, and questions from passages."""
        keys = [hashlib.blake2b(f"{kind}\0{text}".encode(), digest_size=16).digest() for text in texts]
        missing = {key: text for key, text in zip(keys, texts, strict=True) if self._get(key) is None}
        order = list(missing)
        for start in range(0, len(order), step):
            part = order[start : start + step]
            made = embed([missing[key] for key in part])
            rows = [(key, np.asarray(vector, np.float32).tobytes()) for key, vector in zip(part, made, strict=True)]
            with self._database:
                self._database.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", rows)
        return np.stack([self._kept(key) for key in keys])

    def _get(self, key: bytes) -> bytes | None:
        row = self._database.execute("SELECT vector FROM vectors WHERE hash = ?", (key,)).fetchone()
        return bytes(row[0]) if row else None

    def _kept(self, key: bytes) -> NDArray[np.float32]:
        found = self._get(key)
        assert found is not None
        return np.frombuffer(found, np.float32)
