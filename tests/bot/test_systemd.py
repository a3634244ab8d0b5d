"""What systemd is told, and what it thinks of our service file."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.drop_in import drop_in
from bot.settings.fields import DaemonConfig
from bot.settings.sources import load_settings
from bot.systemd import Notifier

UNIT = Path(__file__).parents[2] / "systemd" / "grillon.service"


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """The end of the notification socket where systemd listens."""
    name = str(tmp_path / "notify") if request.param == "path" else f"@grillon-test-{os.getpid()}-{tmp_path.name}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(f"\0{name[1:]}" if name.startswith("@") else name)
        listening.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        yield listening


def test_ready_status_and_stopping(manager: socket.socket) -> None:
    notifier = Notifier()
    notifier.ready("listening")
    notifier.status("two\nlines")
    notifier.stopping()
    assert [manager.recv(1000) for _ in range(3)] == [b"READY=1\nSTATUS=listening", b"STATUS=two", b"STOPPING=1"]
    assert "NOTIFY_SOCKET" not in os.environ


async def test_the_watchdog_is_fed_while_alive(manager: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "20000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    notifier = Notifier()
    assert notifier.watchdog_s == 0.02
    asked = asyncio.Event()
    answers = iter([True, True])

    def alive() -> bool:
        try:
            return next(answers)
        except StopIteration:
            asked.set()
            return False

    task = asyncio.create_task(notifier.watch(alive))
    await asyncio.wait_for(asked.wait(), 10)
    task.cancel()
    assert [manager.recv(1000), manager.recv(1000)] == [b"WATCHDOG=1"] * 2
    manager.setblocking(False)
    with pytest.raises(BlockingIOError):
        manager.recv(1000)


@pytest.mark.parametrize("variables", [{}, {"WATCHDOG_USEC": "20000"}, {"NOTIFY_SOCKET": "/nowhere/at/all"}])
async def test_without_systemd_nothing_happens(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    notifier = Notifier()
    notifier.ready()
    assert notifier.watchdog_s is None
    await asyncio.wait_for(notifier.watch(lambda: True), 10)


def test_the_watchdog_of_another_process_is_not_ours(manager: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "20000")
    monkeypatch.setenv("WATCHDOG_PID", "1")
    assert Notifier().watchdog_s is None
    assert manager


def test_a_full_queue_does_not_block(manager: socket.socket) -> None:
    notifier = Notifier()
    for _ in range(2000):
        notifier.status("x" * 1000)
    assert manager.recv(2000).startswith(b"STATUS=x")


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The service file, with a program that exists here."""
    copy = tmp_path / "grillon.service"
    copy.write_text(re.sub(r"(?m)^ExecStart=\S+", f"ExecStart={sys.executable}", UNIT.read_text()))
    return copy


def values(name: str) -> list[str]:
    return re.findall(rf"(?m)^{name}=(.*)$", UNIT.read_text())


def test_the_service_gives_answers_time_to_finish() -> None:
    grace_s = DaemonConfig().grace_s
    assert int(values("TimeoutStopSec")[0]) > grace_s + 10
    assert values("RestartPreventExitStatus") == ["2 3 4"]
    assert values("Type") == ["notify"]


def test_the_service_comes_back_whenever_the_disk_does() -> None:
    """Each start on a full disk fails: with a limit of starts the service would stay down after room was made."""
    assert values("StartLimitIntervalSec") == ["0"]
    assert int(values("RestartSec")[0]) >= 5


def test_systemd_finds_the_service_clean(unit: Path) -> None:
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_systemd_finds_the_service_hardened(unit: Path) -> None:
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=15", "--no-pager", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    exposure = re.search(r"Overall exposure level .*: ([\d.]+)", done.stdout)
    assert exposure is not None
    assert float(exposure[1]) <= 1.5


