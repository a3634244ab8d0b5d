"""The command line: how fast, how quiet, which exit codes; and the verbs that need no daemon."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType
from typing import Protocol

import click
import pytest

from bot import command_line
from bot.cli import index
from bot.command_line import main
from bot.database.backup import backups
from bot.database.database import Database
from bot.errors import DatabaseError, GrillonError, NewerDatabaseError
from bot.settings.example import example
from bot.state import State
from knowledge.work import IndexReport

ROOT = Path(__file__).parents[2]
VERBS = list(command_line._VERBS)
HEAVY = ("aiohttp", "alembic", "apscheduler", "chromadb", "llama_index", "numpy", "pydantic", "rich", "sqlalchemy", "watchfiles")


@dataclass(frozen=True)
class Done:
    """What a verb left behind."""

    returncode: int
    stdout: str
    stderr: str


class Grillon(Protocol):
    def __call__(self, *words: str | Path) -> Done: ...


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Grillon:
    """Run the command as a person does, far from anybody's settings; in this process, because that is quicker."""
    for name in [name for name in os.environ if name.startswith("GRILLON_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))

    def run(*words: str | Path) -> Done:
        with pytest.raises(SystemExit) as left:
            main([str(word) for word in words])
        out, err = capsys.readouterr()
        assert isinstance(left.value.code, int)
        return Done(left.value.code, out, err)

    return run


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state as `grillon run` leaves it."""
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)

    async def make() -> None:
        await (await Database.open(folder / "grillon.db")).close()

    asyncio.run(make())
    return folder


def imported(*words: str) -> set[str]:
    """The modules of the first level that a verb imports."""
    script = (
        "import sys\nfrom bot.command_line import main\n"
        "try: main(sys.argv[1:])\nexcept SystemExit: pass\n"
        "print('\\n'.join({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(done.stderr.split())


def test_help_imports_nothing_heavy() -> None:
    assert imported("--help").isdisjoint(HEAVY)


def test_help_is_fast() -> None:
    def seconds(*command: str) -> float:
        started = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
        return time.perf_counter() - started

    def best(*command: str) -> float:
        return min(seconds(*command) for _ in range(3))

    bare = best(sys.executable, "-c", "pass")
    assert best(sys.executable, "-m", "bot.command_line", "--help") <= max(0.3, 8 * bare)  # 0.1 s where nothing else runs


def test_help_names_every_verb(run: Grillon) -> None:
    out = run("--help").stdout
    assert [verb for verb in VERBS if f"\n  {verb} " not in out] == []


def test_no_verb_imports_the_library_for_its_help() -> None:
    script = "import sys, importlib\nfor verb in sys.argv[1:]: importlib.import_module(f'bot.cli.{verb}')\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script, *VERBS], capture_output=True, text=True, check=True, cwd=ROOT)
    heavy = {"alembic", "apscheduler", "chromadb", "llama_index", "numpy", "rich", "sqlalchemy", "watchfiles"}
    assert {name.partition(".")[0] for name in done.stdout.split()}.isdisjoint(heavy)


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    """Make a verb `fail` that raises."""

    def make(error: BaseException) -> None:
        @click.command()
        def verb() -> None:
            raise error

        module = ModuleType("bot.cli.fail")
        module.verb = verb  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "bot.cli.fail", module)
        monkeypatch.setitem(command_line._VERBS, "fail", "fail")

    return make


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (DatabaseError("The disk is full."), 1, "grillon: The disk is full.\n"),
        (NewerDatabaseError("Newer."), 4, "grillon: Newer.\n"),
        (KeyboardInterrupt(), 130, "\n"),  # the line after ^C
        (ExceptionGroup("several", [GrillonError("one of them")]), 1, "grillon: one of them\n"),
        (ZeroDivisionError("oh"), 1, "grillon: unexpected ZeroDivisionError: oh (GRILLON_DEBUG=1 shows where)\n"),
    ],
)
def test_errors_become_one_sentence(
    failing: Callable[[BaseException], None], capsys: pytest.CaptureFixture[str], error: BaseException, code: int, said: str
) -> None:
    failing(error)
    with pytest.raises(SystemExit) as caught:
        main(["fail"])
    assert (caught.value.code, capsys.readouterr().err) == (code, said)


def test_debugging_shows_where(failing: Callable[[BaseException], None], monkeypatch: pytest.MonkeyPatch) -> None:
    failing(ZeroDivisionError())
    monkeypatch.setenv("GRILLON_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        main(["fail"])


def test_an_unknown_verb_is_a_sentence(run: Grillon) -> None:
    done = run("dance")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_a_reader_that_left_is_no_error() -> None:
    read, write = os.pipe()
    os.close(read)
    script = "from bot.command_line import main; main(['config', 'example'])"
    done = subprocess.run([sys.executable, "-c", script], stdout=write, stderr=subprocess.PIPE, text=True, check=False, cwd=ROOT)
    os.close(write)
    assert done.stderr == ""


def shell(line: str) -> subprocess.CompletedProcess[str]:
    """A line of a shell, in which `grillon` is this program without any settings."""
    command = f'grillon() {{ "{sys.executable}" -m bot.command_line "$@"; }}; {line}'
    env = {name: value for name, value in os.environ.items() if not name.startswith("GRILLON_")}
    env |= {"XDG_CONFIG_HOME": os.devnull, "XDG_DATA_HOME": os.devnull}
    return subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, cwd=ROOT, env=env)


def test_a_full_disk_under_the_output_is_one_sentence() -> None:
    done = shell("grillon config example > /dev/full")
    assert (done.returncode, done.stderr) == (1, "grillon: the system refused: No space left on device\n")


@pytest.mark.parametrize(
    ("line", "code", "word"),
    [
        ("grillon config example >&-", 0, ""),
        ("grillon token list --state /dev/null/none >&- 2>&-", 2, ""),
        ("grillon ask - --state /dev/null/none <&-", 2, "no state"),
        ("grillon chat --state /dev/null/none <&-", 2, "no state"),
    ],
)
def test_what_the_shell_closed_is_no_error(line: str, code: int, word: str) -> None:
    done = shell(line)
    assert done.returncode == code, done.stderr
    assert word in done.stderr
    assert "unexpected" not in done.stderr


def test_nothing_to_search_for_is_an_error(run: Grillon, state: Path) -> None:
    done = run("search", " ", "--state", state)
    assert (done.returncode, done.stdout) == (1, "")
    assert "WORDS" in done.stderr


def test_what_is_no_text_is_marked(run: Grillon, state: Path) -> None:
    done = run("token", "create", "a\udcff", "--state", state)
    assert done.returncode == 2
    assert "'a\N{REPLACEMENT CHARACTER}' cannot name a token" in done.stderr


def test_the_options_work_on_both_sides(run: Grillon, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("[http]\nport = 4242\n")
    before = run("--config", "mine.toml", "config", "check")
    after = run("config", "check", "--config", "mine.toml")
    assert "4242" in before.stdout
    assert before.stdout == after.stdout


def test_config_check_says_what_is_in_force_and_from_where(run: Grillon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "grillon.toml").write_text(
        f'[[collections]]\nname = "a"\nfolder = "{tmp_path}"\n[model]\nname = "tiny"\napi_key = "hush-hush"\n'
    )
    monkeypatch.setenv("GRILLON_HTTP__PORT", "4242")
    monkeypatch.setenv("GRILLON_PROT", "1")
    done = run("config", "check", "--state", "s")
    assert done.returncode == 0, done.stderr
    lines = {line.split()[0]: line for line in done.stdout.splitlines()}
    assert '"tiny"' in lines["model.name"]
    assert lines["model.name"].endswith("(grillon.toml, line 5)")
    assert "4242" in lines["http.port"]
    assert lines["http.port"].endswith("($GRILLON_HTTP__PORT)")
    assert lines["collections[0].watch"].endswith("(default)")
    assert lines["state"].endswith("(--state)")
    assert "hush" not in done.stdout
    assert "$GRILLON_PROT" in done.stderr


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ('[[collections]]\nname = "a"\nfolder = "nowhere"\n', "nowhere"),
        ('[schedule]\nbackup = "99 4 * * *"\n', "schedule.backup"),
        ("[modle]\n", "`model`"),
    ],
)
def test_config_check_finds_what_is_wrong(run: Grillon, tmp_path: Path, text: str, word: str) -> None:
    (tmp_path / "grillon.toml").write_text(text)
    done = run("config", "check")
    assert done.returncode == 2
    assert word in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("words", [["run"], ["config", "check"], ["index"], ["status"], ["service"], ["people"]])
def test_every_verb_says_what_is_wrong_with_a_schedule(run: Grillon, tmp_path: Path, words: list[str]) -> None:
    (tmp_path / "grillon.toml").write_text('[schedule]\nbackup = "0 4 * * 8"\n')
    done = run(*words, "--state", tmp_path / "none")
    assert done.returncode == 2
    assert done.stderr == (
        "grillon: grillon.toml, line 2: `schedule.backup` is '0 4 * * 8'; '8' is no day of the week (0 to 7, or sun to sat)\n"
    )


def test_a_missing_folder_matters_to_config_check_alone(run: Grillon, tmp_path: Path, state: Path) -> None:
    (tmp_path / "grillon.toml").write_text('[[collections]]\nname = "a"\nfolder = "nowhere"\n')
    assert run("people", "--state", state).returncode == 0


def test_config_example_and_path(run: Grillon, tmp_path: Path) -> None:
    assert run("config", "example").stdout == example()
    nothing = run("config", "path")
    assert nothing.returncode == 2
    assert str(tmp_path / "grillon") in nothing.stderr
    (tmp_path / "grillon.toml").touch()
    assert run("config", "path").stdout == f"{tmp_path}/grillon.toml\n"


@pytest.mark.parametrize(
    "words",
    [
        ["ask", "x"],
        ["chat"],
        ["search", "x"],
        ["index"],
        ["token", "create", "x"],
        ["token", "list"],
        ["people"],
        ["db", "upgrade"],
        ["db", "check"],
        ["db", "backup"],
        ["db", "restore", __file__],
    ],
)
def test_no_verb_but_run_makes_a_state(run: Grillon, tmp_path: Path, words: list[str]) -> None:
    done = run(*words, "--state", tmp_path / "none")
    assert done.returncode == 2
    assert "grillon run" in done.stderr
    assert not (tmp_path / "none").exists()
    assert not (tmp_path / "data").exists()


def test_a_folder_of_documents_is_not_taken_for_a_state(run: Grillon, tmp_path: Path) -> None:
    (tmp_path / "documents").mkdir(mode=0o755)
    (tmp_path / "documents" / "letter.md").touch()
    done = run("ask", "x", "--state", tmp_path / "documents")
    assert done.returncode == 2
    assert [path.name for path in (tmp_path / "documents").iterdir()] == ["letter.md"]


def test_status_without_a_daemon(run: Grillon, state: Path) -> None:
    done = run("status", "--state", state)
    assert done.returncode == 1
    assert str(state / "grillon.sock") in done.stderr
    assert "systemctl start grillon" in done.stderr


@pytest.mark.parametrize("words", [["db", "upgrade"], ["db", "restore", __file__], ["run"]])
def test_a_state_in_use_is_exit_3(run: Grillon, state: Path, words: list[str]) -> None:
    with State.claim(state):
        done = run(*words, "--state", state)
    assert done.returncode == 3
    assert str(os.getpid()) in done.stderr
    assert "stop" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be kept out as root")
@pytest.mark.parametrize("words", [["token", "list"], ["ask", "x"], ["db", "restore", __file__], ["doctor"]])
def test_root_stays_out_of_the_state_of_a_service(run: Grillon, state: Path, words: list[str]) -> None:
    os.chown(state, 65534, 65534)
    before = sorted(path.name for path in state.iterdir())
    done = run(*words, "--state", state)
    assert "sudo -u nobody grillon" in done.stderr + done.stdout
    assert sorted(path.name for path in state.iterdir()) == before


def test_tokens_without_a_daemon(run: Grillon, state: Path) -> None:
    made = run("token", "create", "phone", "--state", state)
    assert made.stdout.startswith("grn_")
    assert "phone" in run("token", "list", "--state", state).stdout
    again = run("token", "create", "phone", "--state", state)
    assert (again.returncode, made.stdout in again.stderr) == (2, False)
    assert run("token", "revoke", "phone", "--state", state).returncode == 0
    assert run("token", "list", "--state", state).stdout == ""
    assert run("token", "revoke", "phone", "--state", state).returncode == 1


def test_backup_and_restore_without_a_daemon(run: Grillon, state: Path) -> None:
    run("token", "create", "before", "--state", state)
    backup = run("db", "backup", "--state", state).stdout.strip()
    assert backups(state / "backups") == [Path(backup)]
    run("token", "create", "after", "--state", state)
    restored = run("db", "restore", backup, "--state", state)
    assert restored.returncode == 0, restored.stderr
    assert "kept as" in restored.stdout
    listed = run("token", "list", "--state", state).stdout
    assert "before" in listed
    assert "after" not in listed


def test_what_is_no_backup_is_not_restored(run: Grillon, state: Path) -> None:
    before = (state / "grillon.db").read_bytes()
    done = run("db", "restore", __file__, "--state", state)
    assert done.returncode == 1
    assert (state / "grillon.db").read_bytes() == before


def test_people_and_what_they_read(run: Grillon, tmp_path: Path, state: Path) -> None:
    (tmp_path / "grillon.toml").write_text(
        '[[people]]\nname = "Ada"\nowner = true\n[[people]]\nname = "Ben"\nunix_user = "ben"\n'
        '[[collections]]\nname = "open"\nfolder = "."\nreaders = ["everyone"]\n'
        '[[collections]]\nname = "own"\nfolder = "."\n'
        '[[collections]]\nname = "bens"\nfolder = "."\nreaders = ["Ben"]\n'
    )
    ada, ben = run("people", "--state", state).stdout.splitlines()
    assert ada.split()[:2] == ["Ada", "owner"]
    assert ada.endswith("reads open, own")
    assert ben.endswith("reads open, bens")
    assert "account ben" in ben


def test_who_is_blocked_let_in_and_the_owner(run: Grillon, tmp_path: Path, state: Path) -> None:
    (tmp_path / "grillon.toml").write_text('[[people]]\nname = "Ada"\nowner = true\nidentities = ["telegram:12"]\n')
    assert "telegram:12 (settings)" in run("people", "--state", state).stdout
    assert re.fullmatch(r"(\w{5}-){2}\w{5}\n", run("people", "owner", "--state", state).stdout)
    assert run("people", "block", "discord:7", "--state", state).stdout == "discord:7 may not talk any more\n"
    blocked = run("people", "--state", state).stdout.splitlines()[1].split()
    assert blocked[0].startswith("#")
    assert blocked[1:3] == ["blocked", "discord:7"]
    assert run("people", "unblock", blocked[0], "--state", state).returncode == 0
    for words in (["block", "Ada"], ["block", "Bob"], ["unblock", "discord:8"], ["approve", "AAAAA-AAAAA-AAAA2"]):
        refused = run("people", *words, "--state", state)
        assert refused.returncode == 1
        assert refused.stderr.startswith("grillon: ")


def test_upgrade_says_the_revision(run: Grillon, state: Path) -> None:
    done = run("db", "upgrade", "--state", state)
    assert done.returncode == 0
    assert "revision" in done.stdout


def test_files_of_other_kinds_are_one_line_however_many(capsys: pytest.CaptureFixture[str]) -> None:
    index._show(asdict(IndexReport("house", added=2, skipped=(("bad.pdf", "encrypted"),), other=3000)))
    first, *lines = capsys.readouterr().out.splitlines()
    assert first.startswith("house: 2 added")
    assert lines == ["  skipped bad.pdf: encrypted", "  left alone: 3000 of kinds that are not read"]


def test_service_prints_a_drop_in(run: Grillon, tmp_path: Path) -> None:
    (tmp_path / "grillon.toml").write_text('[[collections]]\nname = "a"\nfolder = "/srv/a"\n')
    assert "BindReadOnlyPaths=/srv/a\n" in run("service").stdout
