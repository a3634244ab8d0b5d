"""From a received message to its reply: a question to the documents, or a command. Errors become sentences here alone."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from adapters.types import FetchError, Reply
from bot.attachments import is_image, quoted
from bot.commands import Typed, typed
from bot.live import NewTurn, Outcome, Received, Restarted, Step, Waiting, Words
from bot.orders.again import question_again
from bot.replies import failure, reason, reply_of
from bot.rights import require_index, scope_for
from bot.speech.chosen_language import language_for
from bot.speech.sentences import Language, say
from bot.speech.smalltalk import smalltalk
from knowledge import errors, types

if TYPE_CHECKING:
    from bot.attachments import Attachments
    from bot.loading import Loaded
    from bot.memory import Memory
    from bot.orders.orders import Orders
    from bot.people.people import People
    from bot.settings.fields import Settings
    from knowledge.engine import Question
    from knowledge.scope import Scope
    from knowledge.types import Sql

Event = Step | Words | Waiting | Restarted | Outcome


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as it is to be answered. `continued`: the rest of the last answer; `replaces`: the turn that then goes."""

    received: Received
    language: Language
    continued: bool = False
    replaces: int | None = None


@dataclass(frozen=True, slots=True)
class Files:
    """What is used of files: pieces of those of the conversation, and the pictures of this message."""

    pieces: tuple[types.Passage, ...] = ()
    images: tuple[str, ...] = ()

    @property
    def any(self) -> bool:
        """Whether there is something to be read or seen."""
        return bool(self.pieces or self.images)