SETTINGS = """
[[collections]]
name = "notes"
folder = "/home/ada/My notes: 100%"
[[collections]]
name = "manuals"
folder = "/srv/manuals"
[[collections]]
name = "again"
folder = "/srv/manuals"
[model]
provider = "openai"
api_key = "hush-hush"
[embedding]
provider = "openai"
[socket]
group = "family"
"""


@pytest.fixture
def printed(tmp_path: Path) -> str:
    file = tmp_path / "grillon.toml"
    file.write_text(SETTINGS)
    return drop_in(load_settings(file))


def test_the_drop_in_lets_folders_and_credentials_in(printed: str, tmp_path: Path) -> None:
    lines = printed.splitlines()
    assert f"Environment=GRILLON_CONFIG={tmp_path}/grillon.toml" in lines
    assert lines.count("BindReadOnlyPaths=/srv/manuals") == 1
    assert r'BindReadOnlyPaths="/home/ada/My notes\\: 100%%"' in lines
    assert "ProtectHome=tmpfs" in lines
    assert "Group=family" in lines
    assert "LoadCredential=model.api_key:/etc/grillon/model.api_key" in lines
    assert "#LoadCredential=embedding.api_key:/etc/grillon/embedding.api_key" in lines
    assert "hush" not in printed


def test_the_drop_in_offers_the_tokens_of_both_bots(tmp_path: Path) -> None:
    file = tmp_path / "grillon.toml"
    file.write_text('[telegram]\nmode = "webhook"\nwebhook_url = "https://h/t"\n')
    lines = drop_in(load_settings(file)).splitlines()
    for name in ("telegram.token", "discord.token", "telegram.webhook_secret"):
        assert f"#LoadCredential={name}:/etc/grillon/{name}" in lines
    assert "without Discord and Telegram" in "\n".join(lines)


def test_a_secret_that_has_its_file_is_let_in(tmp_path: Path) -> None:
    file = tmp_path / "my settings" / "grillon.toml"
    file.parent.mkdir()
    file.touch()
    (file.parent / "discord.token").write_text("hush")
    printed = drop_in(load_settings(file))
    assert f'\nLoadCredential="discord.token:{file.parent}/discord.token"\n' in printed
    assert "\n#LoadCredential=telegram.token:/etc/grillon/telegram.token\n" in printed
    assert "# Discord must be reached" in printed
    assert "hush" not in printed


def test_with_a_bot_the_drop_in_says_why_the_network_stays_open(tmp_path: Path) -> None:
    file = tmp_path / "grillon.toml"
    file.write_text('[telegram]\ntoken = "1:hush"\n')
    printed = drop_in(load_settings(file))
    assert "\nLoadCredential=telegram.token:/etc/grillon/telegram.token\n" in printed
    assert "Telegram must be reached over the internet" in printed
    assert "\n#IPAddressDeny=any\n" in printed
    assert "hush" not in printed


def test_the_service_may_reach_the_platforms() -> None:
    assert {"AF_INET", "AF_INET6"} <= set(values("RestrictAddressFamilies")[0].split())
    assert not values("IPAddressDeny")
    assert not values("PrivateNetwork")


def test_homes_stay_closed_without_need(tmp_path: Path) -> None:
    file = tmp_path / "grillon.toml"
    file.write_text('[[collections]]\nname = "a"\nfolder = "/srv/a"\n')
    assert "ProtectHome" not in drop_in(load_settings(file))


def test_systemd_finds_the_drop_in_clean(unit: Path, printed: str) -> None:
    folder = unit.with_name("grillon.service.d")
    folder.mkdir()
    (folder / "local.conf").write_text(printed)
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_systemd_reads_a_broken_drop_in(unit: Path) -> None:
    """The test above can fail: systemd says what it does not understand in that place."""
    folder = unit.with_name("grillon.service.d")
    folder.mkdir()
    (folder / "local.conf").write_text('[Service]\nBindReadOnlyPaths="relative path"\n')
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    assert "relative path" in done.stderr
