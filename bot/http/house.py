"""What the HTTP door asks of the house."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from adapters.types import Message
    from bot.live import Event
    from bot.people.people import Person
    from bot.telemetry import Telemetry


class Line(Protocol):
    """The dispatcher, as a door sees it."""

    async def receive(self, message: Message, person: Person) -> int:
        """Commit a question and return its number; the same one for the same message.

        Raises `RejectedError`, `DatabaseError`.
        """

    def follow(self, inbox_id: int) -> AsyncGenerator[Event]:
        """First the present state, then each change; the last event is `Finished`. Ends without it when the daemon leaves.

        Raises `DatabaseError`.
        """

    async def cancel(self, inbox_id: int) -> bool:
        """End a question, waiting or running. False when there was nothing to end."""


class Keys(Protocol):
    """The tokens, as a door sees them."""

    async def person(self, secret: str) -> Person | None:
        """Whom a secret belongs to: the same work for every secret, right or wrong."""


class HouseLike(Protocol):
    """The house, as this door sees it. Everything is there before the door opens; the library may still load."""

    @property
    def dispatcher(self) -> Line:
        """The line of questions."""

    @property
    def tokens(self) -> Keys:
        """Who may come in."""

    @property
    def telemetry(self) -> Telemetry:
        """What is counted."""

    @property
    def model_name(self) -> str:
        """The model that writes the answers."""

    def ready(self) -> dict[str, bool]:
        """Which parts are ready. Names no person and no collection; `database` decides whether questions can be received."""

    async def status(self, person: Person) -> dict[str, Any]:
        """What this person may know: the owner everything, others nothing of people or collections beyond their scope."""
