"""What commands do. Their authority is the person's, who typed them; what they answer is for the readers of the chat."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from adapters.types import Reply
from bot.commands import Typed, help_text, wished
from bot.errors import CannotError
from bot.orders.mydata import my_data
from bot.orders.order import Order
from bot.replies import named, refusal, source_of
from bot.rights import require_index, scope_for
from bot.speech.chosen_language import language_for
from bot.speech.sentences import Language, as_language, say

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping

    from bot.attachments import Attachments
    from bot.forget import Forget
    from bot.live import Received
    from bot.loading import Loaded
    from bot.memory import Memory
    from bot.orders.owner import OwnerOrders
    from bot.orders.people import PeopleOrders
    from bot.orders.status import Condition
    from bot.people.people import People
    from knowledge.types import Sql

_SEARCHED = 8


class Orders:
    """Carries commands out, but for those that lead to a question (`ask`, `continue`, `retry`): `bot.answer` does these.

    `lacking`: by platform, the commands that it has no need of.
    """

    def __init__(
        self,
        sql: Sql,
        people: People,
        memory: Memory,
        forget: Forget,
        attachments: Attachments,
        loaded: Callable[[], Awaitable[Loaded]],
        condition: Condition,
        of_owner: OwnerOrders,
        of_people: PeopleOrders,
        *,
        lacking: Mapping[str, Collection[str]],
    ) -> None:
        self._sql = sql
        self._people = people
        self._memory = memory
        self._forget = forget
        self._attachments = attachments
        self._loaded = loaded
        self._condition = condition
        self._lacking = lacking
        self._carry: dict[str, Callable[[Order], Awaitable[Reply]]] = {
            "start": self._start,
            "help": self._help,
            "search": self._search,
            "sources": self._sources,
            "stop": self._stop,
            "reset": self._reset,
            "collections": self._collections,
            "status": self._status,
            "language": self._language,
            "private": self._private,
            "mydata": self._mydata,
            "forget": self._erase,
            **of_owner.table(),
            **of_people.table(),
        }

    async def carry_out(self, received: Received, typed: Typed, language: Language) -> Reply:
        """Do what a person typed. Raises the errors of index and database."""
        order = Order(received, typed.argument, language)
        command = typed.command
        if command is None:
            text = say("unknown_command", language, command=f"/{typed.name}")
            return Reply(text, error="unknown_command", language=language)
        if command.owner and not received.person.owner:
            return order.say("owner_only")
        if command.private and not received.message.private:
            return order.say("private_only")
        try:
            return await self._carry[command.name](order)
        except CannotError as error:
            return order.say(error.key, **error.values)

    async def _start(self, order: Order) -> Reply:
        return Reply(f"{say('start', order.language)}\n\n{self._known(order)}")

    async def _help(self, order: Order) -> Reply:
        return Reply(self._known(order))

    def _known(self, order: Order) -> str:
        """The commands; those of the owner in a private chat only, because the others need not know of them."""
        message = order.received.message
        owner = order.received.person.owner and message.private
        return help_text(order.language, owner=owner, lacking=self._lacking.get(message.platform, ()))

    async def _search(self, order: Order) -> Reply:
        if not order.argument:
            return order.say("search_what")
        library = (await self._loaded()).library
        scope = scope_for(order.received, self._people, library)
        found = await library.retrieve(order.argument, scope, k=_SEARCHED)
        if not found.nearest:
            await require_index(library, scope)
        if not found.passages:
            return refusal(found.nearest, order.language)
        sources = [source_of(n, passage) for n, passage in enumerate(found.passages, 1)]
        lines = [f"[{source.n}] {named(source)}\n{source.excerpt}" for source in sources]
        return Reply("\n\n".join(lines), consulted=tuple(sources), timings=found.timings, untrusted=True)

    async def _sources(self, order: Order) -> Reply:
        library = (await self._loaded()).library
        readable = partial(library.may_read_all, scope=scope_for(order.received, self._people, library))
        received = order.received
        last = await self._memory.last_reply(received.person.id, received.conversation_id, readable=readable)
        citations, consulted = (last.citations, last.consulted) if last else ((), ())
        sources = (*citations, *consulted)
        if not sources:
            return order.say("no_sources")
        lines = [say("sources", order.language), *(f"[{source.n}] {named(source)}" for source in sources)]
        return Reply("\n".join(lines), citations, consulted, untrusted=True)

    async def _stop(self, order: Order) -> Reply:
        """What is being written is stopped at the door: when this one's turn comes, nothing is left."""
        return order.say("nothing_to_stop")

    async def _reset(self, order: Order) -> Reply:
        await self._memory.reset(order.received.person.id, order.received.conversation_id)
        await self._attachments.drop(order.received.conversation_id)
        return order.say("reset")

    async def _erase(self, order: Order) -> Reply:
        await self._forget.person(order.received.person.id, but=order.received.id)
        return order.say("forgotten")

    async def _mydata(self, order: Order) -> Reply:
        return Reply(say("mydata", order.language), file=await my_data(self._sql, order.received.person.id))

    async def _private(self, order: Order) -> Reply:
        person, wish = order.received.person, wished(order.argument)
        if wish not in {"on", "off"}:
            how = say("private_on" if person.private else "private_off", order.language)
            return Reply(f"{how} {say('private_how', order.language)}")
        await self._people.set_private(person, private=wish == "on")
        return order.say("private_on" if wish == "on" else "private_off")

    async def _language(self, order: Order) -> Reply:
        person, wish = order.received.person, wished(order.argument)
        if wish not in {"en", "fr", "auto"}:
            how = say("language_fixed" if person.language else "language_auto", order.language)
            return Reply(f"{how} {say('language_how', order.language)}")
        chosen = as_language(wish)
        await self._people.set_language(person, chosen)
        language = chosen or language_for(order.received.message, None, order.language)
        return Reply(say("language_fixed" if chosen else "language_auto", language), language=language)

    async def _collections(self, order: Order) -> Reply:
        return Reply(await self._condition.collections(order.received, order.language))

    async def _status(self, order: Order) -> Reply:
        return Reply(await self._condition.told(order.received, order.language))
