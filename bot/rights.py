"""What a reply may be made from: the collections that all its readers may read, and of these only those that were asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from knowledge.errors import IndexUnavailableError
from knowledge.scope import Scope, narrowed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.live import Received
    from bot.people.people import People
    from knowledge.library import Library


def scope_for(received: Received, people: People, library: Library) -> Scope:
    """The scope of a message. Raises `UnknownCollectionError` when it asks for what its readers may not read."""
    scope = library.scope(people.audience(received.person, received.message))
    asked: Sequence[str] = received.message.options.get("collections") or ()
    return narrowed(scope, asked) if asked else scope


async def require_index(library: Library, scope: Scope) -> None:
    """Nothing at all was found: that says nothing while there is nothing to be found yet. Raises `IndexUnavailableError`."""
    for one in await library.status():
        if one.name in scope.collections and not one.documents and (one.report is None or one.report.not_embedded):
            raise IndexUnavailableError(f"{one.name} is not indexed yet")
