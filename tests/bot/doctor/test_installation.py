"""The doctor: each thing that can be wrong has its line and its remedy."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from bot.command_line import main
from bot.database.database import Database
from bot.doctor import examination, installation
from bot.people.people import Person
from bot.settings.fields import Settings
from bot.tokens import Token
from knowledge.config import CollectionConfig
from knowledge.holdings import CollectionStatus
from knowledge.library import IndexReport
from knowledge.models import Health
from tests.rigs.ollama import Ollama

ROOT = os.geteuid() == 0
READY = Health("ready", "qwen3:8b", "http://127.0.0.1:11434", vram_share=1.0)


def collection(folder: Path) -> CollectionConfig:
    return CollectionConfig(name="a", folder=folder, include=["**/*.md"])


def test_a_folder_that_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("one.md", "sub/two.md", "other.pdf"):
        (tmp_path / name).touch()
    found = installation.folder(collection(tmp_path), serving=False)
    assert (found.state, found.sentence) == ("fine", f"2 files in {tmp_path} can be read")


def test_an_empty_folder_is_worth_a_warning(tmp_path: Path) -> None:
    found = installation.folder(collection(tmp_path), serving=False)
    assert found.state == "warning"
    assert "include" in found.remedy


@pytest.mark.parametrize("serving", [True, False])
def test_a_missing_folder(tmp_path: Path, serving: bool) -> None:
    found = installation.folder(collection(tmp_path / "none"), serving=serving)
    assert found.state == "wrong"
    assert ("grillon service" in found.remedy) == serving  # only the service may not see what is there


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that other accounts can enter."""
    folder = Path(tempfile.mkdtemp(prefix="grillon-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.skipif(not ROOT, reason="only root can look with other eyes")
@pytest.mark.parametrize(("name", "mode"), [("closed.md", 0o600), ("closed", 0o700)])
def test_what_another_account_cannot_read_is_named(public: Path, name: str, mode: int) -> None:
    (public / "open.md").touch()
    if name.endswith(".md"):
        (public / name).touch()
    else:
        (public / name).mkdir()
    (public / name).chmod(mode)
    with examination._eyes_of("nobody"):
        assert os.geteuid() == pwd.getpwnam("nobody").pw_uid
        found = installation.folder(collection(public), serving=False)
    assert os.geteuid() == 0
    assert found.state == "wrong"
    assert name in found.sentence
    assert "nobody" in found.remedy
    assert "setfacl -R -m u:nobody:rX" in found.remedy


@pytest.mark.skipif(not ROOT, reason="only root can give files away")
def test_a_group_that_reads_is_the_shorter_remedy(public: Path) -> None:
    file = public / "shared.md"
    file.touch(mode=0o640)
    os.chown(file, 0, 1)
    file.chmod(0o640)
    with examination._eyes_of("nobody"):
        found = installation.folder(collection(public), serving=False)
    assert "usermod -aG daemon nobody" in found.remedy


def test_without_root_or_account_the_eyes_are_our_own() -> None:
    before = os.geteuid(), os.getegid(), os.getgroups()
    with examination._eyes_of("no-such-account"):
        assert (os.geteuid(), os.getegid(), os.getgroups()) == before


async def test_the_database(tmp_path: Path) -> None:
    path = tmp_path / "grillon.db"
    await (await Database.open(path)).close()
    assert (await installation.database(path)).state == "fine"
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 4096)
    broken = await installation.database(path)
    assert broken.state == "wrong"
    assert "restore" in broken.remedy


@pytest.mark.parametrize(
    ("blocks", "flags", "state"), [(10**6, 0, "fine"), (1000, 0, "wrong"), (0, 0, "wrong"), (10**6, os.ST_RDONLY, "wrong")]
)
def test_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blocks: int, flags: int, state: str) -> None:
    real = os.statvfs(tmp_path)
    told = SimpleNamespace(f_bavail=blocks, f_frsize=4096, f_flag=flags, f_blocks=real.f_blocks)
    monkeypatch.setattr(os, "statvfs", lambda _: told)
    (found,) = installation.disk(tmp_path)
    assert found.state == state
    assert bool(found.remedy) == (state == "wrong")


def test_the_disk_of_a_state_to_be_made(tmp_path: Path) -> None:
    assert list(installation.disk(tmp_path / "none")) == []


STATUS = CollectionStatus("a", 3, 9, 0, None, IndexReport("a", added=3), 1.0)


