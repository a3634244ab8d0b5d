"""The query engine on a real library and the Ollama stand-in: one call, citations, refusals, follow-ups, LlamaIndex."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from llama_index.core.base.base_query_engine import BaseQueryEngine
from llama_index.core.base.response.schema import Response

from bot.database.database import Database
from knowledge.config import ChatModelConfig, CollectionConfig, EmbeddingConfig, KnowledgeConfig
from knowledge.engine import CitingQueryEngine, Question
from knowledge.errors import ModelBrokenError
from knowledge.library import Library
from knowledge.ollama import OllamaChat, OllamaEmbedder
from knowledge.scope import Scope
from knowledge.types import Answer, Event, PastTurn, Step, Words
from tests.rigs.ollama import Ollama
from tests.rigs.ollama_script import Fault

HOUSE = Scope(frozenset({"house"}))
TEXTS = {
    "bins.md": "# Bins\n\nThe yellow bin goes out on Tuesday evening before eight.\n",
    "cat.md": "# Cat\n\nBiscuit the cat eats two spoons of salmon at seven in the morning.\n",
    "boiler.md": "# Boiler\n\nHold the red button of the boiler for five seconds to restart it.\n",
}


@dataclass
class Desk:
    rig: Ollama
    engine: CitingQueryEngine

    async def ask(self, text: str, *turns: PastTurn, continued: bool = False) -> list[Event]:
        question = Question(query_str=text, scope=HOUSE, turns=turns, continued=continued)
        return [event async for event in self.engine.ask(question)]

    async def answer(self, text: str, *turns: PastTurn, continued: bool = False) -> Answer:
        last = (await self.ask(text, *turns, continued=continued))[-1]
        assert isinstance(last, Answer)
        return last

    @property
    def prompt(self) -> list[dict[str, str]]:
        messages: list[dict[str, str]] = self.rig.prompts[-1]["messages"]
        return messages


@asynccontextmanager
async def opened(folder: Path, window: int = 4096) -> AsyncIterator[Desk]:
    (folder / "docs").mkdir()
    for name, text in TEXTS.items():
        (folder / "docs" / name).write_text(text)
    async with Ollama() as rig:
        config = KnowledgeConfig(
            collections=[CollectionConfig(name="house", folder=folder / "docs")],
            model=ChatModelConfig(address=rig.address, name="smollm2:135m", context_window=window, answer_tokens=128),
            embedding=EmbeddingConfig(address=rig.address, name="all-minilm", window=256),
        )
        database = await Database.open(folder / "grillon.db")
        vectors, model = OllamaEmbedder(config.embedding), OllamaChat(config.model)
        library = await Library.open(config, database, folder / "index", readers={}, embedder=vectors)
        try:
            await library.reindex("house")
            yield Desk(rig, CitingQueryEngine(library, model))
        finally:
            await library.close()
            await model.close()
            await vectors.close()
            await database.close()


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Desk]:
    """Opening takes seconds, and no test changes what is indexed."""
    async with opened(tmp_path_factory.mktemp("engine")) as made:
        yield made


@pytest.fixture
def desk(shared: Desk) -> Desk:
    shared.rig.set(answer=None, tokens=None, tokens_s=0, done_reason="stop", faults=[])
    shared.rig.reset()
    return shared


async def test_a_question_is_answered_with_one_call_and_a_citation(desk: Desk) -> None:
    events = await desk.ask("When does the yellow bin go out?")
    answer = events[-1]
    assert isinstance(answer, Answer)
    assert [event.name for event in events if isinstance(event, Step)] == ["retrieve", "generate"]
    assert "".join(event.text for event in events if isinstance(event, Words)).strip() == answer.text
    assert "Tuesday" in answer.text
    assert [citation.passage.document for citation in answer.citations] == ["bins.md"]
    assert answer.documents >= {answer.citations[0].passage.document_id}
    assert desk.rig.counters.requests["chat"] == 1
    assert answer.prompt_tokens > 0


async def test_passages_that_are_not_cited_were_consulted(desk: Desk) -> None:
    desk.rig.set(answer="I would rather not say [9].")
    answer = await desk.answer("When does the yellow bin go out?")
    assert answer.citations == ()
    assert answer.consulted
    assert answer.text == "I would rather not say."


async def test_thoughts_in_the_words_of_a_model_are_neither_shown_nor_kept(desk: Desk) -> None:
    desk.rig.set(answer="<think>\nThe yellow bin? Let me see [1].\n</think>\n\nOn Tuesday [1].", tokens_s=2000)
    events = await desk.ask("When does the yellow bin go out?")
    assert isinstance(events[-1], Answer)
    assert events[-1].text == "On Tuesday [1]."
    assert "".join(event.text for event in events if isinstance(event, Words)) == "On Tuesday [1]."


async def test_when_nothing_is_relevant_the_model_is_not_asked(desk: Desk) -> None:
    answer = await desk.answer("quantum chromodynamics lattice gauge theory")
    assert answer.refused
    assert answer.nearest
    assert answer.documents == {passage.document_id for passage in answer.nearest}  # what names them goes with them
    assert desk.rig.counters.requests.get("chat", 0) == 0


async def test_a_follow_up_is_searched_with_the_question_before_it(desk: Desk) -> None:
    turn = PastTurn("How do I restart the boiler?", "Hold the red button [1].", frozenset({77}))
    answer = await desk.answer("And how long?", turn)
    given = [*(citation.passage for citation in answer.citations), *answer.consulted]
    assert "boiler.md" in {passage.document for passage in given}
    assert 77 in answer.documents
    assert [message["role"] for message in desk.prompt] == ["system", "user", "assistant", "user"]
    assert desk.prompt[-1]["content"].endswith("And how long?")


async def test_an_answer_that_was_cut_says_so_and_goes_on(desk: Desk) -> None:
    desk.rig.set(answer="The yellow bin goes", done_reason="length")
    cut = await desk.answer("When does the yellow bin go out?")
    assert cut.cut
    desk.rig.set(answer="out on Tuesday [1].", done_reason="stop")
    rest = await desk.answer("/continue", PastTurn("When does the yellow bin go out?", cut.text), continued=True)
    assert not rest.cut
    assert [message["role"] for message in desk.prompt] == ["system", "user", "assistant", "user"]
    assert desk.prompt[-2]["content"] == "The yellow bin goes"


async def test_a_prompt_over_the_window_is_halved_and_asked_again(desk: Desk) -> None:
    desk.rig.set(faults=[Fault("400", times=1)])
    answer = await desk.answer("Does the cat eat salmon when the yellow bin goes out?", PastTurn("Hello there cat?", "Miaow."))
    assert answer.text
    assert not answer.refused
    assert [message["role"] for message in desk.prompt] == ["system", "user"]


async def test_a_passage_that_was_found_but_not_given_is_not_cited(desk: Desk) -> None:
    question = "Does the cat eat salmon when the yellow bin goes out?"
    desk.rig.set(answer="Yes [1], or no [2].")
    assert (await desk.answer(question)).text == "Yes [1], or no [2]."
    desk.rig.set(faults=[Fault("400", times=1)])
    events = await desk.ask(question)
    assert isinstance(events[-1], Answer)
    assert events[-1].text == "Yes [1], or no."
    assert "[2]" not in "".join(event.text for event in events if isinstance(event, Words))


async def test_an_error_of_the_model_is_the_callers(desk: Desk) -> None:
    desk.rig.set(faults=[Fault("error_line")])
    with pytest.raises(ModelBrokenError):
        await desk.ask("When does the yellow bin go out?")


async def test_leaving_early_closes_the_models_request(desk: Desk) -> None:
    desk.rig.set(tokens=500, tokens_s=50)
    events = desk.engine.ask(Question(query_str="When does the yellow bin go out?", scope=HOUSE))
    async for event in events:
        if isinstance(event, Words):
            break
    await events.aclose()
    desk.rig.set(tokens=None, tokens_s=0, answer="free again")
    assert (await desk.answer("When does the yellow bin go out?")).text == "free again"


async def test_it_is_a_query_engine_of_llamaindex(desk: Desk) -> None:
    assert isinstance(desk.engine, BaseQueryEngine)
    response = await desk.engine.aquery(Question(query_str="When does the yellow bin go out?", scope=HOUSE))
    assert isinstance(response, Response)
    assert "Tuesday" in str(response)
    assert any("Tuesday" in node.text for node in response.source_nodes)


async def test_nobody_asks_it_without_a_scope(desk: Desk) -> None:
    with pytest.raises(TypeError, match="scope"):
        await desk.engine.aquery("When does the yellow bin go out?")
    with pytest.raises(TypeError):
        Question(query_str="When?")  # type: ignore[call-arg]


async def test_a_scope_without_the_collection_finds_nothing(desk: Desk) -> None:
    question = Question(query_str="When does the yellow bin go out?", scope=Scope(frozenset()))
    answer = [event async for event in desk.engine.ask(question)][-1]
    assert isinstance(answer, Answer)
    assert answer.refused
    assert answer.nearest == ()
