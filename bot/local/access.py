"""Who may use the local socket: its file, the rights on it, and who is at the other end, as the kernel says."""

from __future__ import annotations

import asyncio
import grp
import os
import pwd
import socket
import struct
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bot.errors import SettingsError, StateInUseError

if TYPE_CHECKING:
    from pathlib import Path

    from bot.people.people import People, Person
    from bot.settings.fields import Settings

_CREDENTIALS = struct.Struct("3i")  # struct ucred of unix(7): pid, uid, gid


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end. `trusted`: may use the owner's verbs."""

    uid: int
    person: Person
    trusted: bool


def bind(path: Path, settings: Settings) -> socket.socket:
    """A socket at `path` that does not listen yet: until it does, connecting fails, so that its rights are set in time.

    Waits for the disk. Raises `SettingsError` for a path or a group that cannot be used, `StateInUseError` when another daemon
    listens.
    """
    _remove_stale(path)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        made.bind(str(path))
        path.chmod(_mode(settings))
        if settings.socket.group:
            _give_to_group(path, settings.socket.group)
    except OSError as error:
        made.close()
        raise SettingsError(f"the local socket {path} cannot be made: {error.strerror or error}") from error
    except SettingsError:
        made.close()
        raise
    return made


async def peer_of(connected: socket.socket, people: People, group: str | None) -> Peer | None:
    """The other end; None for an account that is nobody here."""
    _, uid, gid = _CREDENTIALS.unpack(connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    trusted = uid in {0, os.geteuid()}
    if not trusted and group:
        trusted = await asyncio.to_thread(_in_group, uid, gid, group)  # it may ask a directory server
    person = await _person(people, uid, trusted=trusted)
    return Peer(uid, person, trusted) if person else None


async def present(peer: Peer, people: People) -> Peer | None:
    """The other end as it is now: since it connected its person may have chosen a language, or have been blocked."""
    person = await _person(people, peer.uid, trusted=peer.trusted)
    return replace(peer, person=person) if person else None


async def _person(people: People, uid: int, *, trusted: bool) -> Person | None:
    return await people.of_unix(uid) or (people.owner if trusted else None)


def _remove_stale(path: Path) -> None:
    """Remove the socket of a daemon that died. One that answers is another daemon; anything but a socket is not ours."""
    if not path.is_socket():
        if path.exists():
            raise SettingsError(
                f"the local socket cannot be made: there is already a file {path}; name another `path` in [socket]"
            )
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
        except OSError as error:
            raise SettingsError(f"the local socket {path} cannot be replaced: {error.strerror}") from error
        else:
            raise StateInUseError(f"another daemon listens at {path}; stop it, or name another `path` in [socket]")


def _mode(settings: Settings) -> int:
    """Once accounts of people are declared the file is open to all, and who is none of them is turned away by name."""
    if any(person.unix_user for person in settings.people):
        return 0o666
    return 0o660 if settings.socket.group else 0o600


def _give_to_group(path: Path, name: str) -> None:
    try:
        group = grp.getgrnam(name)
    except KeyError:
        raise SettingsError(f"there is no group {name} on this machine, which `group` in [socket] names") from None
    if path.stat().st_gid == group.gr_gid:
        return  # systemd's filter forbids chown even where nothing changes
    try:
        os.chown(path, -1, group.gr_gid)
    except PermissionError as error:
        remedy = f"run it with that group (`Group={name}` in the unit; `grillon service` prints it)"
        raise SettingsError(f"the daemon may not give its socket to the group {name}: {remedy}") from error


def _in_group(uid: int, gid: int, name: str) -> bool:
    try:
        group = grp.getgrnam(name)
        account = pwd.getpwuid(uid).pw_name
    except KeyError:
        return False
    return group.gr_gid in os.getgrouplist(account, gid)
