"""What the commands about people do: joining one's own accounts, and, for the owner, who may talk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.types import Reply
from bot.people.codes import VALID_S, normalised
from bot.people.identities import Identity
from bot.speech.sentences import say

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bot.orders.order import Order
    from bot.people.codes import Codes
    from bot.people.people import People, Person
    from bot.people.roster import Listed

_MINUTE_S = 60
_MOST_SURE = 1000


class PeopleOrders:
    """The commands about people. They raise `CannotError`, which has its sentence."""

    def __init__(self, people: People, codes: Codes) -> None:
        self._people = people
        self._codes = codes
        self._sure: dict[int, str] = {}
        """The code that each person was asked about, lately."""

    def table(self) -> dict[str, Callable[[Order], Awaitable[Reply]]]:
        """The commands by their names."""
        return {
            "link": self._link,
            "unlink": self._unlink,
            "people": self._list,
            "approve": self._approve,
            "block": self._block,
        }

    async def _link(self, order: Order) -> Reply:
        """A code to be sent from the other account; with a code, this is the other account."""
        received = order.received
        if not order.argument:
            code = await self._codes.link(received.message, received.person)
            return order.say("link_code", code=code, minutes=round(VALID_S["link"] / _MINUTE_S))
        if not self._is_sure(received.person, normalised(order.argument)):
            return order.say("link_sure")
        redeemed = await self._codes.redeem(order.argument, received.message, received.person)
        if redeemed.purpose == "owner":
            return order.say("owner_now")
        return order.say("linked", accounts=", ".join(map(str, redeemed.identities)))

    def _is_sure(self, person: Person, code: str) -> bool:
        """Whether somebody sends a code again, who has something to lose. Who is named is never made somebody else."""
        if person.owner or person.name is not None or self._sure.pop(person.id, "") == code:
            return True
        self._sure[person.id] = code
        if len(self._sure) > _MOST_SURE:
            del self._sure[next(iter(self._sure))]
        return False

    async def _unlink(self, order: Order) -> Reply:
        _, kept = await self._people.unlink(_sender(order))
        accounts = ", ".join(map(str, kept)) or say("unlink_named", order.language)
        return order.say("unlinked", accounts=accounts)

    async def _list(self, order: Order) -> Reply:
        lines = [self._line(one, order) for one in await self._people.list()]
        return Reply("\n".join((say("people", order.language), *lines)), language=order.language)

    def _line(self, one: Listed, order: Order) -> str:
        name = one.name or f"#{one.id}"
        if one.blocked or one.owner:
            name = say("person_blocked" if one.blocked else "person_owner", order.language, name=name)
        accounts = ", ".join(map(str, one.identities))
        return f"- {say('labelled', order.language, name=name, what=accounts)}" if accounts else f"- {name}"

    async def _approve(self, order: Order) -> Reply:
        if not order.argument:
            return order.say("approve_what")
        approved = await self._codes.approve(order.argument, str(_sender(order)))
        return self._done(order, "approved", str(approved.identity))

    async def _block(self, order: Order) -> Reply:
        if not order.argument:
            return order.say("block_what")
        await self._people.block(order.argument)
        return self._done(order, "blocked", order.argument)

    def _done(self, order: Order, sentence: str, who: str) -> Reply:
        """Who it was is said in a private chat alone."""
        return order.say(sentence, who=who) if order.received.message.private else order.say("done")


def _sender(order: Order) -> Identity:
    return Identity(order.received.message.platform, order.received.message.sender)
