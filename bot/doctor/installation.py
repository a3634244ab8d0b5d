"""What can be wrong with an installation, and the remedy for each: folders, database, index, models, tokens."""

from __future__ import annotations

import asyncio
import grp
import os
import pwd
import shlex
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from bot.database.backup import verify
from bot.errors import GrillonError
from bot.state import room
from knowledge.errors import KnowledgeError
from knowledge.files import Look

if TYPE_CHECKING:
    from pathlib import Path

    from bot.settings.fields import Settings
    from bot.tokens import Token
    from knowledge.config import CollectionConfig
    from knowledge.holdings import CollectionStatus
    from knowledge.models import Health

Provider = Literal["ollama", "openai", "embedded"]

_START: dict[Provider, str] = {
    "ollama": "systemctl start ollama",
    "openai": "start that server, or correct `address` in the settings",
    "embedded": "pip install 'grillon[embedded]', into the environment of the service",
}
_INSTALL: dict[Provider, str] = {
    "ollama": "ollama pull {model}",
    "openai": "have that server load it, or correct `name` in the settings",
    "embedded": "have `name` in the settings be a GGUF file that the service can read",
}
_ALL_ON_GPU = 0.999
_ROOM_MB = 100
"""A disk with less is as good as full: the next backup takes as much as the database."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, how it is, and what to do about it."""

    about: str
    state: Literal["fine", "warning", "wrong"]
    sentence: str
    remedy: str = ""


def fine(about: str, sentence: str) -> Finding:
    """Nothing to do."""
    return Finding(about, "fine", sentence)


async def folders(settings: Settings, *, serving: bool) -> list[Finding]:
    """Whether this process can read each document. `serving`: this is the daemon, whose view of the disk may be narrower."""
    return [await asyncio.to_thread(folder, collection, serving=serving) for collection in settings.collections]


def folder(collection: CollectionConfig, *, serving: bool) -> Finding:
    """Whether this process can read each document of a collection. Looks at every file: call it in a thread."""
    about, path = f"folder {collection.name}", collection.folder
    look = Look(path, collection.include, collection.exclude).scan()
    if not path.is_dir():
        shown = " or, if it is there, let the service see it: `grillon service` prints how" if serving else ""
        return Finding(about, "wrong", f"{path} is not there", f"create or mount it, or correct `folder` in the settings{shown}")
    closed = [path / name for name in look.unseen]
    closed += [path / name for name in look.files if not os.access(path / name, os.R_OK, effective_ids=True)]
    if closed:
        sentence = f"{len(closed)} of {len(look.files) + len(look.unseen)} in {path} cannot be read, as {closed[0]}"
        return Finding(about, "wrong", sentence, f"as root: {opening(path, closed[0])}")
    if not look.files:
        return Finding(about, "warning", f"{path} holds no document", "put documents there, or correct `include` in the settings")
    return fine(about, f"{len(look.files)} files in {path} can be read")


def opening(path: Path, closed: Path) -> str:
    """The command that lets this account read a folder: its group where that is enough, else an access list."""
    account = pwd.getpwuid(os.geteuid()).pw_name
    try:
        status = closed.stat()
    except OSError:
        status = None
    if status is not None and status.st_mode & 0o040 and status.st_gid != 0:
        return f"usermod -aG {_group_name(status.st_gid)} {account}, then restart the service"
    install = "" if shutil.which("setfacl") else "apt install acl && "
    return f"{install}setfacl -R -m u:{account}:rX -m d:u:{account}:rX {shlex.quote(str(path))}"


def disk(folder: Path) -> Iterator[Finding]:
    """Whether the state can be written. Nothing of one that is not there, or not ours to look at."""
    try:
        free = room(folder) // 10**6
    except OSError:
        return
    if free >= _ROOM_MB:
        yield fine("disk", f"{free} MB are free for {folder}")
    else:
        remedy = f"make room; where there is enough, it is mounted for reading only: findmnt --target {shlex.quote(str(folder))}"
        yield Finding("disk", "wrong", f"{free} MB can be written in {folder}, which is too little", remedy)


