"""What a pressed button does: show a passage, keep an opinion, ask again, stop."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from adapters.types import Pressed
from bot.people.people import Person
from bot.replies import named
from bot.speech.chosen_language import language_for
from bot.speech.sentences import say
from knowledge.attached import ATTACHED

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from adapters.types import Message, Press, Said, Source
    from bot.buttons import Buttons, Meant
    from bot.dispatch import Dispatcher
    from bot.loading import Loaded
    from bot.memory import Kept, Memory
    from bot.people.people import People
    from bot.speech.sentences import Language


class Presses:
    """Carries out buttons. Who presses was let in already; what they ask again is `paced` like what they write."""

    def __init__(
        self,
        buttons: Buttons,
        memory: Memory,
        people: People,
        dispatcher: Dispatcher,
        loaded: Callable[[], Awaitable[Loaded]],
        paced: Callable[[Person, Message], Awaitable[Person | Said | None]],
        language: Language,
    ) -> None:
        self._buttons = buttons
        self._memory = memory
        self._people = people
        self._dispatcher = dispatcher
        self._loaded = loaded
        self._paced = paced
        self._language: Language = language

    async def carry_out(self, press: Press, person: Person) -> Pressed:
        """Do what the button says, and say so to who pressed it alone. Raises what `Dispatcher.receive` raises."""
        language = language_for(press.message, person, self._language)
        meant = self._buttons.read(press.code, person.id)
        if meant is None:
            return Pressed(say("button_not_yours", language))
        match meant.action:
            case "stop":
                stopped = await self._dispatcher.cancel(meant.inbox_id)
                return Pressed(say("cancelled" if stopped else "nothing_to_stop", language))
            case "retry":
                return await self._retry(press, person, meant)
            case "source":
                return await self._source(press, person, meant, language)
            case liked:
                kept = await self._memory.like(person.id, meant.inbox_id, liked=liked == "like")
                return Pressed(say("opinion_kept" if kept else "button_too_old", language))

    async def _retry(self, press: Press, person: Person, meant: Meant) -> Pressed:
        options = {**press.message.options, "retry_of": meant.inbox_id}
        message = replace(press.message, text="/retry", options=options)
        paced = await self._paced(person, message)
        if not isinstance(paced, Person):
            return Pressed(paced.text if paced else None)
        await self._dispatcher.receive(message, paced)
        return Pressed()

    async def _source(self, press: Press, person: Person, meant: Meant, language: Language) -> Pressed:
        kept = await self._memory.reply_to(person.id, meant.inbox_id)
        if kept is None:
            return Pressed(say("private_erased" if person.private else "button_too_old", language))
        source = await self._readable(kept, press, person, meant.n)
        if source is None:
            return Pressed(say("source_gone", language))
        return Pressed(f"**[{source.n}] {named(source)}**\n\n{source.excerpt}", source.url, press.code)

    async def _readable(self, kept: Kept, press: Press, person: Person, n: int) -> Source | None:
        """The source, where whoever could read it when it was given still may: rights are those of now, roles are, too."""
        reply, library = kept.reply, (await self._loaded()).library
        source = next((one for one in (*reply.citations, *reply.consulted, *reply.nearest) if one.n == n), None)
        asked = replace(kept.message, platform=press.message.platform, roles=press.message.roles)
        scope = library.scope(self._people.audience(person, asked if asked.private else kept.message))
        readable = partial(library.may_read_all, scope=scope)
        if source is None or source.collection not in scope.collections | {ATTACHED}:
            return None
        if kept.documents or source.collection == ATTACHED:
            return source if await self._memory.may_read(kept, readable) else None
        # Of a search, or of an answer that another one replaced, no turn knows the documents: the words themselves must be there.
        return source if await library.stands(source.collection, source.document, source.excerpt) else None
