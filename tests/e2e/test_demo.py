"""`grillon demo` as a person without anything runs it: real embedder, real small model, a closed input."""

import subprocess
import sys
from pathlib import Path

import pytest

from bot.cli.demo import QUESTIONS


@pytest.mark.timeout(320)
def test_the_demo_finds_the_right_passage_in_both_languages_and_ends(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bot.command_line", "demo", "--port", "0", "--state", str(tmp_path / "state")],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, cwd=Path(__file__).parents[2], check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    french, english = (done.stdout.split(f"› {question}")[1] for question in QUESTIONS)
    assert "[1] Poubelles, tri et compost" in french.split("The small model says")[0]
    assert "mardi des semaines impaires" in french
    assert "[1] Wi-Fi and internet box" in english.split("The small model says")[0]
    assert "Hearth-Guests" in english
    assert done.stdout.count("The small model says:") == 2
