"""What the dispatcher asks of a door when a reply is ready, and the door whose replies are fetched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapters.types import Message, Part, Reply


class Door(Protocol):
    """The part of `adapters.types.Platform` that delivers."""

    def parts(self, reply: Reply) -> Sequence[Part]:
        """Cut the final text. Runs off the event loop."""

    async def send(self, origin: Message, part: Part, key: str) -> str | None:
        """Send one part; raises `NotSentError`, `UnknownError`, `RefusedError`."""


class PullDoor:
    """HTTP and terminal: a reply is delivered once it is stored: whoever follows or asks again finds it. It has no parts."""

    def parts(self, _reply: Reply) -> Sequence[Part]:
        """Nothing is to be sent."""
        return ()

    async def send(self, _origin: Message, _part: Part, _key: str) -> str | None:
        """Never called: there are no parts."""
        raise NotImplementedError
