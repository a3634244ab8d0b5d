"""From a received message to its reply: a command, or a question to the documents. Errors become sentences here alone."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING

from adapters.types import Reply
from bot.commands import Typed, help_text, typed
from bot.live import NewTurn, Outcome, Received, Restarted, Step, Waiting, Words
from bot.replies import failure, named, refusal, reply_of, source_of
from bot.sentences import Language, as_language, say
from bot.smalltalk import smalltalk
from knowledge import errors, types
from knowledge.language import language_of
from knowledge.scope import Scope, narrowed

if TYPE_CHECKING:
    from bot.forget import Forget
    from bot.loading import Loaded
    from bot.memory import Memory
    from bot.people import People
    from bot.settings import Settings
    from bot.telemetry import Telemetry
    from knowledge.library import Library

_SEARCHED = 8

Event = Step | Words | Waiting | Restarted | Outcome


class HouseAnswerer:
    """Answers what the dispatcher hands it. Holds no state of its own."""

    def __init__(
        self,
        settings: Settings,
        people: People,
        memory: Memory,
        forget: Forget,
        loaded: Callable[[], Awaitable[Loaded]],
        ready: Callable[[], bool],
        telemetry: Telemetry,
    ) -> None:
        self._settings = settings
        self._people = people
        self._memory = memory
        self._forget = forget
        self._loaded = loaded
        self._ready = ready
        self._telemetry = telemetry

    async def answer(self, received: Received) -> AsyncGenerator[Event]:
        """Yield signs of life and words, and last the `Outcome`. Errors of models and index are outcomes, not exceptions."""
        async with aclosing(self._events(received)) as events:
            async for event in events:
                if isinstance(event, Outcome):
                    self._telemetry.answered(received.message.platform, event.reply)
                yield event

    async def _events(self, received: Received) -> AsyncGenerator[Event]:
        language = self._language(received)
        command = None if received.message.options.get("stateless") else typed(received.message.text)
        try:
            if command is not None and command.name != "continue":
                yield await self._command(received, command, language)
                return
            if not self._ready():
                yield Waiting(1, "starting")
            async with aclosing(self._question(received, language, continued=command is not None)) as events:
                async for event in events:
                    yield event
        except errors.KnowledgeError as error:
            yield Outcome(failure(error, language, self._settings.model.provider), None)

    async def _question(self, received: Received, language: Language, *, continued: bool) -> AsyncGenerator[Event]:
        polite = smalltalk(received.message.text)
        if polite is not None:
            yield Outcome(Reply(say(polite, language)), None)
            return
        loaded = await self._loaded()
        scope = self._scope(received, loaded.library)
        if not scope.collections:
            yield Outcome(Reply(say("no_documents", language), refused=True), None)
            return
        turns = await self._turns(received, loaded, scope)
        if continued and not turns:
            yield Outcome(Reply(say("nothing_to_continue", language)), None)
            return
        async with aclosing(self._told(received, loaded, scope, turns, continued=continued)) as events:
            async for event in events:
                if isinstance(event, types.Answer):
                    if event.refused and not event.nearest:
                        await _require_index(loaded.library, scope)
                    yield self._outcome(received, event, language)
                else:
                    yield event

    async def _told(
        self, received: Received, loaded: Loaded, scope: Scope, turns: tuple[types.PastTurn, ...], *, continued: bool
    ) -> AsyncGenerator[Step | Words | Restarted | types.Answer]:
        """The engine's events; a model that broke is asked once more, because its server starts it again."""
        from knowledge.engine import Question

        question = Question(query_str=received.message.text, scope=scope, turns=turns, continued=continued)
        for last in (False, True):
            shown = False
            try:
                async with aclosing(loaded.engine.ask(question)) as events:
                    async for event in events:
                        shown = shown or isinstance(event, types.Words)
                        yield _as_live(event)
            except errors.ModelBrokenError:
                if last:
                    raise
                if shown:
                    yield Restarted()
            else:
                return

    async def _turns(self, received: Received, loaded: Loaded, scope: Scope) -> tuple[types.PastTurn, ...]:
        budget = min(self._settings.memory.tokens, self._settings.model.context_window // 3)
        if received.message.options.get("stateless"):
            return _own_history(received.message.options.get("history", ()), budget, loaded.count)
        readable = partial(loaded.library.may_read_all, scope=scope)
        turns = await self._memory.turns(
            received.person.id, received.conversation_id, budget_tokens=budget, count=loaded.count, readable=readable
        )
        return tuple(turns)

    async def _command(self, received: Received, typed_: Typed, language: Language) -> Outcome:
        match typed_.command.name if typed_.command else None:
            case "help":
                return Outcome(Reply(help_text(language)), None)
            case "reset":
                await self._memory.reset(received.person.id, received.conversation_id)
                return Outcome(Reply(say("reset", language)), None)
            case "forget":
                await self._forget.person(received.person.id, but=received.id)
                return Outcome(Reply(say("forgotten", language)), None)
            case "sources":
                return Outcome(await self._sources(received, language), None)
            case "search":
                return Outcome(await self._search(received, typed_.argument, language), None)
            case _:
                return Outcome(Reply(say("unknown_command", language, command=f"/{typed_.name}"), error="unknown_command"), None)

    async def _sources(self, received: Received, language: Language) -> Reply:
        library = (await self._loaded()).library
        readable = partial(library.may_read_all, scope=self._scope(received, library))
        last = await self._memory.last_reply(received.person.id, received.conversation_id, readable=readable)
        if last is None or not (last.citations or last.consulted):
            return Reply(say("no_sources", language))
        lines = [f"[{source.n}] {named(source)}" for source in (*last.citations, *last.consulted)]
        text = "\n".join((say("sources", language), *lines))
        return Reply(text, citations=last.citations, consulted=last.consulted)

    async def _search(self, received: Received, words: str, language: Language) -> Reply:
        if not words:
            return Reply(say("search_what", language))
        loaded = await self._loaded()
        scope = self._scope(received, loaded.library)
        found = await loaded.library.retrieve(words, scope, k=_SEARCHED)
        if not found.nearest:
            await _require_index(loaded.library, scope)
        if not found.passages:
            return refusal(found.nearest, language)
        sources = [source_of(n, passage) for n, passage in enumerate(found.passages, 1)]
        lines = [f"[{source.n}] {named(source)}\n{source.excerpt}" for source in sources]
        return Reply("\n\n".join(lines), consulted=tuple(sources), timings=found.timings)

    def _scope(self, received: Received, library: Library) -> Scope:
        scope = library.scope(self._people.audience(received.person, received.message))
        asked: Sequence[str] = received.message.options.get("collections") or ()
        return narrowed(scope, asked) if asked else scope

    def _language(self, received: Received) -> Language:
        guessed = as_language(language_of(received.message.text))
        return guessed or as_language(received.message.locale) or self._settings.daemon.language

    def _outcome(self, received: Received, answer: types.Answer, language: Language) -> Outcome:
        reply = reply_of(answer, language)
        if received.message.options.get("stateless"):
            return Outcome(reply, None)
        return Outcome(reply, NewTurn(received.message.text, answer.text or reply.text, answer.documents))


async def _require_index(library: Library, scope: Scope) -> None:
    """Nothing at all was found: that says nothing while there is nothing to be found yet. Raises `IndexUnavailableError`."""
    for one in await library.status():
        if one.name in scope.collections and not one.documents and (one.report is None or one.report.not_embedded):
            raise errors.IndexUnavailableError(f"{one.name} is not indexed yet")


def _as_live(event: types.Event) -> Step | Words | types.Answer:
    match event:
        case types.Step(name):
            return Step(name)
        case types.Words(text):
            return Words(text)
        case answer:
            return answer


def _own_history(history: Sequence[dict[str, str]], budget: int, count: Callable[[str], int]) -> tuple[types.PastTurn, ...]:
    """The newest of a stateless request's own turns that fit the budget."""
    kept: list[types.PastTurn] = []
    for turn in reversed(history):
        budget -= count(turn["question"]) + count(turn["answer"])
        if budget < 0:
            break
        kept.append(types.PastTurn(turn["question"], turn["answer"]))
    return tuple(reversed(kept))
