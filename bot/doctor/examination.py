"""The examination of `grillon doctor`: by the daemon of itself, or by the verb where none runs."""

from __future__ import annotations

import asyncio
import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bot.database.database import Database
from bot.database.schema import revision
from bot.doctor import installation
from bot.doctor.bots import bots
from bot.doctor.installation import Finding
from bot.drop_in import SERVICE_ACCOUNT
from bot.errors import GrillonError
from bot.places import exists, refuse_foreign
from bot.state import State, database_path, state_folder
from bot.tables import REVISION
from bot.tokens import Tokens
from knowledge import holdings
from knowledge.errors import KnowledgeError

if TYPE_CHECKING:
    from bot.local.house import House
    from bot.settings.fields import Settings


async def of_house(house: House) -> list[Finding]:
    """What the daemon finds: with its own rights, its own models, its own index."""
    settings = house.settings
    findings = await installation.folders(settings, serving=True)
    findings += installation.disk(house.state.folder)
    findings.append(await installation.database(house.state.database))
    try:
        loaded = await house.loaded()
        findings += installation.index(await loaded.library.status(), await loaded.library.check())
        findings.append(installation.model("model", settings.model.provider, await loaded.model.check()))
        findings.append(installation.model("embedding", settings.embedding.provider, await loaded.embedder.check()))
    except (GrillonError, KnowledgeError) as error:
        findings.append(installation.failure("library", error))
    findings.append(installation.tokens(settings, await house.tokens.list()))
    return findings + await bots(settings, {name: platform.status for name, platform in house.platforms.items()})


def alone(settings: Settings) -> list[Finding]:
    """What can be found without a daemon; root looks at the folders with the eyes of the service's account."""
    with _eyes_of(SERVICE_ACCOUNT):
        findings = [installation.folder(collection, serving=False) for collection in settings.collections]
    return findings + asyncio.run(_rest(settings))


async def _rest(settings: Settings) -> list[Finding]:
    try:
        stored = await _stored(settings)
    except GrillonError as error:
        stored = [
            Finding("database", "warning", f"not looked at: {error}", "start the daemon, or use the account of the service")
        ]
    return [*installation.disk(state_folder(settings.state)), *stored, *await _models(settings), *await bots(settings, None)]


async def _stored(settings: Settings) -> list[Finding]:
    """What the database tells. One of another version is left as it is: `grillon run` upgrades it."""
    folder = state_folder(settings.state)
    path = database_path(folder)
    if not exists(path):
        return [installation.fine("database", f"{path} will be made by the first `grillon run`")]
    refuse_foreign(folder)
    with State.claim(folder):
        sound = await installation.database(path)
        if sound.state != "fine" or await asyncio.to_thread(revision, path) != REVISION:
            return [sound]
        stored = await Database.open(path)
        try:
            statuses, faults = await stored.read(holdings.status), await stored.read(holdings.faults)
            found = await Tokens(stored).list()
        finally:
            await stored.close()
    return [sound, *installation.index(statuses, faults), installation.tokens(settings, found)]


async def _models(settings: Settings) -> list[Finding]:
    from knowledge.choose import chat_model, embedder

    model, vectors = chat_model(settings.model), embedder(settings.embedding)
    try:
        return [
            installation.model("model", settings.model.provider, await model.check()),
            installation.model("embedding", settings.embedding.provider, await vectors.check()),
        ]
    finally:
        await model.close()
        await vectors.close()


@contextmanager
def _eyes_of(name: str) -> Iterator[None]:
    """Look at files as another account, which only root can. Not beside other threads: rights belong to the whole process."""
    try:
        account = pwd.getpwnam(name) if os.geteuid() == 0 else None
    except KeyError:
        account = None
    if account is None:
        yield
        return
    groups, group = os.getgroups(), os.getegid()
    os.setgroups(os.getgrouplist(name, account.pw_gid))
    os.setegid(account.pw_gid)
    os.seteuid(account.pw_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
        os.setgroups(groups)
