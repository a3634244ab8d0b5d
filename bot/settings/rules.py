"""What no single field can say of itself: unique names, known readers, globs, cron lines, sizes that fit into each other."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from bot.errors import SettingsError
from bot.settings.cron import cron_fields
from bot.settings.problems import Key, did_you_mean, shown
from knowledge.files import matcher
from knowledge.readers import SUFFIXES

if TYPE_CHECKING:
    from bot.settings.fields import Settings
    from knowledge.config import CollectionConfig

_GROUP_READER = re.compile(r"(discord)-role:[0-9]+|chat:(?:(telegram):-?[0-9]+|(discord):[0-9]+)")
_IDENTITY = re.compile(r"(?:discord|telegram):[1-9]\d{0,19}", re.ASCII)
_KEEP_ALIVE = re.compile(r"[-+]?(?:[0-9]{1,9}|(?:[0-9]{1,8}(?:\.[0-9]{1,8})?(?:h|m|s|ms|us|µs|ns))+)")
"""What Ollama takes: a number of seconds, or a duration as Go reads it. It refuses every call that carries anything else."""
_RESERVED = frozenset({"everyone", "owner"})

Problem = tuple[Key, str]


def check(settings: Settings, sources: Mapping[Key, str]) -> None:
    """Raise `SettingsError` for the first broken rule, saying where the value came from."""
    for rule in (_people, _collections, _globs, _readers, _cron_lines, _sizes, _addresses, _keep_alive, _webhook):
        for key, problem in rule(settings):
            raise SettingsError(f"{_where(key, sources)}: {problem}")


def warnings(settings: Settings, sources: Mapping[Key, str]) -> Iterator[str]:
    """What may be meant, but does nothing as it is, or more than was meant."""
    for key, problem in (*_absent(settings), *_unheard(settings), *_overlapping(settings)):
        yield f"{_where(key, sources)}: {problem}"


def _where(key: Key, sources: Mapping[Key, str]) -> str:
    above = (key[:length] for length in range(len(key), 0, -1))
    return next((sources[part] for part in above if part in sources), "the settings")


def _people(settings: Settings) -> Iterator[Problem]:
    for number, person in enumerate(settings.people):
        if person.name.casefold() in _RESERVED or ":" in person.name:
            yield (
                ("people", number, "name"),
                f"a person cannot be called {person.name!r}: everyone, owner and names with a colon are taken",
            )
    yield from _identities(settings)
    yield from _twice("people", "name", [person.name.casefold() for person in settings.people])
    yield from _twice("people", "unix_user", [person.unix_user for person in settings.people])


def _identities(settings: Settings) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for number, person in enumerate(settings.people):
        for identity in person.identities:
            key = ("people", number, "identities")
            if not _IDENTITY.fullmatch(identity):
                yield (
                    key,
                    f"{person.name} has an identity {identity!r}; one is written telegram:ID or discord:ID, the ID in digits",
                )
            if identity in seen:
                yield key, f"{seen[identity]} and {person.name} have the same identity {identity!r}; it is one person's"
            seen[identity] = person.name


def _collections(settings: Settings) -> Iterator[Problem]:
    yield from _twice("collections", "name", [collection.name for collection in settings.collections])


def _twice(table: str, field: str, values: list[str] | list[str | None]) -> Iterator[Problem]:
    for number, value in enumerate(values):
        if value is not None and value in values[:number]:
            yield (table, number, field), f"two {table} have the same {field} {value!r}; each needs its own"


def _readers(settings: Settings) -> Iterator[Problem]:
    people = {person.name for person in settings.people}
    for number, collection in enumerate(settings.collections):
        for reader in collection.readers:
            if reader not in people | {"everyone"} and not _GROUP_READER.fullmatch(reader):
                known = did_you_mean(reader, people | {"everyone", "discord-role:ID", "chat:discord:ID", "chat:telegram:ID"})
                yield (
                    ("collections", number, "readers"),
                    f"the collection {collection.name} has an unknown reader {reader!r}; {known}",
                )


def _globs(settings: Settings) -> Iterator[Problem]:
    for number, collection in enumerate(settings.collections):
        for field in ("include", "exclude"):
            for glob in getattr(collection, field):
                key = ("collections", number, field)
                try:
                    matcher([glob])
                except re.error as error:
                    yield key, f"`{shown(key)}` holds {glob!r}, which is no glob: {error.msg}"


def _cron_lines(settings: Settings) -> Iterator[Problem]:
    collections = [(("collections", number, "schedule"), one.schedule) for number, one in enumerate(settings.collections)]
    jobs = [(("schedule", name), getattr(settings.schedule, name)) for name in ("backup", "check", "prune")]
    for key, line in (*collections, *jobs):
        try:
            cron_fields(line)
        except ValueError as error:
            yield key, f"`{shown(key)}` is {line!r}; {error}"


def _sizes(settings: Settings) -> Iterator[Problem]:
    model, retrieval = settings.model, settings.retrieval
    if model.answer_tokens > model.context_window // 2:
        allowed = f"at most half of the context window of {model.context_window}"
        yield ("model", "answer_tokens"), f"`model.answer_tokens` is {model.answer_tokens}; {allowed}"
    if retrieval.chunk_overlap > retrieval.chunk_tokens // 2:
        allowed = f"at most half of the {retrieval.chunk_tokens} tokens of a chunk"
        yield ("retrieval", "chunk_overlap"), f"`retrieval.chunk_overlap` is {retrieval.chunk_overlap}; {allowed}"


def _addresses(settings: Settings) -> Iterator[Problem]:
    for name, section in (("model", settings.model), ("embedding", settings.embedding)):
        if not re.match(r"https?://[^\s/]+", section.address):
            yield (name, "address"), f"`{name}.address` is {section.address!r}; it begins with http:// or https://"


def _keep_alive(settings: Settings) -> Iterator[Problem]:
    for name, section in (("model", settings.model), ("embedding", settings.embedding)):
        if not _KEEP_ALIVE.fullmatch(section.keep_alive):
            allowed = "seconds (-1: for ever), or a duration such as 30m or 1h30m"
            yield (name, "keep_alive"), f"`{name}.keep_alive` is {section.keep_alive!r}; it is written as {allowed}"


def _webhook(settings: Settings) -> Iterator[Problem]:
    if settings.telegram.mode == "webhook" and not settings.http.enabled:
        yield ("telegram", "mode"), "`telegram.mode` is webhook, which comes in by the HTTP door; `http.enabled` is false"


def _absent(settings: Settings) -> Iterator[Problem]:
    """Readers on a platform of which nothing is set. A token may be a credential, which the service alone sees."""
    sections = {"telegram": settings.telegram, "discord": settings.discord}
    untouched = {name for name, section in sections.items() if section == type(section)()}
    for number, collection in enumerate(settings.collections):
        for reader in collection.readers:
            found = _GROUP_READER.fullmatch(reader)
            platform = next(filter(None, found.groups()), "") if found else ""
            if platform in untouched:
                yield (
                    ("collections", number, "readers"),
                    f"{reader!r} may read {collection.name}, but nothing is set under [{platform}]: nobody comes in there",
                )


def _unheard(settings: Settings) -> Iterator[Problem]:
    discord = settings.discord
    if discord.free_chats and not discord.message_content:
        yield (
            ("discord", "free_chats"),
            "`discord.free_chats` need `discord.message_content = true`, and the intent in the developer portal",
        )


def _overlapping(settings: Settings) -> Iterator[Problem]:
    """Collections whose documents are found in another one too, by people who may not read them there."""
    for number, outer in enumerate(settings.collections):
        for inner in settings.collections:
            below = _below(inner, outer)
            if inner is outer or below is None or not _who(outer) - _who(inner) or "everyone" in inner.readers:
                continue
            if _takes(outer, below):
                remedy = f'; if that is not meant: `exclude = ["{below}/"]` in {outer.name}' if below else ""
                sentence = f"the folder of {inner.name} is in that of {outer.name}, whose readers find its documents too{remedy}"
                yield ("collections", number, "folder"), sentence


def _who(collection: CollectionConfig) -> frozenset[str]:
    """Who may read it; without readers it is the owner's."""
    return frozenset(collection.readers or {"owner"})


def _below(inner: CollectionConfig, outer: CollectionConfig) -> str | None:
    """The folder of one collection as a path in that of another, empty for the same folder; None where it is elsewhere."""
    path, above = (Path(os.path.abspath(one.folder)) for one in (inner, outer))  # noqa: PTH100 -- no look at the disk: no waiting for it
    if path == above:
        return ""
    return path.relative_to(above).as_posix() if path.is_relative_to(above) else None


def _takes(collection: CollectionConfig, below: str) -> bool:
    """Whether a document in this folder of a collection belongs to it, whatever its suffix is."""
    include, exclude = matcher(collection.include).fullmatch, matcher(collection.exclude).fullmatch
    parts = below.split("/") if below else []
    if any(exclude("/".join(parts[:length]) + "/") for length in range(1, len(parts) + 1)):
        return False
    names = ("/".join([*parts, f"x{suffix}"]) for suffix in SUFFIXES)
    return any(include(name) and not exclude(name) for name in names)
