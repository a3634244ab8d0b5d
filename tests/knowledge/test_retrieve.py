"""What a question gets: LlamaIndex nodes, no more than asked for, no copies in a row, and a refusal when nothing is related."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

import pytest
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.schema import QueryBundle

from knowledge import retrieve
from knowledge.config import RetrievalConfig
from knowledge.engine import Question
from knowledge.errors import PromptTooLongError
from knowledge.scope import Scope, narrowed
from tests.rigs.embedder import HashedEmbedder
from tests.rigs.shelf import Shelf, asked

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

TOPICS = {
    "boiler.md": "La pression de la chaudière se lit sur le manomètre.\n\nLa chaudière se règle avec la molette rouge.",
    "bins.md": "Les poubelles jaunes passent le mardi matin.",
    "wifi.md": "Le mot de passe du réseau est collé sous la box.",
    "pool.md": "Le chlore de la piscine se vérifie chaque dimanche.",
}


async def test_a_question_gets_what_is_related_and_nothing_else(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    for name, text in TOPICS.items():
        shelf.write(name, text)
    async with shelf.opened() as library:
        await library.reindex("home")
        everyone = library.scope(frozenset({"everyone"}))

        answer = await library.retrieve("Où se lit la pression de la chaudière ?", everyone)
        first = answer.passages[0]
        assert (first.document, first.collection, first.title) == ("boiler.md", "home", "boiler")
        assert 0 < first.score <= 1
        assert first.similarity is not None
        assert answer.timings.keys() == {"embed", "search", "choose"}
        assert answer.vectors

        refused = await library.retrieve("Quelle est la capitale du Pérou ?", everyone)
        assert refused.passages == ()
        assert len(refused.nearest) == 3

        assert len((await library.retrieve("chaudière piscine poubelles réseau", everyone, k=2)).passages) <= 2
        for question in ("", "?", "le la les", "\0", "x" * 5000):
            await library.retrieve(question, everyone)
        nobody = await library.retrieve("chaudière", Scope(frozenset()))
        assert (nobody.passages, nobody.nearest) == ((), ())

        retriever = library.retriever
        assert isinstance(retriever, BaseRetriever)
        nodes = await retriever.aretrieve(Question("pression de la chaudière", scope=everyone))
        assert nodes[0].node_id == str(first.chunk_id)
        assert nodes[0].node.metadata["document"] == "boiler.md"
        with pytest.raises(TypeError, match="scope"):
            await retriever.aretrieve(QueryBundle("chaudière"))

        many = await asyncio.gather(*(asked(library, text.split()[1]) for text in TOPICS.values() for _ in range(5)))
        assert all(answer.vectors for answer in many)


async def test_a_question_over_the_window_of_the_embedder_is_answered(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    shelf = Shelf(tmp_path)
    for name, text in TOPICS.items():
        shelf.write(name, text)
    letter = "Cher client, nous vous remercions de votre fidélité et vous souhaitons une bonne année. " * 30
    async with shelf.opened() as library:
        await library.reindex("home")
        for question in (
            f"Où se lit la pression de la chaudière ? {letter}",
            f"{letter}\nOù se lit la pression de la chaudière ?",
        ):
            answer = await asked(library, question)
            assert answer.vectors
            assert answer.passages[0].document == "boiler.md"
        assert (await asked(library, letter)).passages == ()
        assert "full text alone" not in caplog.text

        shelf.embedder.error = PromptTooLongError("over the window, whatever was counted")
        assert not (await asked(library, letter)).vectors
        assert "does not fit into the window" in caplog.text
        assert "cannot be asked" not in caplog.text


class Translating(HashedEmbedder):
    """Knows one word in two languages, so that vectors find what full text cannot."""

    def vector(self, text: str) -> NDArray[np.float32]:
        return super().vector(text.replace("heater", "chaudière"))


@pytest.mark.parametrize("deeper", [1000, 40])
async def test_a_collection_is_searched_though_others_that_share_its_space_are_nearer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deeper: int
) -> None:
    monkeypatch.setattr(retrieve, "_DEEPER", deeper)
    shelf = Shelf(tmp_path)
    shelf.embedder = Translating()
    shelf.folders = {name: tmp_path / name for name in ("home", "archive", "diary")}
    shelf.readers = {"home": frozenset({"everyone"}), "archive": frozenset({"everyone"}), "diary": frozenset({"owner"})}
    for folder in shelf.folders.values():
        folder.mkdir()
    (shelf.folders["archive"] / "old.md").write_text("\n\n".join(f"heater heater no{n}" for n in range(30)))
    (shelf.folders["home"] / "new.md").write_text("The heater of this house is serviced in May.")
    (shelf.folders["home"] / "other.md").write_text("\n\n".join(f"page {n}" for n in range(50)))
    async with shelf.opened() as library:
        for name in shelf.folders:
            await library.reindex(name)
        await library.settled()
        asked_for: list[Sequence[str]] = []
        query = library._store.query

        async def counted(spaces: Sequence[str], *rest: Any) -> Any:
            asked_for.append(spaces)
            return await query(spaces, *rest)

        monkeypatch.setattr(library._store, "query", counted)
        config = RetrievalConfig(candidates=20)
        monkeypatch.setattr(library._retriever, "_config", config)

        whole = library.scope(frozenset({"everyone"}))
        everything = await library.retrieve("chaudière", whole)
        assert {passage.document for passage in everything.nearest} == {"old.md"}
        assert len(asked_for) == 1
        answer = await library.retrieve("chaudière", narrowed(whole, ["home"]))
        assert answer.nearest[0].document == "new.md"
        assert {passage.collection for passage in answer.nearest} == {"home"}
        assert len(asked_for) == 3
        await library.retrieve("chaudière", narrowed(whole, ["archive"]))
        assert len(asked_for) == 4, "its own have the first places: once is enough"


async def test_copies_and_neighbours_do_not_fill_the_passages(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    for number in range(6):
        shelf.write(f"{number}/copy.md", "La pression de la chaudière se lit sur le manomètre rouge.")
    shelf.write("other.md", "Une pression trop basse arrête la chaudière : ouvrir le robinet de remplissage.")
    async with shelf.opened() as library:
        await library.reindex("home")
        answer = await asked(library, "pression de la chaudière", k=4)
        assert "other.md" in {passage.document for passage in answer.passages}


class Unlettered(HashedEmbedder):
    """Knows words, and no number or code: as the models do, more or less."""

    def vector(self, text: str) -> NDArray[np.float32]:
        return super().vector(re.sub(r"[\w-]*\d[\w-]*", "", text))


@pytest.mark.parametrize("question", ["À quoi correspond le code XQ1-4431 ?", "XQ1-4431", "What is XQ1-4431 about?"])
async def test_what_has_the_number_or_code_of_a_question_comes_first(tmp_path: Path, question: str) -> None:
    shelf = Shelf(tmp_path)
    shelf.embedder = Unlettered()
    for number in range(40):
        shelf.write(f"{number}.md", f"Le code {number} correspond à la pièce {number}, about what is {number}.")
    shelf.write("meter.md", "Le compteur du garage porte la référence XQ1-4431 sur une plaque rivetée.")
    async with shelf.opened() as library:
        await library.reindex("home")
        assert (await asked(library, question)).passages[0].document == "meter.md"
        other = await asked(library, question.replace("4431", "4432"))
        assert "meter.md" not in {passage.document for passage in other.passages}


async def test_a_score_tells_nothing_of_what_others_have_written(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    letters = tmp_path / "letters"
    letters.mkdir()
    shelf.folders = {"home": shelf.documents, "letters": letters}
    shelf.readers = {"home": frozenset({"everyone"}), "letters": frozenset({"person:1"})}
    for number in range(30):
        shelf.write(f"{number}.md", f"note {number} about the garden and the garage number {number}")
    shelf.write("boiler.md", "The boiler pressure is read on the gauge")
    async with shelf.opened() as library:
        await library.reindex("home")
        for number in range(6):
            (letters / f"{number}.md").write_text(f"Letter {number}: the chemotherapy begins on Monday")
        await library.reindex("letters")

        async def score(question: str) -> float:
            answer = await asked(library, question, "everyone", "person:2")
            return next(one.score for one in (*answer.passages, *answer.nearest) if one.document == "boiler.md")

        assert await score("boiler gauge chemotherapy") == await score("boiler gauge pregnancytest")
