"""How the house is, in a few sentences: `/status` and `/collections`, for the readers of one chat."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from bot.replies import detail
from bot.rights import scope_for
from bot.speech.sentences import Language, say

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from bot.live import Received
    from bot.loading import Loaded
    from bot.people.people import People
    from knowledge.library import CollectionStatus, Library

_MODEL = {"ready": "status_model_ready", "loading": "status_model_loading", "unknown": "status_model_unknown"}


class HouseLike(Protocol):
    """What is asked of the house."""

    started_at: float

    @property
    def library(self) -> Library | None:
        """The library, None until it is loaded."""

    def waiting(self) -> int:
        """How many messages wait for their turn."""

    def model_status(self) -> dict[str, Any]:
        """The chat model: at least its `name` and its `state`."""


class Condition:
    """Says how the house is. The readers of the chat hear of no collection that they may not read."""

    def __init__(self, house: HouseLike, people: People, loaded: Callable[[], Awaitable[Loaded]]) -> None:
        self._house = house
        self._people = people
        self._loaded = loaded

    async def collections(self, received: Received, language: Language) -> str:
        """The collections that may be used in this chat, each with its documents."""
        held = await self._readable(received, (await self._loaded()).library)
        if not held:
            return say("no_documents", language)
        lines = (f"- {say('collection', language, name=one.name, count=one.documents)}" for one in held)
        return "\n".join((say("collections", language), *lines))

    async def told(self, received: Received, language: Language) -> str:
        """Queue, model, index; the owner hears more, in a private chat."""
        model = self._house.model_status()
        waiting = self._house.waiting()
        lines = [
            say("status_waiting", language, count=waiting) if waiting else say("status_idle", language),
            say(_MODEL.get(model["state"], "status_model_away"), language, model=model["name"]),
        ]
        library = self._house.library
        held = await self._readable(received, library) if library else []
        lines += _index(held, language) if library else [say("status_loading", language)]
        if received.person.owner and received.message.private:
            lines += self._for_owner(held, model, language)
        return "\n".join(f"- {line}" for line in lines)

    async def _readable(self, received: Received, library: Library) -> list[CollectionStatus]:
        scope = scope_for(received, self._people, library)
        return [one for one in await library.status() if one.name in scope.collections]

    def _for_owner(self, held: Sequence[CollectionStatus], model: dict[str, Any], language: Language) -> list[str]:
        skipped = {one.name: len(one.report.skipped) for one in held if one.report and one.report.skipped}
        lines = [say("status_skipped", language, name=name, count=count) for name, count in skipped.items()]
        lines += [say("status_missing", language, name=one.name) for one in held if one.missing]
        if model.get("detail"):
            lines.append(say("status_detail", language, model=model["name"], detail=detail(str(model["detail"]), language)))
        since = datetime.fromtimestamp(self._house.started_at, UTC).astimezone().strftime("%Y-%m-%d %H:%M")
        return [*lines, say("status_since", language, since=since)]


def _index(held: Sequence[CollectionStatus], language: Language) -> list[str]:
    documents, pending = sum(one.documents for one in held), sum(one.pending for one in held)
    lines = [say("status_documents", language, count=documents)]
    return [*lines, say("status_pending", language, count=pending)] if pending else lines
