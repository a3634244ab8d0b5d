"""Where each setting comes from: the file, then `GRILLON_…` variables, then credentials, then the command line."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr, ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict
from pydantic_settings import SettingsError as VariableError

from bot.errors import SettingsError
from bot.places import settings_file
from bot.settings.fields import Settings
from bot.settings.problems import Key, did_you_mean, is_secret, key_lines, section_of, sentence
from bot.settings.rules import check, warnings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PREFIX = "GRILLON_"
_NOT_SETTINGS = frozenset({"GRILLON_CONFIG", "GRILLON_DEBUG", "GRILLON_FAILPOINT"})
_TEST_VARIABLES = "GRILLON_TEST_"
_PATHS: tuple[Key, ...] = (("state",), ("socket", "path"))

Values = dict[str, Any]


class _Variables(Settings, BaseSettings):
    """How the variables are named: `GRILLON_MODEL__NAME`; a list is written as JSON."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter="__", case_sensitive=False, env_ignore_empty=True)


@dataclass(frozen=True, slots=True)
class Loaded:
    """The settings in force. `provenance` says for each key that was set where; a key that is not there has its default."""

    settings: Settings
    provenance: Mapping[Key, str]
    path: Path | None
    warnings: tuple[str, ...]

    def leaves(self) -> Iterator[tuple[Key, Any, str]]:
        """Every setting with its value (secrets masked by their type) and where the value came from."""
        for key, value in leaves(self.settings.model_dump()):
            yield key, value, self.provenance.get(key, "default")


def load_settings(named: Path | None = None, *, state: Path | None = None) -> Loaded:
    """Read the settings; `named` is `--config`, `state` is `--state`. Raises `SettingsError`."""
    path = settings_file(named)
    provenance: dict[Key, str] = {}
    values: Values = {}
    for source, origins in (_from_file(path), _from_variables(), _from_credentials(), _from_options(state)):
        _merge(values, source)
        replaced = {name for name, value in source.items() if isinstance(value, list)}
        provenance = {key: origin for key, origin in provenance.items() if key[0] not in replaced} | origins
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        raise SettingsError(sentence(error, Settings, provenance)) from None  # its own text shows values, secrets too
    check(settings, provenance)
    return Loaded(settings, provenance, path, (*_stray_variables(), *_stray_credentials(), *warnings(settings, provenance)))


def leaves(value: Any, key: Key = ()) -> Iterator[tuple[Key, Any]]:  # noqa: ANN401 -- TOML and JSON values
    """Each value that is not a table with its key. Tables inside lists are walked, lists of plain values are one value."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, (*key, name))
    elif isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        for number, item in enumerate(value):
            yield from leaves(item, (*key, number))
    else:
        yield key, value


def _from_file(path: Path | None) -> tuple[Values, dict[Key, str]]:
    if path is None:
        return {}, {}
    text = _text(path)
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path} is not valid TOML: {error}") from error
    lines = key_lines(text)
    _anchor(values, path.resolve().parent)
    origins = {key: f"{path}, line {line}" for key, line in lines.items()}
    return values, origins | {key: _nearest(key, origins, str(path)) for key, _ in leaves(values)}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"the settings file {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"the settings file {path} is not UTF-8 text (byte {error.start})") from error


def _nearest(key: Key, origins: Mapping[Key, str], fallback: str) -> str:
    return next((origins[key[:length]] for length in range(len(key), 0, -1) if key[:length] in origins), fallback)


def _from_variables() -> tuple[Values, dict[Key, str]]:
    try:
        values = EnvSettingsSource(_Variables)()
    except VariableError as error:
        raise SettingsError(f"{_broken_variable()} is not the JSON that a list or table must be there") from error
    _anchor(values, Path.cwd())
    return values, {key: _variable(key) for key, _ in leaves(values)}


def _variable(key: Key) -> str:
    names = [part for part in key if isinstance(part, str)]
    nested = f"{PREFIX}{'__'.join(names)}".upper()
    return f"${nested}" if nested in {name.upper() for name in os.environ} else f"${PREFIX}{names[0].upper()}"


def _broken_variable() -> str:
    """The variable pydantic-settings stumbled over: its error names the field alone."""
    return next((f"${name}" for name in _variables() if os.environ[name].strip()[:1] in tuple("[{")), "a GRILLON_ variable")


def _variables() -> list[str]:
    return sorted(name for name in os.environ if name.upper().startswith(PREFIX))


def _stray_variables() -> Iterator[str]:
    """A name outside of our sections may be someone else's (container orchestrators set GRILLON_PORT): hence no error."""
    for name in _variables():
        top = name.upper().removeprefix(PREFIX).partition("__")[0].lower()
        if top not in Settings.model_fields and name not in _NOT_SETTINGS and not name.startswith(_TEST_VARIABLES):
            yield f"${name} is no setting and is ignored; {did_you_mean(top, Settings.model_fields)}"


def secret_keys() -> list[Key]:
    """The settings that may come from a file of `$CREDENTIALS_DIRECTORY`, named `section.key`."""
    return [
        (name, inner)
        for name, field in Settings.model_fields.items()
        if (section := section_of(field)) is not None
        for inner, leaf in section.model_fields.items()
        if is_secret(leaf)
    ]


def _from_credentials() -> tuple[Values, dict[Key, str]]:
    values: Values = {}
    origins: dict[Key, str] = {}
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    for section, name in secret_keys() if folder else ():
        file = Path(folder or "") / f"{section}.{name}"
        if file.is_file():
            values.setdefault(str(section), {})[name] = SecretStr(_text(file).strip())
            origins[section, name] = f"credential {file.name}"
    return values, origins


def _stray_credentials() -> Iterator[str]:
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    known = [f"{section}.{name}" for section, name in secret_keys()]
    for file in sorted(Path(folder).iterdir()) if folder and Path(folder).is_dir() else ():
        if file.name not in known:
            yield f"the credential {file.name} is no setting and is ignored; {did_you_mean(file.name, known)}"


def _from_options(state: Path | None) -> tuple[Values, dict[Key, str]]:
    return ({"state": state.expanduser().absolute()}, {("state",): "--state"}) if state is not None else ({}, {})


def _merge(values: Values, newer: Values) -> None:
    for name, value in newer.items():
        if isinstance(value, dict) and isinstance(values.get(name), dict):
            _merge(values[name], value)
        else:
            values[name] = value


def _anchor(values: Values, folder: Path) -> None:
    """Make paths absolute: `~` is the user's home, a relative path starts at the settings file (or at the working directory)."""
    collections = values.get("collections")
    tables = [(item, "folder") for item in collections if isinstance(item, dict)] if isinstance(collections, list) else []
    for *above, name in _PATHS:
        table = values.get(str(above[0])) if above else values
        if isinstance(table, dict):
            tables.append((table, str(name)))
    for table, name in tables:
        if isinstance(table.get(name), str) and table[name]:
            table[name] = folder / Path(table[name]).expanduser()
