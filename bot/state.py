"""The state folder: where everything that lasts is kept, private, and owned by one process at a time."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from bot.errors import DatabaseError, GrillonError, SettingsError, StateInUseError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType


_OURS = frozenset({"lock", "grillon.sock", "index", "backups", "attachments", "lost+found"})
"""What a state without its database may hold; the last is of a disk of its own."""
_DISK = frozenset({errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EIO})
"""What the settings are not to blame for: a service that is started again may find it mended."""


def state_folder(setting: Path | None, environment: Mapping[str, str] = os.environ) -> Path:
    """The folder to use: the setting (or `--state`), else `$STATE_DIRECTORY`, else the user's data folder."""
    if setting is not None:
        return setting.expanduser().absolute()
    given = environment.get("STATE_DIRECTORY", "").split(":")[0]  # systemd lists several, separated by colons
    if given:
        return Path(given)
    from platformdirs import user_data_path  # not needed under systemd

    return user_data_path("grillon", appauthor=False)


class State:
    """The state folder, held by this process until `release` or its death (a lock of the kernel, void with the process)."""

    def __init__(self, folder: Path, lock: int) -> None:
        self.folder = folder
        self.database = database_path(folder)
        self.index = folder / "index"
        self.backups = folder / "backups"
        self.attachments = folder / "attachments"
        self._lock: int | None = lock

    @classmethod
    def claim(cls, folder: Path, *, create: bool = False) -> State:
        """Take the folder, with mode 0700. Only `grillon run` creates one.

        Raises `StateInUseError` with the pid of the process that holds it, `SettingsError` when it is missing or not ours,
        as a folder of documents: its rights would be taken from everybody. `DatabaseError` when the disk takes nothing.
        """
        try:
            if create:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                _refuse_others(folder)
            if folder.stat().st_mode & 0o777 != 0o700:
                folder.chmod(0o700)
            lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except FileNotFoundError as error:
            raise SettingsError(f"There is no state in {folder}: “grillon run” creates it, --state names another.") from error
        except OSError as error:
            raise _unusable(folder, error) from error
        try:
            _lock(lock)
        except BlockingIOError as error:
            os.close(lock)
            raise _in_use(folder) from error
        try:
            os.ftruncate(lock, 0)
            os.pwrite(lock, str(os.getpid()).encode(), 0)
        except OSError as error:
            os.close(lock)
            raise _unusable(folder, error) from error
        return cls(folder, lock)

    def release(self) -> None:
        """Give the folder back."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.release()


def _refuse_others(folder: Path) -> None:
    """Raise `SettingsError` for a folder that somebody keeps other things in."""
    if database_path(folder).exists():
        return
    names = (path.name for path in folder.iterdir())  # hidden ones: the folder may be the home of the service's account
    other = next((name for name in names if name not in _OURS and not name.startswith((".", "grillon.db"))), None)
    if other is not None:
        raise SettingsError(f"The folder {folder} holds other things, as {other}: name an empty or a new one as `state`.")


def _unusable(folder: Path, error: OSError) -> GrillonError:
    if error.errno in _DISK:
        return DatabaseError(
            f"The state folder {folder} cannot be written: {error.strerror}. Make room, or mount it for writing."
        )
    return SettingsError(f"The state folder {folder} cannot be used: {error.strerror}. Check who owns it.")


def _lock(lock: int) -> None:
    """Lock, or raise `BlockingIOError`. `owner_pid` of another process holds it for some microseconds: that is no owner."""
    for wait_s in (0.01, 0.05):
        with contextlib.suppress(BlockingIOError):
            return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        time.sleep(wait_s)
    return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def database_path(folder: Path) -> Path:
    """Where the database of a state folder is."""
    return folder / "grillon.db"


def room(folder: Path) -> int:
    """How many bytes can still be written there; none where it is mounted for reading only. Raises `OSError`."""
    disk = os.statvfs(folder)
    return 0 if disk.f_flag & os.ST_RDONLY else disk.f_bavail * disk.f_frsize


def owner_pid(folder: Path) -> int | None:
    """The pid of the process that holds the folder, None when nobody does."""
    try:
        lock = os.open(folder / "lock", os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _written_pid(folder)
    finally:
        os.close(lock)
    return None


def _written_pid(folder: Path) -> int | None:
    with contextlib.suppress(OSError, ValueError):
        return int((folder / "lock").read_text())
    return None


def _in_use(folder: Path) -> StateInUseError:
    pid = _written_pid(folder)
    who = f"process {pid}" if pid else "another process"
    remedy = "stop it (“systemctl stop grillon”" + (f", or “kill {pid}”)" if pid else ")")
    return StateInUseError(f"The state in {folder} is in use by {who}: {remedy}, or name another with --state.", pid)
