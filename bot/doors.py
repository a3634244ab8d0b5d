"""What the dispatcher asks of a door, and the door whose replies are fetched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from adapters.types import Live, Origin, Part, Reply


class Door(Protocol):
    """The part of `adapters.types.Platform` that shows and delivers."""

    async def show(self, origin: Origin, live: Callable[[], Live | None]) -> str | None:
        """Show how an answer is coming on; the platform's id of the message that shows it."""

    def parts(self, origin: Origin, reply: Reply) -> Sequence[Part]:
        """Cut the final text. Runs off the event loop."""

    async def send(self, origin: Origin, part: Part, key: str, *, tried_s: float | None = None) -> str | None:
        """Send one part; raises `NotSentError`, `UnknownError`, `RefusedError`."""


class PullDoor:
    """HTTP and terminal: a reply is delivered once it is stored: whoever follows or asks again finds it. It has no parts."""

    async def show(self, _origin: Origin, _live: Callable[[], Live | None]) -> str | None:
        """Never called: who wants to see it follows."""
        raise NotImplementedError

    def parts(self, _origin: Origin, _reply: Reply) -> Sequence[Part]:
        """Nothing is to be sent."""
        return ()

    async def send(self, _origin: Origin, _part: Part, _key: str, *, tried_s: float | None = None) -> str | None:
        """Never called: there are no parts."""
        raise NotImplementedError
