"""What the verbs of `grillon people` do in the daemon."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.local.house import Papers, Values, required

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.people.roster import Listed


async def list_people(papers: Papers, _: Values) -> list[Values]:
    """`people`: everybody, those of the settings first, and what each may read."""
    order = {config.name: (number, config.unix_user) for number, config in enumerate(papers.settings.people)}
    granted = {one.name: papers.people.resolve_readers(one.readers) for one in papers.settings.collections}
    found = sorted(await papers.people.list(), key=lambda one: (order.get(one.name or "", (len(order), None))[0], one.id))
    return [
        {
            "id": one.id,
            "name": one.name,
            "owner": one.owner,
            "blocked": one.blocked,
            "unix_user": order[one.name][1] if one.name in order else None,
            "identities": [
                {"identity": str(identity), "way": way} for identity, way in zip(one.identities, one.ways, strict=True)
            ],
            "reads": _reads(one, granted),
        }
        for one in found
    ]


async def owner_code(papers: Papers, _: Values) -> Values:
    """`people owner`: a code, this once."""
    return {"code": await papers.codes.owner()}


async def approve(papers: Papers, params: Values) -> Values:
    """`people approve CODE`."""
    return {"identity": str((await papers.codes.approve(required(params, "code"), "terminal")).identity)}


async def block(papers: Papers, params: Values) -> Values:
    """`people block WHO`."""
    return {"id": (await papers.people.block(required(params, "who"))).id}


async def unblock(papers: Papers, params: Values) -> Values:
    """`people unblock WHO`."""
    return {"id": (await papers.people.unblock(required(params, "who"))).id}


def _reads(person: Listed, granted: Mapping[str, frozenset[str]]) -> list[str]:
    if not person.active or person.blocked:
        return []
    theirs = {"everyone", f"person:{person.id}"} | ({"owner"} if person.owner else set())
    return [name for name, readers in granted.items() if (readers or {"owner"}) & theirs]
