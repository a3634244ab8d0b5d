"""Who may import whom: the contracts of `[tool.importlinter]` in pyproject.toml, checked with the code as it is."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_every_import_keeps_to_the_contracts() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()", "--no-cache"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


def test_nothing_stands_at_the_top_without_a_reason() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    top = {line.split("/")[0] for line in listed if line and not line.startswith(".")}
    assert top <= {
        "CHANGELOG.md", "LICENSE", "Makefile", "README.md", "adapters", "bot", "knowledge", "migrations", "pyproject.toml",
        "requirements.lock", "systemd", "tests",
    }  # fmt: skip