class HouseAnswerer:
    """Answers what the dispatcher hands it. Holds no state of its own."""

    def __init__(
        self,
        settings: Settings,
        sql: Sql,
        people: People,
        memory: Memory,
        orders: Orders,
        loaded: Callable[[], Awaitable[Loaded]],
        ready: Callable[[], bool],
        answered: Callable[[str, Reply], None],
        attachments: Attachments,
    ) -> None:
        self._settings = settings
        self._sql = sql
        self._people = people
        self._memory = memory
        self._orders = orders
        self._loaded = loaded
        self._ready = ready
        self._answered = answered
        self._attachments = attachments

    async def answer(self, received: Received) -> AsyncGenerator[Event]:
        """Yield signs of life and words, and last the `Outcome`. Errors of models and index are outcomes, not exceptions."""
        async with aclosing(self._events(received)) as events:
            async for event in events:
                if isinstance(event, Outcome):
                    self._answered(received.message.platform, event.reply)
                yield event

    async def _events(self, received: Received) -> AsyncGenerator[Event]:
        language = self._language(received)
        command = None if received.message.options.get("stateless") else typed(received.message.text)
        try:
            asked = await self._asked(received, command, language)
            if isinstance(asked, Reply):
                yield Outcome(asked, None)
                return
            if not self._ready():
                yield Waiting(1, "starting")
            async with aclosing(self._question(asked)) as events:
                async for event in events:
                    yield event
        except errors.KnowledgeError as error:
            yield Outcome(failure(error, language, self._settings.model.provider), None)

    async def _asked(self, received: Received, command: Typed | None, language: Language) -> Asked | Reply:
        """The question in a message, or the reply to its command."""
        match command.name if command and command.command else "":
            case "ask":
                assert command is not None
                return self._worded(received, command.argument) if command.argument else Reply(say("ask_what", language))
            case "retry":
                return await self._again(received, language)
            case "continue":
                return Asked(received, language, continued=True)
        return Asked(received, language) if command is None else await self._orders.carry_out(received, command, language)

    async def _again(self, received: Received, language: Language) -> Asked | Reply:
        """The last question once more, in the place of its turn, whatever was answered then."""
        of = received.message.options.get("retry_of")
        if of is None and received.person.private:  # of the last question nothing is kept: an older one is not what was meant
            return Reply(say("retry_private", language))
        again = await question_again(self._sql, received.person.id, received.conversation_id, received.id, of=of)
        if again is None:
            return Reply(say("retry_private" if received.person.private else "nothing_to_retry", language))
        command = typed(again.question)
        collections = again.collections or received.message.options.get("collections")
        asked = self._worded(received, again.question, **({"collections": collections} if collections else {}))
        return replace(asked, continued=command is not None and command.name == "continue", replaces=again.turn)

    def _worded(self, received: Received, question: str, **options: object) -> Asked:
        """A question that is not the text of its message."""
        message = replace(received.message, text=question, options={**received.message.options, **options})
        asked = replace(received, message=message)
        return Asked(asked, self._language(asked))

    async def _question(self, asked: Asked) -> AsyncGenerator[Event]:
        received, language = asked.received, asked.language
        polite = smalltalk(received.message.text)
        if polite is not None:
            yield Outcome(Reply(say(polite, language)), None)
            return
        loaded = await self._loaded()
        scope = scope_for(received, self._people, loaded.library)
        files = await self._files(asked, loaded)
        if isinstance(files, Reply):
            yield Outcome(files, None)
            return
        if not scope.collections and not files.any:
            yield Outcome(Reply(say("no_documents", language), refused=True), None)
            return
        turns = await self._turns(asked, loaded, scope)
        if asked.continued and not turns:
            yield Outcome(Reply(say("nothing_to_continue", language)), None)
            return
        question = _question(asked, scope, turns, files)
        async with aclosing(self._told(question, loaded)) as events:
            async for event in events:
                if isinstance(event, types.Answer):
                    if event.refused and not event.nearest:
                        await require_index(loaded.library, scope)
                    yield _outcome(asked, event)
                else:
                    yield event

    async def _files(self, asked: Asked, loaded: Loaded) -> Files | Reply:
        """What came with this question and those before it, or the sentence that says why it cannot be used."""
        received, language = asked.received, asked.language
        try:
            problem = await self._attachments.take(received, loaded.library)
            if problem is not None:
                text = say(problem.sentence, language, name=quoted(problem.name), reason=reason(problem.reason, language))
                return Reply(text, error=problem.sentence, language=language)
            if any(map(is_image, received.message.attachments)) and not await _sees(loaded):
                text = say("attachment_blind", language, model=loaded.model.name)
                return Reply(text, error="attachment_blind", language=language)
            images = await self._attachments.images(received)
        except FetchError as error:
            name = quoted(received.message.attachments[0].name)
            text = say("attachment_unreadable", language, name=name, reason=reason(str(error), language))
            return Reply(text, error="attachment_unreadable", language=language)
        if received.message.options.get("stateless"):
            return Files()
        return Files(await self._attachments.pieces(received.person.id, received.conversation_id), images)

    async def _told(self, question: Question, loaded: Loaded) -> AsyncGenerator[Step | Words | Restarted | types.Answer]:
        """The engine's events; a model that broke is asked once more, because its server starts it again."""
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

    async def _turns(self, asked: Asked, loaded: Loaded, scope: Scope) -> tuple[types.PastTurn, ...]:
        received = asked.received
        budget = min(self._settings.memory.tokens, self._settings.model.context_window // 3)
        if received.message.options.get("stateless"):
            return _own_history(received.message.options.get("history", ()), budget, loaded.count)
        turns = await self._memory.turns(
            received.person.id,
            received.conversation_id,
            budget_tokens=budget,
            count=loaded.count,
            readable=partial(loaded.library.may_read_all, scope=scope),
            without=asked.replaces,
        )
        return tuple(turns)

    def _language(self, received: Received) -> Language:
        return language_for(received.message, received.person, self._settings.daemon.language)


def _question(asked: Asked, scope: Scope, turns: tuple[types.PastTurn, ...], files: Files) -> Question:
    from knowledge.engine import Question  # with LlamaIndex, which is loaded by now

    text = asked.received.message.text
    return Question(
        query_str=text, scope=scope, turns=turns, continued=asked.continued, attached=files.pieces, images=files.images
    )


async def _sees(loaded: Loaded) -> bool:
    """Whether the model can see pictures: Ollama says so; other servers are believed to, and say themselves when not."""
    health = await loaded.model.check()
    return "vision" in health.capabilities if health.capabilities else health.version is None


def _outcome(asked: Asked, answer: types.Answer) -> Outcome:
    reply, question = reply_of(answer, asked.language), asked.received.message
    if question.options.get("stateless"):
        return Outcome(reply, None)
    return Outcome(reply, NewTurn(question.text, answer.text or reply.text, answer.documents, asked.replaces))


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