async def database(path: Path) -> Finding:
    """Whether the database is sound."""
    try:
        await asyncio.to_thread(verify, path)
    except (GrillonError, sqlite3.Error) as error:
        return Finding("database", "wrong", f"{path}: {error}", "restore the last backup: grillon db restore FILE")
    return fine("database", f"{path} is sound")


def index(statuses: Sequence[CollectionStatus], wrong: Sequence[str]) -> Iterator[Finding]:
    """Whether each collection is indexed, and whether the index agrees with the database."""
    for sentence in wrong:
        yield Finding("index", "wrong", sentence, "it mends itself within minutes; else restart the service")
    for status in statuses:
        yield _collection(status)


def _collection(status: CollectionStatus) -> Finding:
    about, again = f"index {status.name}", f"grillon index {status.name}"
    counts = f"{status.documents} documents, {status.chunks} chunks"
    if status.missing:
        remedy = f"mount or fill it, or give its documents up: {again} --prune"
        return Finding(about, "wrong", f"{status.missing}; what was indexed is kept ({counts})", remedy)
    if status.pending:
        return Finding(
            about, "warning", f"{status.pending} of {status.chunks} chunks wait for the embedding model", f"wait, or: {again}"
        )
    if status.report is not None and status.report.skipped:
        path, reason = status.report.skipped[0]
        sentence = f"{counts}; {len(status.report.skipped)} files were skipped, as {path}: {reason}"
        return Finding(about, "warning", sentence, f"mend or exclude them; {again} lists them all")
    if not status.documents:
        return Finding(about, "warning", "nothing is indexed yet", again)
    return fine(about, counts)


def model(about: str, provider: Provider, health: Health) -> Finding:
    """Whether a model can answer, and where it runs."""
    named = f"{health.model} at {health.address}" if health.address else health.model
    start, install = _START[provider], _INSTALL[provider].format(model=health.model)
    match health.state:
        case "unreachable":
            return Finding(about, "wrong", f"nothing answers at {health.address}: {health.detail}", start)
        case "missing":
            return Finding(about, "wrong", f"{named} is not installed", install)
        case "remote":
            remedy = "choose one that runs in the house, or allow it by name in `remote`"
            return Finding(about, "wrong", f"{named} runs on a server elsewhere", remedy)
        case "unfit":
            return Finding(about, "wrong", f"{named} cannot do this: {health.detail}", "choose another `name` in the settings")
        case "loading" | "ready":
            return _running(about, named, health)


def _running(about: str, named: str, health: Health) -> Finding:
    share = health.vram_share
    if share is not None and share < _ALL_ON_GPU:
        remedy = "choose a smaller model or `context_window`, or free the GPU; ollama ps shows what is on it"
        return Finding(about, "warning", f"only {share:.0%} of {named} is on the GPU: it will be slow", remedy)
    if health.detail:
        return Finding(about, "warning", f"{named}: {health.detail}", "update the server, or correct the settings")
    place = "" if share is None else ", wholly on the GPU"
    return fine(about, f"{named} is {'in memory' + place if health.state == 'ready' else 'installed'}")


def tokens(settings: Settings, found: Sequence[Token]) -> Finding:
    """Whether anybody can come in by HTTP."""
    orphans = [token.name for token in found if token.person is None]
    if orphans:
        remedy = f"declare that person again, or: grillon token revoke {orphans[0]}"
        return Finding("tokens", "warning", f"the person of {orphans[0]} is not declared any more", remedy)
    if settings.http.enabled and not found:
        return Finding("tokens", "warning", "nobody can use the HTTP door: there is no token", "grillon token create NAME")
    return fine("tokens", f"{len(found)} in force")


def failure(about: str, error: GrillonError | KnowledgeError) -> Finding:
    """What kept us from looking."""
    return Finding(about, "wrong", str(error), "see the daemon's log: journalctl -u grillon")


def _group_name(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
