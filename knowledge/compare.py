"""What a run has to do: the look at the folder against what is known. Pure, but for the digest of one file."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from knowledge.files import Look, Scan, Stamp
from knowledge.versions import Known

if TYPE_CHECKING:
    from collections.abc import Mapping

_FINE_NS = 50_000_000
_COARSE_NS = 3_000_000_000
_SECOND_NS = 1_000_000_000
UNTRUSTED = Stamp(-1, 0, 0)
"""The stamp of a file that may have changed while it was read: no file has it, so the next run looks into it again."""


@dataclass(slots=True)
class Plan:
    """`todo` are new and changed files, `gone` those that vanished, `refused` unchanged ones that could not be read before."""

    todo: list[tuple[str, Stamp, Known | None]] = field(default_factory=list)
    gone: dict[str, Known] = field(default_factory=dict)
    refused: list[tuple[str, str]] = field(default_factory=list)
    unchanged: int = 0
    missing: str | None = None


def compare(scan: Scan, known: Mapping[str, Known], recipe: str, *, whole: bool, prune: bool) -> Plan:
    """Compare. Not `whole`: the scan is of a few files, and the others are no concern of this run.

    A folder that is missing, or empty though it was not, removes nothing unless `prune` says so: a disk may not be mounted.
    """
    plan = Plan(missing=scan.missing)
    for path, stamp in scan.files.items():
        row = known.get(path)
        if row is None or row.stamp != stamp or row.recipe != recipe:
            plan.todo.append((path, stamp, row))
        elif row.reason is not None:
            plan.refused.append((path, row.reason))
        else:
            plan.unchanged += 1
    if whole:
        if scan.missing is None and not scan.files and not scan.other and any(row.version for row in known.values()):
            plan.missing = "the folder is empty, and it was not"
        if prune or plan.missing is None:
            unseen = () if prune else tuple(scan.unseen)
            below = tuple(name for name in unseen if name.endswith("/"))
            kept = {*scan.files, *unseen}
            plan.gone = {path: row for path, row in known.items() if path not in kept and not path.startswith(below)}
    return plan


def digest_of(look: Look, path: str) -> bytes:
    """Sixteen bytes of a file's contents. Raises `OSError`."""
    with (look.folder / path).open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).digest()


def settling_s(stamp: Stamp) -> float:
    """Seconds until a change of the file is sure to get another time: file systems count in milliseconds, some in seconds.

    A file read sooner might change once more under the same stamp (git calls it racily clean).
    """
    step = _COARSE_NS if stamp.ctime_ns % _SECOND_NS == 0 else _FINE_NS
    return max(0, min(step, step + stamp.ctime_ns - time.time_ns())) / _SECOND_NS


def trusted(look: Look, path: str, stamp: Stamp) -> bool:
    """Whether a file that was read since `stamp` was taken is sure to be what `stamp` stands for."""
    return look.stamp(path) == stamp and settling_s(stamp) == 0
