"""Changes in the folders, picked up within seconds: by the kernel's word where it is given, by polling on network mounts."""

from __future__ import annotations

import asyncio
import logging
import os
import re
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from watchfiles import awatch

_log = logging.getLogger(__name__)
_NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs", "9p", "afs", "ceph", "glusterfs", "fuse.rclone", "davfs"}
)
_ESCAPED = re.compile(r"\\([0-7]{3})")
"""How the kernel writes spaces and backslashes in the list of mounts; all other characters stand there as they are."""
_DEBOUNCE_MS = 800
_POLL_MS = 3000
_AGAIN_S = 30.0
_LOOK_S = 3.0


async def watch(
    folder: Path,
    changed: Callable[[set[Path]], Awaitable[None]],
    *,
    again_s: float = _AGAIN_S,
    look_s: float = _LOOK_S,
) -> None:
    """Call `changed` with the paths that were added, modified or deleted, until cancelled.

    A folder that is not there is looked for again every `again_s`. When it is back, or another one has taken its place (seen
    within `look_s`), `changed` is called with the folder itself, because nobody knows what happened meanwhile.
    """
    missed = False
    while True:
        if not await asyncio.to_thread(folder.is_dir):
            missed = True
            await asyncio.sleep(again_s)
            continue
        if missed:
            missed = False
            await changed({folder})
        try:
            polling = await asyncio.to_thread(on_network, folder)
            # Who polls sees what stands there now; over a network a folder may be given another number at any time.
            identity = folder.is_dir if polling else partial(_identity, folder)
            watched = await asyncio.to_thread(identity)
            trees = [folder] if polling else await asyncio.to_thread(_trees, folder)
            async for changes in awatch(
                *trees,
                debounce=_DEBOUNCE_MS,
                step=100,
                force_polling=polling,
                poll_delay_ms=_POLL_MS,
                recursive=True,
                rust_timeout=round(look_s * 1000),
                yield_on_timeout=True,
                ignore_permission_denied=not polling,
            ):
                if changes:  # Of 2,000 at once they take 25 ms to make: in a thread.
                    await changed(await asyncio.to_thread(set, map(Path, {path for _, path in changes})))
                if await asyncio.to_thread(identity) != watched:
                    break
        except (OSError, RuntimeError) as error:
            _log.warning("cannot watch folder error=%s; looking again in %.0f s", type(error).__name__, again_s)
            await asyncio.sleep(again_s)
        missed = True


def _identity(folder: Path) -> tuple[int, int] | None:
    """What tells the folder from another under its name. Of a mount, or of another moved there, the kernel says nothing."""
    try:
        status = folder.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _trees(folder: Path) -> list[Path]:
    """The folder, and those in it that have to be watched each for itself.

    `watchfiles` goes through a tree and ends at the first folder that may not be listed, or behind a link to one: what it has
    not come to by then would not be watched. Raises `OSError` when `folder` itself may not be listed.
    """
    os.scandir(folder).close()
    split: set[Path] = set()
    inner: list[Path] = []
    for place, names, _ in os.walk(folder):
        for child in (Path(place, name) for name in names):
            if child.is_symlink() or not os.access(child, os.R_OK | os.X_OK, effective_ids=True):
                split.update(above for above in child.parents if above.is_relative_to(folder))
            else:
                inner.append(child)
    return [folder, *(child for child in inner if child.parent in split)]


def on_network(folder: Path, mounts: Path = Path("/proc/self/mounts")) -> bool:
    """Whether the kernel cannot tell of changes there, because another machine makes them."""
    best, kind = "", ""
    for line in mounts.read_text(encoding="utf-8", errors="replace").splitlines():
        _, mount, filesystem, *_ = line.split(" ")
        mount = _ESCAPED.sub(lambda found: chr(int(found[1], 8)), mount)
        if len(mount) >= len(best) and folder.resolve().is_relative_to(mount):
            best, kind = mount, filesystem
    return kind in _NETWORK
