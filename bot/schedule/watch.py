"""Changes in the folders, picked up within seconds: by the kernel's word where it is given, by polling on network mounts."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

from watchfiles import awatch

_log = logging.getLogger(__name__)
_NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs", "9p", "afs", "ceph", "glusterfs", "fuse.rclone", "davfs"}
)
_DEBOUNCE_MS = 800
_POLL_MS = 3000
_AGAIN_S = 30.0


async def watch(folder: Path, changed: Callable[[set[Path]], Awaitable[None]], *, again_s: float = _AGAIN_S) -> None:
    """Call `changed` with the paths that were added, modified or deleted, until cancelled.

    A folder that is not there, or goes away (unmounted), is looked for again; when it is back, `changed` is called with the
    folder itself, because nobody knows what happened meanwhile.
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
            async for changes in awatch(
                folder, debounce=_DEBOUNCE_MS, step=100, force_polling=polling, poll_delay_ms=_POLL_MS, recursive=True
            ):
                # Of 2,000 at once they take 25 ms to make: in a thread.
                await changed(await asyncio.to_thread(set, map(Path, {path for _, path in changes})))
                if not await asyncio.to_thread(folder.is_dir):
                    break
        except (OSError, RuntimeError) as error:
            _log.warning("cannot watch folder error=%s; looking again in %.0f s", type(error).__name__, again_s)
            await asyncio.sleep(again_s)
        missed = True


def on_network(folder: Path) -> bool:
    """Whether the kernel cannot tell of changes there, because another machine makes them."""
    best, kind = "", ""
    for line in Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace").splitlines():
        _, mount, filesystem, *_ = line.split(" ")
        mount = mount.encode().decode("unicode_escape")
        if len(mount) >= len(best) and folder.resolve().is_relative_to(mount):
            best, kind = mount, filesystem
    return kind in _NETWORK
