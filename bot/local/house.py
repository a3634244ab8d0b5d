"""What the verbs ask of the house, and what a verb is given: the seam between the local socket and `bot.app`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from bot.errors import RejectedError

if TYPE_CHECKING:
    from adapters.types import Platform
    from bot.dispatch import Dispatcher
    from bot.loading import Loaded
    from bot.local.access import Peer
    from bot.people.codes import Codes
    from bot.people.people import People, Person
    from bot.settings.fields import Settings
    from bot.state import State
    from bot.tokens import Tokens
    from knowledge.library import IndexReport, Progress

Values = dict[str, Any]

_TEXT_CHARS = 200


class Papers(Protocol):
    """What lies in the database, and the settings."""

    @property
    def settings(self) -> Settings:
        """The settings in force."""

    @property
    def state(self) -> State:
        """The state folder, held by this process."""

    @property
    def people(self) -> People:
        """The people of the house."""

    @property
    def codes(self) -> Codes:
        """The one-time codes."""

    @property
    def tokens(self) -> Tokens:
        """The tokens of the HTTP door."""


class House(Papers, Protocol):
    """What the verbs ask of `bot.app.House`."""

    @property
    def dispatcher(self) -> Dispatcher:
        """The line of questions."""

    @property
    def platforms(self) -> Mapping[str, Platform]:
        """The chat platforms that have a token, by name."""

    async def loaded(self) -> Loaded:
        """Wait until the library and the models are there."""

    async def status(self, person: Person) -> Values:
        """What a person may know of the house."""

    async def reindex(self, name: str, *, prune: bool = False, progress: Callable[[Progress], None] | None = None) -> IndexReport:
        """Bring a collection up to date with its folder."""


@dataclass(slots=True)
class Request:
    """What a peer asks. `keep`: whoever asked will be back, so that leaving cancels nothing."""

    peer: Peer
    params: Values
    keep: bool = False


def text_of(params: Values, name: str) -> str | None:
    """A parameter, None without it. Raises `RejectedError` for what is no text, or a long one."""
    value = params.get(name)
    if value is not None and not (isinstance(value, str) and len(value) <= _TEXT_CHARS):
        raise RejectedError("invalid", f"`{name}` has to be a text of at most {_TEXT_CHARS} characters")
    return value


def required(params: Values, name: str) -> str:
    """A parameter that has to be there. Raises `RejectedError`."""
    value = text_of(params, name)
    if not value:
        raise RejectedError("invalid", f"`{name}` is missing")
    return value
