"""Where things are: the settings file and the local socket (the state folder: `bot.state`)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from bot.errors import SettingsError
from bot.state import state_folder

if TYPE_CHECKING:
    from bot.settings.fields import Settings

SETTINGS_FILE = "grillon.toml"
SYSTEM_SETTINGS = Path("/etc/grillon") / SETTINGS_FILE
SYSTEM_STATE = Path("/var/lib/grillon")
SYSTEM_SOCKET = Path("/run/grillon/grillon.sock")
_SOCKET_FILE = "grillon.sock"
_SOCKET_PATH_BYTES = 107  # `sun_path` of unix(7) has 108 bytes, the last is NUL


def settings_file(named: Path | None = None) -> Path | None:
    """The settings file in force, None where there is none.

    The first of: `named` (`--config`), `$GRILLON_CONFIG`, `./grillon.toml`, the user's config folder, `/etc/grillon`. One that
    was named and does not exist is a `SettingsError`: silently taking another would be worse.
    """
    chosen, by = (named, "--config") if named else (_variable_path("GRILLON_CONFIG"), "$GRILLON_CONFIG")
    if chosen is not None:
        if not chosen.exists() or chosen.is_dir():
            raise SettingsError(f"there is no settings file {chosen}, which {by} names")
        return chosen
    return next((path for path in searched_files() if _is_there(path)), None)


def searched_files() -> tuple[Path, ...]:
    """Where a settings file is looked for when none is named, first hit first."""
    import platformdirs  # not needed where the file is named

    return (Path(SETTINGS_FILE), platformdirs.user_config_path("grillon") / SETTINGS_FILE, SYSTEM_SETTINGS)


def socket_path(settings: Settings) -> Path:
    """Where the daemon listens: the settings, else `$RUNTIME_DIRECTORY`, else the state folder.

    Raises `SettingsError` for a path that the kernel cannot take.
    """
    given = os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    path = settings.socket.path or Path(given or state_folder(settings.state)) / _SOCKET_FILE
    if len(os.fsencode(path)) > _SOCKET_PATH_BYTES:
        raise SettingsError(
            f"the local socket's path {path} is longer than {_SOCKET_PATH_BYTES} bytes, which Linux does not take; "
            "name a shorter one as `path` in [socket]"
        )
    return path


def daemon_sockets(settings: Settings) -> tuple[Path, ...]:
    """Where a running daemon may be found, likeliest first.

    Who calls a verb from a shell has not the `$RUNTIME_DIRECTORY` of the installed daemon: its usual place is tried too, unless
    another state or socket was chosen.
    """
    own = socket_path(settings)
    if settings.socket.path is not None:
        return (own,)
    beside_state = state_folder(settings.state) / _SOCKET_FILE
    installed = state_folder(settings.state) == SYSTEM_STATE or not (settings.state or "STATE_DIRECTORY" in os.environ)
    return tuple(dict.fromkeys((own, beside_state, SYSTEM_SOCKET) if installed else (own, beside_state)))


def _is_there(path: Path) -> bool:
    """False too where this account may not look: `sudo -u grillon` keeps the caller's working directory."""
    try:
        return path.is_file()
    except PermissionError:
        return False


def _variable_path(name: str) -> Path | None:
    text = os.environ.get(name)
    return Path(text).expanduser() if text else None


def exists(path: Path) -> bool:
    """Whether there is such a file. Raises `SettingsError` when this account may not look."""
    try:
        return path.exists()
    except PermissionError as error:
        raise SettingsError(
            f"your account may not look into {path.parent}: use sudo, or name another state with --state"
        ) from error


def refuse_foreign(folder: Path) -> None:
    """Keep root out of the state of a service: what it wrote there, the service's account could not open.

    Raises `SettingsError`.
    """
    owner = folder.stat().st_uid
    if os.geteuid() == 0 and owner != 0:
        name = account_name(owner)
        raise SettingsError(f"the state in {folder} belongs to the account {name}: use `sudo -u {name} grillon …`")


def account_name(uid: int) -> str:
    """The name of an account of this machine, or its number."""
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
