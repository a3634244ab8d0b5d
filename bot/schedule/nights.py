"""The jobs of the night, as work: re-index each collection, back up, check, prune."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from bot.database.backup import back_up, drop_older, verify
from bot.errors import GrillonError
from bot.forget import DAY_S
from bot.schedule.schedule import Job, Schedule

if TYPE_CHECKING:
    from bot.app import House


def schedule_of(house: House) -> Schedule:
    """The jobs of the settings, with their hours; not started yet."""
    times = house.settings.schedule
    indexing = [
        Job(f"index:{config.name}", config.schedule, partial(_index, house, config.name)) for config in house.settings.collections
    ]
    night = [
        *indexing,
        Job("backup", times.backup, partial(_back_up, house)),
        Job("check", times.check, partial(_check, house)),
        Job("prune", times.prune, partial(_prune, house)),
    ]
    return Schedule(house.database, night, times.deadline_s)


async def _index(house: House, name: str) -> str:
    report = await house.reindex(name)
    if report.missing_folder:
        raise GrillonError(f"the folder of {name} is missing or empty; its index was kept")
    counts = f"{report.added} added, {report.changed} changed, {report.removed} removed, {report.unchanged} unchanged"
    return f"{counts}, {len(report.skipped)} skipped"


async def _back_up(house: House) -> str:
    kept = house.settings.schedule.backups_kept
    path = await asyncio.to_thread(back_up, house.state.database, house.state.backups, keep=kept)
    return path.name


async def _check(house: House) -> str:
    await asyncio.to_thread(verify, house.state.database)
    wrong = await (await house.loaded()).library.check()
    if wrong:
        raise GrillonError("; ".join(wrong))
    return "the database and the index are sound"


async def _prune(house: House) -> str:
    removed = await house.inbox.prune(house.settings.memory.days)
    await asyncio.to_thread(drop_older, house.state.backups, house.settings.schedule.backups_kept * DAY_S)
    return f"{removed} rows out of date removed"
