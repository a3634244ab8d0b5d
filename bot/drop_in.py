"""The systemd drop-in of one installation: the folders that the hardened service may see, its credentials, its group."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from bot.places import SYSTEM_SETTINGS
from bot.settings_sources import secret_keys

if TYPE_CHECKING:
    from bot.settings_sources import Loaded

SERVICE_ACCOUNT = "grillon"
_HOMES = (Path("/home"), Path("/root"), Path("/run/user"))
_PRIVATE_NETWORKS = "localhost link-local 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fc00::/7"


def drop_in(loaded: Loaded) -> str:
    """The text of `grillon.service.d/local.conf`. Without a settings file it names the usual one."""
    return "\n".join(_lines(loaded)) + "\n"


def _lines(loaded: Loaded) -> Iterator[str]:
    settings = loaded.settings
    yield "# For /etc/systemd/system/grillon.service.d/local.conf; then: systemctl daemon-reload && systemctl restart grillon"
    yield "[Service]"
    yield f"Environment={_quoted(f'GRILLON_CONFIG={(loaded.path or SYSTEM_SETTINGS).absolute()}')}"
    folders = list(dict.fromkeys(collection.folder for collection in settings.collections))
    if loaded.path is not None and _in_a_home(loaded.path.absolute()):
        folders.append(loaded.path.absolute())
    if any(_in_a_home(folder) for folder in folders):
        yield "# Homes stay hidden, but for the folders below: under `yes` these could not be shown."
        yield "ProtectHome=tmpfs"
    for folder in folders:
        yield f"BindReadOnlyPaths={_quoted(_path(folder))}"
    yield from _group(settings.socket.group)
    yield from _credentials(loaded)
    yield "# Uncomment to have the kernel keep the service inside your own network:"
    yield "#IPAddressDeny=any"
    yield f"#IPAddressAllow={_PRIVATE_NETWORKS}"


def _in_a_home(path: Path) -> bool:
    return any(path.is_relative_to(home) for home in _HOMES)


def _group(group: str | None) -> Iterator[str]:
    if group not in {None, SERVICE_ACCOUNT}:
        yield "# The service may give its socket to its own group alone."
        yield f"Group={group}"


def _credentials(loaded: Loaded) -> Iterator[str]:
    """A line for each secret that the settings hold, and a comment for the others."""
    values = {key: value for key, value, _ in loaded.leaves()}
    for key in secret_keys():
        name = ".".join(map(str, key))
        needed = "" if values.get(key) is not None else "#"
        if not needed or _uses_key(loaded, str(key[0])):
            yield f"{needed}LoadCredential={name}:/etc/grillon/{name}"


def _uses_key(loaded: Loaded, section: str) -> bool:
    return bool(getattr(loaded.settings, section).provider == "openai")


def _path(path: Path) -> str:
    """A path in a list of `source:destination` pairs."""
    return str(path).replace("\\", "\\\\").replace(":", "\\:")


def _quoted(text: str) -> str:
    """One word of a unit file: percent signs and quotes escaped, in quotes where it has blanks (systemd.syntax(7))."""
    text = text.replace("%", "%%")
    if not re.search(r"[\s\"'\\;]", text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
