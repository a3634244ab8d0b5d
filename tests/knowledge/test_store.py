"""The vectors in their child process: what it holds, what it survives."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import numpy as np
import pytest

from knowledge.errors import IndexUnavailableError
from knowledge.store import VectorStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from numpy.typing import NDArray


@asynccontextmanager
async def opened(folder: Path, lost: list[str] | None = None) -> AsyncIterator[VectorStore]:
    store = VectorStore(folder, lambda: (lost if lost is not None else []).append("lost"))
    try:
        await store.open()
        yield store
    finally:
        await store.close()


def some(count: int, seed: int = 0) -> NDArray[np.float32]:
    vectors = np.random.default_rng(seed).normal(size=(count, 16)).astype(np.float32)
    normed: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return normed


async def ask_until_ready(store: VectorStore, question: NDArray[np.float32]) -> list[int]:
    async with asyncio.timeout(30):
        while True:
            try:
                return (await store.query(["one"], question, 1))[0]
            except IndexUnavailableError:
                await asyncio.sleep(0.05)


async def test_vectors_are_kept_by_space_and_id_and_nothing_else_is(tmp_path: Path) -> None:
    vectors = some(450)
    async with opened(tmp_path) as store:
        await store.add("one", range(1, 451), vectors)
        ids, cosines, found = await store.query(["one", "absent"], vectors[7], 5)
        assert ids[0] == 8
        np.testing.assert_allclose(cosines, [vectors[i - 1] @ vectors[7] for i in ids], atol=1e-5)
        np.testing.assert_allclose(found, [vectors[i - 1] for i in ids], atol=1e-6)
        assert sorted([i async for page in store.pages("one") for i in page]) == list(range(1, 451))
        held, back = await store.vectors("one", [450, 3, 9999])
        assert sorted(held) == [3, 450]
        np.testing.assert_allclose(back, vectors[[i - 1 for i in held]], atol=1e-6)
        assert await store.held("one", [450, 3, 9999]) == {3, 450}

        far = int((vectors @ vectors[7]).argmin()) + 1
        ids, cosines, found = await store.query(["one"], vectors[7], 2, [8, far, 9999])
        assert (len(ids), ids[0], ids[2]) == (3, 8, far), "what is asked for besides follows the nearest"
        np.testing.assert_allclose(cosines, [vectors[i - 1] @ vectors[7] for i in ids], atol=1e-5)

        await store.add("two", [1004, 1005, 1006], vectors[:3])
        await store.add("three", [1007], vectors[:1])
        assert set((await store.query(["two"], vectors[0], 9))[0]) == {1004, 1005, 1006}
        await store.delete("two", [1005, 99])
        await store.drop("three")
    async with opened(tmp_path) as store:
        assert await store.counted() == {"one": 450, "two": 2}
        assert set((await store.query(["two", "three"], vectors[1], 9))[0]) == {1004, 1006}
    with sqlite3.connect(tmp_path / "chroma" / "chroma.sqlite3") as database:
        assert database.execute("SELECT count(*) FROM embedding_metadata").fetchone() == (0,)
        assert database.execute("SELECT count(*) FROM embeddings_queue WHERE metadata LIKE '%node%'").fetchone() == (0,)
    database.close()


async def test_a_child_that_dies_or_fails_is_said_and_comes_back_with_what_was_written(tmp_path: Path) -> None:
    vectors = some(3)
    async with opened(tmp_path) as store:
        await store.add("one", [1, 2, 3], vectors)
        assert store.pid is not None
        os.kill(store.pid, signal.SIGKILL)
        assert await ask_until_ready(store, vectors[1]) == [2]
        with pytest.raises(IndexUnavailableError):
            await store._call("page", {"space": "one"})
        assert await ask_until_ready(store, vectors[1]) == [2]


async def test_a_vector_of_another_dimension_is_refused_and_starts_nothing_again(tmp_path: Path) -> None:
    vectors = some(3)
    async with opened(tmp_path) as store:
        await store.add("one", [1, 2, 3], vectors)
        pid = store.pid
        with pytest.raises(IndexUnavailableError, match="dimension"):
            await store.query(["one"], vectors[1][:4], 1)
        assert (await store.query(["one"], vectors[1], 1))[0] == [2]
        assert store.pid == pid


async def test_a_folder_that_cannot_be_loaded_is_set_aside(tmp_path: Path) -> None:
    lost: list[str] = []
    async with opened(tmp_path) as store:
        await store.add("one", [1], some(1))
    (tmp_path / "chroma" / "chroma.sqlite3").write_bytes(b"garbage" * 1000)
    async with opened(tmp_path, lost) as store:
        assert lost == ["lost"]
        assert await store.counted() == {}
        await store.add("one", [1], some(1))
    assert (tmp_path / "chroma.broken" / "chroma.sqlite3").read_bytes().startswith(b"garbage")


async def test_a_second_process_is_kept_out(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.add("one", [1], some(1))
        with pytest.raises(IndexUnavailableError, match="another process"):
            async with opened(tmp_path):
                pass
        assert (await store.query(["one"], some(1)[0], 1))[0] == [1]


async def test_before_it_is_open_it_says_so(tmp_path: Path) -> None:
    store = VectorStore(tmp_path, lambda: None)
    with pytest.raises(IndexUnavailableError, match="starting"):
        await store.query(["one"], some(1)[0], 1)
