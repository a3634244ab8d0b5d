"""The state folder: where it is, private, held by one process."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bot.errors import DatabaseError, SettingsError, StateInUseError
from bot.state import State, owner_pid, state_folder

_HOLD = """
import pathlib, sys
from bot.state import State
state = State.claim(pathlib.Path(sys.argv[1]))
print("held", flush=True)
input()
"""


def test_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert state_folder(tmp_path, {"STATE_DIRECTORY": "/var/lib/grillon"}) == tmp_path
    assert state_folder(None, {"STATE_DIRECTORY": "/var/lib/grillon:/var/lib/other"}) == Path("/var/lib/grillon")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert state_folder(None, {}) == tmp_path / "grillon"
    assert state_folder(Path("~/here"), {}) == Path.home() / "here"


def test_only_who_may_create_it_does(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="grillon run"):
        State.claim(tmp_path / "state")
    assert not (tmp_path / "state").exists()
    with State.claim(tmp_path / "a" / "state", create=True) as state:
        assert state.folder.stat().st_mode & 0o777 == 0o700


def test_it_is_made_private(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with State.claim(tmp_path):
        assert tmp_path.stat().st_mode & 0o777 == 0o700
        assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o600


def test_a_folder_of_other_things_is_left_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "backups").mkdir()
    (tmp_path / "letter.md").touch()
    with pytest.raises(SettingsError, match=r"letter\.md.*state"):
        State.claim(tmp_path, create=True)
    assert tmp_path.stat().st_mode & 0o777 == 0o755
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backups", "letter.md"]


@pytest.mark.parametrize("name", ["lock", "backups", "grillon.db-wal", ".profile", "lost+found"])
def test_a_state_without_its_database_is_taken(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    State.claim(tmp_path, create=True).release()


def test_a_file_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    with pytest.raises(SettingsError, match="cannot be used"):
        State.claim(tmp_path / "state", create=True)


@pytest.mark.parametrize("trouble", [errno.EROFS, errno.ENOSPC])
@pytest.mark.parametrize("step", ["open", "pwrite"])
def test_a_disk_that_takes_nothing_may_do_so_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, trouble: int
) -> None:
    """No fault of the settings (exit 2), with which systemd would give the service up."""

    def refuse(*_: object) -> None:
        raise OSError(trouble, os.strerror(trouble))

    with monkeypatch.context() as patch:
        patch.setattr(os, step, refuse)
        with pytest.raises(DatabaseError, match="Make room"):
            State.claim(tmp_path, create=True)
    State.claim(tmp_path).release()


def test_a_second_process_is_told_which_one_holds_it(tmp_path: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", _HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(StateInUseError, match=f"process {holder.pid}.*kill {holder.pid}") as raised:
            State.claim(tmp_path)
        assert raised.value.pid == owner_pid(tmp_path) == holder.pid
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.communicate()
    assert owner_pid(tmp_path) is None
    State.claim(tmp_path).release()


def test_the_same_process_cannot_hold_it_twice(tmp_path: Path) -> None:
    with State.claim(tmp_path) as state:
        assert owner_pid(tmp_path) == os.getpid()
        with pytest.raises(StateInUseError):
            State.claim(tmp_path)
        state.release()
        State.claim(tmp_path).release()


def test_nobody_holds_what_is_not_there(tmp_path: Path) -> None:
    assert owner_pid(tmp_path / "nowhere") is None
