"""What the owner's commands do. Whoever calls them has made sure that it is the owner who typed them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from adapters.types import Reply
from bot.replies import failure
from bot.speech.sentences import say
from knowledge.errors import KnowledgeError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from bot.chosen import ChosenModel
    from bot.orders.order import Order
    from knowledge.models import Health

_REFUSED = {"missing": "model_unknown", "unfit": "model_mute", "remote": "model_remote"}
_DEFAULT = "default"
_NAME_CHARS = 128


class Indexer(Protocol):
    """Who brings collections up to date."""

    @property
    def collections(self) -> Sequence[str]:
        """The collections of the settings."""

    def index_soon(self, names: Sequence[str]) -> None:
        """Bring these up to date, in the background."""


class OwnerOrders:
    """The owner's commands."""

    def __init__(self, indexer: Indexer, models: ChosenModel) -> None:
        self._indexer = indexer
        self._models = models

    def table(self) -> dict[str, Callable[[Order], Awaitable[Reply]]]:
        """The commands by their names."""
        return {"index": self._index, "models": self._list, "model": self._model}

    async def _index(self, order: Order) -> Reply:
        known = self._indexer.collections
        if not known:
            return order.say("no_documents")
        if not order.argument:
            self._indexer.index_soon(known)
            return order.say("index_whole")
        if order.argument not in known:
            return order.say("unknown_collection")
        self._indexer.index_soon([order.argument])
        return order.say("index_one", name=order.argument)

    async def _list(self, order: Order) -> Reply:
        present = await self._models.name()
        if not self._models.possible:
            return order.say("models_settings", model=present)
        try:
            found = await self._models.installed()
        except KnowledgeError as error:
            return failure(error, order.language, self._models.config.provider)
        fit = [one.name for one in found if one.writes and not one.remote]
        rest = [one.name for one in found if one.name not in fit]
        listed = [say("model_in_use", order.language, model=name) if _same(name, present) else name for name in fit]
        lines = (
            [say("models", order.language), *(f"- {name}" for name in listed)] if fit else [say("models_none", order.language)]
        )
        lines += ["", say("models_others", order.language), *(f"- {name}" for name in rest)] if rest else []
        return Reply("\n".join(lines))

    async def _model(self, order: Order) -> Reply:
        if not self._models.possible:
            return order.say("models_settings", model=await self._models.name())
        if not order.argument:
            return order.say("model_now", model=await self._models.name())
        if len(order.argument) > _NAME_CHARS or not order.argument.isprintable() or " " in order.argument:
            return order.say("model_unknown")
        return self._told(order, await self._models.choose(None if order.argument == _DEFAULT else order.argument))

    def _told(self, order: Order, health: Health) -> Reply:
        if order.argument == _DEFAULT or health.state in {"ready", "loading"}:
            return order.say("model_chosen", model=health.model)
        if health.state == "unreachable":
            return order.say("model_unreachable", address=health.address)
        return order.say(_REFUSED[health.state], model=health.model)


def _same(listed: str, name: str) -> bool:
    """`smollm2` is listed as `smollm2:latest`."""
    return listed.lower() in {name.lower(), f"{name.lower()}:latest"}
