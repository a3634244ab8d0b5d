"""Who asks: the person a bearer token belongs to.

There are no cookies and no CORS headers: a page in somebody's browser, also one that rebinds its name to our address, has no
token to send and could not read the answer, so that the Host header need not be looked at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.http.errors import ProblemError

if TYPE_CHECKING:
    from aiohttp import web

    from bot.http.house import Keys
    from bot.people.people import Person


async def person_of(request: web.BaseRequest, keys: Keys) -> Person:
    """The person who asks.

    Raises `ProblemError` 401: missing, malformed, wrong and revoked get one answer after the same work.
    """
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    person = await keys.person(secret.strip() if scheme.lower() == "bearer" else "")
    if person is None:
        raise ProblemError(
            "unauthorised",
            "This needs a valid token: Authorization: Bearer TOKEN. “grillon token create NAME” makes one.",
            headers={"WWW-Authenticate": "Bearer"},
        )
    return person


def owner_only(person: Person) -> None:
    """Raises `ProblemError` 403 unless the person is an owner."""
    if not person.owner:
        raise ProblemError("forbidden", "Only an owner may see this.")
