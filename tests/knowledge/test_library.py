"""Who finds what, and how the spaces follow readers, settings and models."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from knowledge.errors import ModelUnreachableError, UnknownCollectionError
from knowledge.scope import narrowed
from knowledge.tables import spaces
from tests.rigs.embedder import HashedEmbedder
from tests.rigs.shelf import Shelf, asked, found

if TYPE_CHECKING:
    from pathlib import Path

    from knowledge.library import Library


async def names(library: Library) -> set[str]:
    """The spaces that SQL knows, each of which Chroma has too."""
    known = await library._sql.read(lambda connection: set(connection.execute(select(spaces.c.name)).scalars()))
    assert {name for name, count in (await library._store.counted()).items() if count} <= known
    return known


def two_people(tmp_path: Path) -> Shelf:
    shelf = Shelf(tmp_path)
    for name in ("ours", "also", "mine"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.md").write_text(f"commun {name}")
        shelf.folders[name] = tmp_path / name
    del shelf.folders["home"]
    shelf.readers = {"ours": frozenset({"everyone"}), "also": frozenset({"everyone"}), "mine": frozenset({"person:1"})}
    return shelf


async def test_a_text_whose_vector_is_known_is_indexed_though_the_vectors_have_just_died(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.write("a.md", "mot seul")
    async with shelf.opened() as library:
        await library.reindex("home")
        shelf.write("a.md", "mot seul\n\nmot seul")
        assert library._store.pid is not None
        os.kill(library._store.pid, signal.SIGKILL)
        report = await library.reindex("home")
        assert (report.changed, report.skipped) == (1, ())
        assert await found(library, "mot") == {"a.md"}


async def fill(library: Library, *collections: str) -> None:
    for name in collections:
        await library.reindex(name)


async def test_everybody_finds_what_they_may_read_and_spaces_follow_the_readers(tmp_path: Path) -> None:
    shelf = two_people(tmp_path)
    async with shelf.opened() as library:
        await fill(library, "ours", "also", "mine")
        assert await found(library, "commun") == {"ours.md", "also.md"}
        assert await found(library, "commun", "everyone", "person:1") == {"ours.md", "also.md", "mine.md"}
        assert await found(library, "commun", "person:2") == set()
        scope = narrowed(library.scope(frozenset({"everyone"})), ["also"])
        assert {passage.document for passage in (await library.retrieve("commun", scope)).nearest} == {"also.md"}
        assert len(await names(library)) == 2, "collections with the same readers share a space"
        mine = (await asked(library, "mine", "person:1")).nearest[0].document_id
        hers, everyones = library.scope(frozenset({"person:1"})), library.scope(frozenset({"everyone"}))
        read = library._sql.read
        assert await read(lambda sql: library.may_read_all(sql, frozenset({mine, 999}), hers)) == {mine}
        assert await read(lambda sql: library.may_read_all(sql, frozenset({mine}), everyones)) == frozenset()
        with pytest.raises(UnknownCollectionError):
            await library.reindex("theirs")

    shelf.readers = {**shelf.readers, "also": frozenset({"person:1"})}
    shelf.embedder.embedded = 0
    async with shelf.opened() as library:
        assert await found(library, "commun") == {"ours.md"}, "a right that was taken away is gone at once"
        await library.settled()
        assert await found(library, "commun", "person:1") == {"also.md", "mine.md"}
        assert shelf.embedder.embedded <= 48, "the vectors moved; only neutral sentences were embedded"
        assert await library.check() == []

    del shelf.folders["mine"], shelf.folders["also"]
    async with shelf.opened() as library:
        assert await found(library, "commun", "everyone", "person:1") == {"ours.md"}
        await library.settled()
        assert len(await names(library)) == 1
        assert [status.name for status in await library.status()] == ["ours"]
        assert await library.check() == []


@pytest.mark.parametrize("dimension", [256, 128])
async def test_a_model_exchanged_under_the_same_name_while_it_runs_makes_all_vectors_anew(tmp_path: Path, dimension: int) -> None:
    shelf = Shelf(tmp_path)
    shelf.write("a.md", "premier mot")
    async with shelf.opened() as library:
        await library.reindex("home")
        await library.settled()
        before, pid = await names(library), library._store.pid
        shelf.embedder.digest, shelf.embedder.dimension = "2", dimension
        if dimension == 256:
            shelf.write("b.md", "second mot")
            await library.reindex("home")
        else:
            assert await found(library, "mot") == {"a.md"}
            await library.look_at_embedder()
        await library.settled()
        (after,) = await names(library)
        assert after not in before
        assert (await library._store.counted())[after] == len(list(shelf.documents.iterdir()))
        assert await library.check() == []
        assert (await asked(library, "mot")).vectors
        assert library._store.pid == pid


async def test_another_model_fills_a_space_beside_and_takes_over(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    for number in range(5):
        shelf.write(f"{number}.md", f"mot{number} seul")
    async with shelf.opened() as library:
        await library.reindex("home")
        before = await names(library)
    old, shelf.embedder = shelf.embedder, HashedEmbedder("second", 64)
    shelf.former = {old.name: old}
    gate = asyncio.Event()
    held = shelf.embedder.passages

    async def slowly(texts: list[str]) -> object:
        await gate.wait()
        return await held(texts)

    shelf.embedder.passages = slowly  # type: ignore[method-assign, assignment]
    async with shelf.opened() as library:
        answer = await asked(library, "mot3")
        assert answer.vectors, "the old model answers while the new space fills"
        assert answer.nearest[0].document == "3.md"
        async with asyncio.timeout(5):  # which may count them only after the first answer
            while (await library.status())[0].pending != 5:
                await asyncio.sleep(0.01)
        gate.set()
        await library.settled()
        assert (await asked(library, "mot3")).nearest[0].document == "3.md"
        after = await names(library)
        assert len(after) == 1
        assert not after & before
        assert (await library.status())[0].pending == 0
        shelf.embedder.error = None
        shelf.write("9.md", "mot9 seul")
        assert (await library.reindex("home")).embedded == 1
        assert await library.check() == []


async def test_without_a_model_full_text_answers_and_vectors_follow_when_it_is_back(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.write("a.md", "mot1 seul")
    async with shelf.opened() as library:
        await library.reindex("home")
    shelf.embedder.error = ModelUnreachableError("nobody there")
    async with shelf.opened() as library:
        answer = await asked(library, "mot1")
        assert (answer.vectors, [passage.document for passage in answer.passages]) == (False, ["a.md"])
        shelf.write("b.md", "mot2 seul")
        (shelf.documents / "a.md").unlink()
        report = await library.reindex("home")
        assert (report.removed, [path for path, _ in report.skipped]) == (1, ["b.md"])
        assert await found(library, "mot1") == set()
        shelf.embedder.error = None
        assert (await library.reindex("home")).added == 1
        assert (await asked(library, "mot2")).vectors


async def test_lost_and_foreign_vectors_are_found_and_mended(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    for number in range(5):
        shelf.write(f"{number}.md", f"mot{number} seul")
    async with shelf.opened() as library:
        await library.reindex("home")
        (space,) = await names(library)
        ids = [id_ async for page in library._store.pages(space) for id_ in page]
        vectors = (await library._store.vectors(space, ids))[1]
        await library._store.delete(space, ids[:2])
        await library._store.add(space, [1000], vectors[:1])
        assert await library.check() == [f"{space}: 2 vectors are missing, 1 do not belong"]
        await library.settled()
        assert await library.check() == []
    (tmp_path / "index" / "chroma" / "chroma.sqlite3").write_bytes(b"garbage" * 1000)
    async with shelf.opened() as library:
        await library.settled()
        assert await library.check() == []
        assert (await asked(library, "mot3")).nearest[0].document == "3.md"
