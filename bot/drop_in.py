"""The systemd drop-in of one installation: the folders that the hardened service may see, its credentials, its group."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from bot.places import SYSTEM_SETTINGS, exists
from bot.settings.sources import secret_keys

if TYPE_CHECKING:
    from bot.settings.fields import Settings
    from bot.settings.sources import Loaded

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
    held = _held(loaded)
    yield from _credentials(settings, held)
    yield from _network(held)
    yield "#IPAddressDeny=any"
    yield f"#IPAddressAllow={_PRIVATE_NETWORKS}"


def _network(held: Mapping[str, Path]) -> Iterator[str]:
    """Why the two lines below help, or why they cannot."""
    chats = [name.capitalize() for name in ("telegram", "discord") if f"{name}.token" in held]
    if chats:
        yield f"# {' and '.join(chats)} must be reached over the internet, by addresses that change: leave these as they are."
    else:
        yield "# Uncomment to have the kernel keep the service inside your own network, without Discord and Telegram:"


def _in_a_home(path: Path) -> bool:
    return any(path.is_relative_to(home) for home in _HOMES)


def _group(group: str | None) -> Iterator[str]:
    if group not in {None, SERVICE_ACCOUNT}:
        yield "# The service may give its socket to its own group alone."
        yield f"Group={group}"


def _held(loaded: Loaded) -> dict[str, Path]:
    """The secrets that the settings hold, or that have a file beside them, each with the place of its file."""
    values = {key: value for key, value, _ in loaded.leaves()}
    folder = (loaded.path or SYSTEM_SETTINGS).absolute().parent
    names = {".".join(map(str, key)): values.get(key) is not None for key in secret_keys()}
    files = {name: folder / name for name in names if exists(folder / name)}
    return {name: files.get(name, SYSTEM_SETTINGS.parent / name) for name in names if names[name] or name in files}


def _credentials(settings: Settings, held: Mapping[str, Path]) -> Iterator[str]:
    """A line for each secret, and a comment for the others that may be wanted."""
    for name, file in held.items():
        yield f"LoadCredential={_quoted(f'{name}:{file}')}"
    wanted = [name for name in _wanted(settings) if name not in held]
    if wanted:
        yield f"# Put what you need into a file of that name in {SYSTEM_SETTINGS.parent}, for root alone, and remove the #:"
    yield from (f"#LoadCredential={name}:{SYSTEM_SETTINGS.parent / name}" for name in wanted)


def _wanted(settings: Settings) -> Iterator[str]:
    """The secrets that these settings have a use for."""
    for name, section in (("model", settings.model), ("embedding", settings.embedding)):
        if section.provider == "openai":
            yield f"{name}.api_key"
    yield from ("telegram.token", "discord.token")
    if settings.telegram.mode == "webhook":
        yield "telegram.webhook_secret"


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