@pytest.mark.parametrize(
    ("status", "state", "words"),
    [
        (STATUS, "fine", "3 documents, 9 chunks"),
        (replace(STATUS, missing="the folder /x is not there"), "wrong", "--prune"),
        (replace(STATUS, pending=4), "warning", "4 of 9"),
        (replace(STATUS, report=IndexReport("a", skipped=(("b.pdf", "it is encrypted"),))), "warning", "b.pdf: it is encrypted"),
        (replace(STATUS, documents=0, chunks=0, report=None), "warning", "grillon index a"),
    ],
)
def test_the_index(status: CollectionStatus, state: str, words: str) -> None:
    (found,) = installation.index([status], [])
    assert found.state == state
    assert words in f"{found.sentence} {found.remedy}"


def test_an_index_that_disagrees_is_wrong() -> None:
    (found,) = installation.index([], ["2 vectors are missing"])
    assert (found.state, found.sentence) == ("wrong", "2 vectors are missing")


@pytest.mark.parametrize(
    ("health", "state", "words"),
    [
        (READY, "fine", "wholly on the GPU"),
        (replace(READY, vram_share=None), "fine", "in memory"),
        (replace(READY, state="loading", vram_share=None), "fine", "installed"),
        (replace(READY, vram_share=0.6), "warning", "60%"),
        (replace(READY, detail="Ollama 0.16 leaks"), "warning", "leaks"),
        (replace(READY, state="missing"), "wrong", "ollama pull qwen3:8b"),
        (replace(READY, state="unreachable"), "wrong", "systemctl start ollama"),
        (replace(READY, state="unfit", detail="no completion"), "wrong", "no completion"),
        (replace(READY, state="remote"), "wrong", "`remote`"),
    ],
)
def test_the_models(health: Health, state: str, words: str) -> None:
    found = installation.model("model", "ollama", health)
    assert found.state == state
    assert words in f"{found.sentence} {found.remedy}"


@pytest.mark.parametrize("provider", ["openai", "embedded"])
def test_the_remedy_fits_the_provider(provider: installation.Provider) -> None:
    for state in ("unreachable", "missing"):
        assert "ollama" not in installation.model("model", provider, replace(READY, state=state)).remedy


def test_the_tokens() -> None:
    ada = Person(1, "Ada", owner=True)
    assert installation.tokens(Settings(), [Token("phone", ada, 1.0)]).state == "fine"
    assert "grillon token create" in installation.tokens(Settings(), []).remedy
    assert installation.tokens(Settings.model_validate({"http": {"enabled": False}}), []).state == "fine"
    assert "revoke old" in installation.tokens(Settings(), [Token("old", None, 1.0)]).remedy


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation with one document, and no daemon."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents" / "one.md").write_text("# One")
    tmp_path.chmod(0o755)
    return tmp_path


def diagnosed(capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    with pytest.raises(SystemExit) as left:
        main(["doctor"])
    assert isinstance(left.value.code, int)
    return left.value.code, capsys.readouterr().out


async def examined(folder: Path, capsys: pytest.CaptureFixture[str], *, model: str) -> tuple[int, str]:
    """Run the verb beside a model server."""
    async with Ollama() as rig:
        (folder / "grillon.toml").write_text(
            f'state = "state"\n[[collections]]\nname = "a"\nfolder = "documents"\n'
            f'[model]\naddress = "{rig.address}"\nname = "{model}"\n'
            f'[embedding]\naddress = "{rig.address}"\nname = "all-minilm"\nwindow = 256\n'
        )
        return await asyncio.to_thread(diagnosed, capsys)


async def test_a_sound_installation_without_a_daemon(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "state").mkdir()
    await (await Database.open(folder / "state" / "grillon.db")).close()
    code, out = await examined(folder, capsys, model="smollm2:135m")
    assert code == 0, out
    for about in ("settings", "daemon", "folder a", "disk", "database", "model", "embedding", "tokens"):
        assert f" {about}: " in out


def test_no_colour_where_none_is_wanted(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "grillon.toml").write_text("[modle]\n")
    monkeypatch.setattr("click.utils.should_strip_ansi", lambda *_: False)  # as on a terminal
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[31m" in diagnosed(capsys)[1]
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in diagnosed(capsys)[1]


async def test_a_full_disk_is_exit_1(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "state").mkdir()
    monkeypatch.setattr(installation, "room", lambda _: 0)
    code, out = await examined(folder, capsys, model="smollm2:135m")
    assert code == 1
    assert "WRONG disk" in out


async def test_a_missing_model_is_exit_1(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out = await examined(folder, capsys, model="absent")
    assert code == 1
    assert "WRONG model" in out
    assert "ollama pull absent" in out
    assert not (folder / "state").exists()


def test_wrong_settings_are_a_finding(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for wrong in ("[modle]\n", '[[collections]]\nname = "a"\nfolder = "documents"\ninclude = ["[z-a].md"]\n'):
        (folder / "grillon.toml").write_text(wrong)
        code, out = diagnosed(capsys)
        assert code == 1
        assert out.startswith("WRONG settings: grillon.toml, line ")
