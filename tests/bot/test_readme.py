"""README says what is so: its settings load, and it names every command, verb, switch and permission."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bot.command_line import _VERBS
from bot.commands import COMMANDS
from bot.settings.fields import Settings
from bot.settings.sources import load_settings, secret_keys

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def test_every_command_is_named() -> None:
    table = README.partition("### Commands")[2].partition("\n### ")[0]
    named = set(re.findall(r"`/(\w+)`", table))
    french = {command.french for command in COMMANDS}
    assert named - french == {command.name for command in COMMANDS}


@pytest.mark.parametrize("text", re.findall(r"```toml\n(.*?)```", README.replace("   ", ""), re.DOTALL))
def test_the_settings_load(text: str, tmp_path: Path) -> None:
    file = tmp_path / "grillon.toml"
    file.write_text(text)
    loaded = load_settings(file)
    assert loaded.warnings == ()
    assert loaded.settings != Settings()


def test_every_table_and_secret_of_the_settings_is_named() -> None:
    table = README.partition("\n## Settings")[2].partition("\n## ")[0]
    for name in Settings.model_fields:
        assert re.search(rf"`\[*{name}\]*`", table), name
    for key in secret_keys():
        assert f"`{'.'.join(map(str, key))}`" in table, key


def test_every_verb_is_named() -> None:
    table = README.partition("\n## Verbs")[2].partition("\n## ")[0]
    assert [verb for verb in _VERBS if f"`grillon {verb}" not in table and f"`{verb}`" not in table] == []


@pytest.mark.parametrize(
    "words",
    [
        "Interactions Endpoint URL",
        "Requires OAuth2 Code Grant",
        "Message Content Intent",
        "Reset Token",
        "User Install",
        "/setprivacy",
        "/setjoingroups",
        "/revoke",
        "grillon people owner",
        *("View Channels", "Send Messages in Threads", "Attach Files", "Read Message History"),
    ],
)
def test_what_the_doctor_speaks_of_is_explained(words: str) -> None:
    assert words in " ".join(README.split())
