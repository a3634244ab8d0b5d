"""The collections an audience may read. Everything that searches takes a `Scope`; there is no default and no way around it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from knowledge.errors import UnknownCollectionError

EVERYONE = "everyone"
OWNER = "owner"


@dataclass(frozen=True, slots=True)
class Scope:
    """The names of the collections an audience may read. Made by `scope_of` alone."""

    collections: frozenset[str]


def scope_of(readers_by_collection: Mapping[str, frozenset[str]], audience: frozenset[str]) -> Scope:
    """The collections of which at least one reader is in the audience.

    Readers are opaque strings: `everyone`, `owner`, `person:12`, `discord-role:7`, `chat:telegram:-100`. A collection without
    readers is the owner's alone.
    The audience of a shared chat holds `everyone` and its own `chat:…`, nothing of any one person's.
    """
    return Scope(frozenset(name for name, readers in readers_by_collection.items() if (readers or frozenset({OWNER})) & audience))


def narrowed(scope: Scope, names: Iterable[str]) -> Scope:
    """The part of the scope a question asks for by name. Raises `UnknownCollectionError` for any name outside of it."""
    wanted = frozenset(names)
    unknown = wanted - scope.collections
    if unknown:
        raise UnknownCollectionError(f"there is no collection called {min(unknown)!r} that you may read")
    return Scope(wanted)
