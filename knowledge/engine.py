"""The query engine: condense, retrieve, compose, generate, cite. Stateless; one model call; a LlamaIndex query engine.

LlamaIndex's own engines keep memory on the instance, send passages as the repr of a list and call the model several times when
they do not fit; this one takes everything with the question and gives everything back with the answer.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace

from llama_index.core.base.base_query_engine import BaseQueryEngine
from llama_index.core.base.response.schema import RESPONSE_TYPE, Response
from llama_index.core.callbacks import CallbackManager
from llama_index.core.prompts.mixin import PromptMixinType
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode

from knowledge.citations import CitationStream
from knowledge.condense import condense
from knowledge.errors import PromptTooLongError
from knowledge.failpoints import failpoint
from knowledge.library import Library, Retrieved
from knowledge.models import ChatModel, Piece
from knowledge.prompt import compose
from knowledge.scope import Scope
from knowledge.thoughts import Thoughtless
from knowledge.types import Answer, Citation, Event, Passage, PastTurn, Step, Words


@dataclass(kw_only=True)
class Question(QueryBundle):
    """A question with everything its answer depends on. `scope` has no default: nobody searches without one.

    `turns` are the earlier turns that fit the memory budget, oldest first. `continued` asks for the rest of the last turn's
    answer, which was cut. `attached` are pieces of files of this conversation, `images` files in base64: with either the question
    is never refused.
    """

    scope: Scope
    turns: tuple[PastTurn, ...] = ()
    continued: bool = False
    attached: tuple[Passage, ...] = ()
    images: tuple[str, ...] = ()


class CitingQueryEngine(BaseQueryEngine):
    """Answers a `Question` from a library with one call of a chat model."""

    def __init__(self, library: Library, model: ChatModel) -> None:
        super().__init__(callback_manager=CallbackManager())
        self._library = library
        self._model = model

    async def ask(self, question: Question) -> AsyncGenerator[Event]:
        """Yield signs of life, the words as they come, and last the `Answer`.

        When nothing relevant is found the model is not asked: the answer is `refused` and names the nearest. Raises the
        `ModelError` family and `IndexUnavailableError`.
        """
        started = time.perf_counter()
        yield Step("retrieve")
        asked = question.turns[-1].question if question.continued else question.query_str
        earlier = question.turns[:-1] if question.continued else question.turns
        found = await self._library.retrieve(condense(asked, earlier), question.scope)
        failpoint("retrieve.done")
        if question.attached:
            pieces = await self._library.closest(asked, question.attached)
            found = replace(found, passages=(*pieces, *found.passages))
        timings = {**found.timings, "retrieve": time.perf_counter() - started}
        if not found.passages and not question.images:
            named = frozenset(passage.document_id for passage in found.nearest)
            yield Answer("", refused=True, nearest=found.nearest, documents=named, model=self._model.name, timings=timings)
            return
        yield Step("generate")
        async with aclosing(self._generate(question, asked, found, timings)) as events:
            async for event in events:
                yield event

    async def _generate(
        self, question: Question, asked: str, found: Retrieved, timings: dict[str, float]
    ) -> AsyncGenerator[Event]:
        started = time.perf_counter()
        thoughtless, stream = Thoughtless(), CitationStream(len(found.passages))
        shown: list[str] = []
        last = Piece("")
        passages: tuple[Passage, ...] = ()
        async with aclosing(self._written(question, asked, found.passages)) as pieces:
            async for given, piece in pieces:
                timings.setdefault("first_token", time.perf_counter() - started)
                passages, last = given, piece if piece.done else last
                stream.passages = len(given)  # of those found, what fitted into the window
                words = stream.feed(thoughtless.feed(piece.text))
                if words:
                    shown.append(words)
                    yield Words(words)
        rest = stream.feed(thoughtless.end()) + stream.end()
        if rest:
            shown.append(rest)
            yield Words(rest)
        timings["generate"] = time.perf_counter() - started
        yield _answer("".join(shown).strip(), stream.cited, passages, question.turns, last, self._model.name, timings)

    async def _written(
        self, question: Question, asked: str, passages: tuple[Passage, ...]
    ) -> AsyncGenerator[tuple[tuple[Passage, ...], Piece]]:
        """The model's pieces, with the passages it was given. A prompt over the window is halved, unless it is answered."""
        turns, begun = question.turns, False
        while True:
            prompt, fitted = compose(self._model, asked, turns, passages, continued=question.continued, images=question.images)
            passages = passages[:fitted]
            try:
                async with aclosing(self._model.stream(prompt)) as pieces:
                    async for piece in pieces:
                        if not begun:
                            begun = True
                            failpoint("generate.first_token")
                        yield passages, piece
            except PromptTooLongError:
                if begun or (len(passages) <= 1 and not turns):
                    raise
                passages = passages[: max(1, len(passages) // 2)]
                turns = turns[-1:] if question.continued else ()
                continue
            return

    async def _aquery(self, query_bundle: QueryBundle) -> RESPONSE_TYPE:
        if not isinstance(query_bundle, Question):
            raise TypeError("this engine answers a Question, which carries its scope")
        answer = Answer("")
        async for event in self.ask(query_bundle):
            if isinstance(event, Answer):
                answer = event
        given = [*(citation.passage for citation in answer.citations), *answer.consulted, *answer.nearest]
        return Response(answer.text, source_nodes=[_node(passage) for passage in given], metadata={"refused": answer.refused})

    def _query(self, query_bundle: QueryBundle) -> RESPONSE_TYPE:  # noqa: ARG002 -- the base class names it
        raise TypeError("this engine is asynchronous: use aquery() or ask()")

    def _get_prompt_modules(self) -> PromptMixinType:
        return {}


def _answer(
    text: str,
    cited: list[int],
    passages: tuple[Passage, ...],
    turns: tuple[PastTurn, ...],
    last: Piece,
    model: str,
    timings: dict[str, float],
) -> Answer:
    return Answer(
        text,
        citations=tuple(Citation(n, passages[n - 1]) for n in cited if n <= len(passages)),
        consulted=tuple(passage for n, passage in enumerate(passages, 1) if n not in cited),
        cut=last.done == "length",
        documents=frozenset(p.document_id for p in passages if p.document_id).union(*(turn.documents for turn in turns)),
        model=model,
        prompt_tokens=last.prompt_tokens or 0,
        answer_tokens=last.answer_tokens or 0,
        timings=timings,
    )


def _node(passage: Passage) -> NodeWithScore:
    node = TextNode(id_=str(passage.chunk_id), text=passage.text, metadata={"title": passage.title, "page": passage.page})
    return NodeWithScore(node=node, score=passage.score)
