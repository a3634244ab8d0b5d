"""What a run does to documents, chunks and vectors, and what it leaves alone."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select

from knowledge import index as subject
from knowledge.errors import ModelBrokenError, ModelUnreachableError
from knowledge.tables import chunks, documents
from tests.rigs.shelf import Shelf, found

if TYPE_CHECKING:
    from pathlib import Path

    from knowledge.library import Library, Progress


def text(*words: str) -> str:
    return "\n\n".join(words)


async def counts(library: Library) -> tuple[int, int]:
    """Rows of documents and of chunks, dead ones too."""
    return await library._sql.read(
        lambda connection: (
            connection.execute(select(func.count()).select_from(documents)).scalar_one(),
            connection.execute(select(func.count()).select_from(chunks)).scalar_one(),
        )
    )


async def test_each_change_of_a_folder_costs_what_it_must(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.write("a.md", text("un", "deux"))
    shelf.write("b.md", text("trois"))
    async with shelf.opened() as library:
        report = await library.reindex("home")
        assert (report.added, report.embedded, report.skipped) == (2, 3, ())

        report = await library.reindex("home")
        assert (report.added, report.changed, report.unchanged, report.embedded) == (0, 0, 2, 0)
        assert sorted(shelf.reader.read_paths) == ["a.md", "b.md"], "an unchanged file costs a stat"

        os.utime(shelf.documents / "a.md", (1, 1))
        report = await library.reindex("home")
        assert (report.unchanged, report.changed) == (2, 0), "the same bytes at another time"
        assert len(shelf.reader.read_paths) == 2

        shelf.write("a.md", text("un", "quatre"))
        report = await library.reindex("home")
        assert (report.changed, report.unchanged, report.embedded) == (1, 1, 1), "a paragraph that stayed is not embedded again"
        assert await found(library, "deux") == set()
        assert await found(library, "quatre") == {"a.md"}

        (shelf.documents / "a.md").rename(shelf.documents / "c.md")
        report = await library.reindex("home")
        assert (report.added, report.removed, report.embedded) == (1, 1, 2), "the title is part of what is embedded"
        assert await found(library, "un") == {"c.md"}

        (shelf.documents / "sub").mkdir()
        (shelf.documents / "c.md").rename(shelf.documents / "sub" / "c.md")
        report = await library.reindex("home")
        assert (report.added, report.removed, report.embedded) == (1, 1, 0), "a file that moved costs no embedding"

        shelf.write("copy/c.md", text("un", "quatre"))
        report = await library.reindex("home")
        assert (report.added, report.embedded) == (1, 0)
        assert await found(library, "un") == {"sub/c.md", "copy/c.md"}, "the same text twice is two documents"

        (shelf.documents / "sub" / "c.md").unlink()
        assert (await library.reindex("home")).removed == 1
        assert await found(library, "un") == {"copy/c.md"}
        assert await counts(library) == (2, 3), "nothing dead stays"
        assert await library.check() == []


async def test_what_cannot_be_read_is_named_once_and_its_old_version_stays(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.write("a.md", "bon")
    shelf.write("b.md", "broken")
    shelf.write("empty.md", "\n\n")
    shelf.write("photo.jpg", "a picture")
    (tmp_path / "secret.md").write_text("secret")
    (shelf.documents / "link.md").symlink_to(tmp_path / "secret.md")
    async with shelf.opened() as library:
        report = await library.reindex("home")
        reasons = dict(report.skipped)
        assert reasons.keys() == {"b.md", "empty.md", "link.md"}
        assert (reasons["b.md"], report.other) == ("it is broken", 1)
        shelf.write("a.md", "broken now")
        assert "a.md" in dict((await library.reindex("home")).skipped)
        read = len(shelf.reader.read_paths)
        assert dict((await library.reindex("home")).skipped).keys() == {"a.md", "b.md", "empty.md", "link.md"}
        assert len(shelf.reader.read_paths) == read, "what cannot be read is not tried again before it changes"
        assert await found(library, "bon") == {"a.md"}
        shelf.write("a.md", "mieux")
        shelf.write("b.md", "aussi")
        assert dict((await library.reindex("home")).skipped).keys() == {"empty.md", "link.md"}
        assert await found(library, "mieux") == {"a.md"}
        assert await found(library, "aussi") == {"b.md"}
        assert await found(library, "secret") == set()


async def test_what_was_deleted_is_gone_under_the_name_of_a_link_too(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    path = shelf.write("b.md", "secret")
    report = shelf.write("2024-report.md", "chiffres")
    shelf.write("c.md", "reste")
    (shelf.documents / "a.md").symlink_to("b.md")
    (shelf.documents / "2024").symlink_to("elsewhere")
    async with shelf.opened() as library:
        await library.reindex("home")
        assert await found(library, "secret") == {"a.md", "b.md"}
        path.unlink()
        report.unlink()
        assert (await library.reindex("home", changed=[path])).removed == 3
        assert await found(library, "secret") == await found(library, "chiffres") == set()
        assert await found(library, "reste") == {"c.md"}


async def test_a_model_that_fails_costs_the_documents_it_fails_at(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    for number in range(8):
        shelf.write(f"{number}.md", f"ancien {number}")
    async with shelf.opened() as library:
        await library.reindex("home")
        for number in range(8):
            shelf.write(f"{number}.md", f"nouveau mot{number}")
        shelf.embedder.fail_on = {"mot3": ModelBrokenError("garbage"), "mot5": ModelBrokenError("garbage")}
        report = await library.reindex("home")
        assert {path for path, _ in report.skipped} == {"3.md", "5.md"}
        assert await found(library, "ancien") == {"3.md", "5.md"}

        shelf.embedder.fail_on = {}
        shelf.embedder.error = ModelUnreachableError("nobody there")
        calls = shelf.embedder.calls
        shelf.write("9.md", "ancien 9")
        report = await library.reindex("home")
        assert {path for path, _ in report.skipped} == {"3.md", "5.md", "9.md"}
        assert shelf.embedder.calls - calls <= 1, "a model that is not there is not asked for each document"

        shelf.embedder.error = None
        report = await library.reindex("home")
        assert (report.changed, report.added, report.skipped) == (2, 1, ())
        assert await found(library, "ancien") == {"9.md"}
        assert await library.check() == []


async def test_documents_the_model_fails_at_do_not_hold_up_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "_BATCH_DOCUMENTS", 4)
    monkeypatch.setattr(subject, "_READ_AHEAD", 1)
    shelf = Shelf(tmp_path)
    for number in range(20):
        shelf.write(f"{number:02}.md", f"mauvais {number}" if number < 8 else f"bon {number}")
    shelf.embedder.fail_on = {"mauvais": ModelBrokenError("NaN")}
    async with shelf.opened() as library:
        report = await library.reindex("home")
        assert (report.added, report.not_embedded) == (12, 8)

        await library.settled()
        for number in range(8, 20):
            shelf.write(f"{number:02}.md", f"mieux {number}")
        shelf.embedder.fail_on = {"": ModelBrokenError("out of memory")}
        calls = shelf.embedder.calls
        report = await library.reindex("home")
        assert (report.changed, report.not_embedded) == (0, 20)
        assert shelf.embedder.calls - calls <= 6, (
            "a batch or two, three documents alone, a plain word: then nothing more is asked"
        )


async def test_a_folder_that_is_gone_or_empty_keeps_its_index_until_pruned(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    path = shelf.write("a.md", "gardé")
    async with shelf.opened() as library:
        await library.reindex("home")
        shelf.documents.rename(tmp_path / "away")
        assert (await library.reindex("home")).missing_folder
        assert "is not there" in str((await library.status())[0].missing)
        assert (await library.reindex("home", changed=[path])).missing_folder
        shelf.documents.mkdir()
        assert (await library.reindex("home")).missing_folder
        assert await found(library, "gardé") == {"a.md"}
        shelf.documents.rmdir()
        (tmp_path / "away").rename(shelf.documents)
        report = await library.reindex("home")
        assert (report.unchanged, report.missing_folder) == (1, False)
        assert (await library.status())[0].missing is None
        path.unlink()
        assert (await library.reindex("home", prune=True)).removed == 1
        assert await found(library, "gardé") == set()
        assert await counts(library) == (0, 0)


async def test_a_long_document_is_written_in_slices_and_survives_the_death_of_the_vectors(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.write("long.md", text(*(f"paragraphe {number}" for number in range(450))))
    shelf.write("short.md", "court")
    seen: list[Progress] = []
    pauses = 0

    async def pause() -> None:
        nonlocal pauses
        pauses += 1

    async with shelf.opened() as library:

        def killing(progress: Progress) -> None:
            seen.append(progress)
            assert library._store.pid is not None
            with suppress(ProcessLookupError):  # the one killed for the first document may have no successor yet
                os.kill(library._store.pid, signal.SIGKILL)

        report = await library.reindex("home", pause=pause, progress=killing)
        assert (report.added, report.embedded) == (2, 451)
        assert sorted(progress.document for progress in seen) == ["long.md", "short.md"]
        assert [(progress.done, progress.total) for progress in seen] == [(1, 2), (2, 2)]
        assert pauses > 2
        await library._store.recovered()
        shelf.write("long.md", text(*(f"paragraphe {number}" for number in range(5))))
        report = await library.reindex("home")
        assert (report.changed, report.embedded) == (1, 0)
        assert await counts(library) == (2, 6)
        assert await library.check() == []
