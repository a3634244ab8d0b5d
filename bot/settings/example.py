"""A documented settings file, written from the descriptions of the fields: every line shows a default."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from bot.settings.fields import Settings
from bot.settings.problems import is_secret, section_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

_INTRODUCTION = """\
# The settings of Grillon. A line that begins with "#" and a key shows the default: remove the "#" to change it.
# Any of them can also be set by a variable, GRILLON_MODEL__NAME for `name` in [model].
# A path that does not begin with "/" or "~" starts at the folder of this file.
"""
_WRITTEN: dict[str, Any] = {
    "collections.name": "handbook",
    "collections.folder": "/srv/documents/handbook",
    "collections.readers": ["everyone"],
    "people.name": "Ada",
    "people.owner": True,
}
"""What the examples of a collection and of a person hold: these have no defaults worth showing."""


def example() -> str:
    """The text of `grillon config example`. It loads as it is, and with every "#" before a key removed."""
    plain, tables = _parted(Settings)
    blocks = ["\n".join(line for name, field in plain for line in _lines("", name, field))]
    blocks += ["\n".join(_table(name, field)) for name, field in tables]
    return _INTRODUCTION + "\n" + "\n\n".join(blocks) + "\n"


def limits(field: FieldInfo) -> str:
    """What a field allows, in words: `ollama, openai or embedded`, `1 to 20`; empty where its type says all."""
    if get_origin(field.annotation) is Literal:
        *others, last = (str(choice) for choice in get_args(field.annotation))
        return f"{', '.join(others)} or {last}"
    bounds = {name: getattr(rule, name) for rule in field.metadata for name in ("ge", "gt", "le") if hasattr(rule, name)}
    low = str(bounds["ge"]) if "ge" in bounds else f"over {bounds['gt']}" if "gt" in bounds else ""
    return f"{low} to {bounds['le']}" if low and "le" in bounds else f"at least {low}" if "ge" in bounds else low


def _table(name: str, field: FieldInfo) -> Iterator[str]:
    section = section_of(field)
    if section is None:
        return
    yield f"# {_purpose(section)}"
    yield f"#[[{name}]]" if get_origin(field.annotation) is list else f"[{name}]"
    plain, tables = _parted(section)
    for inner, leaf in plain:
        yield from _lines(f"{name}.", inner, leaf)
    for inner, leaf in tables:
        yield ""
        yield from _table(f"{name}.{inner}", leaf)


def _parted(section: type[BaseModel]) -> tuple[list[tuple[str, FieldInfo]], list[tuple[str, FieldInfo]]]:
    """The plain keys of a table, and the tables inside of it, which TOML wants last."""
    fields = list(section.model_fields.items())
    return [one for one in fields if section_of(one[1]) is None], [one for one in fields if section_of(one[1]) is not None]


def _purpose(section: type[BaseModel]) -> str:
    purpose = (section.__doc__ or "").partition("`: ")[2].partition("\n")[0]
    return purpose[:1].upper() + purpose[1:]


def _lines(above: str, name: str, field: FieldInfo) -> Iterator[str]:
    allowed = limits(field)
    yield f"# {field.description}" + (f" ({allowed})" if allowed else "")
    if is_secret(field):
        variable = f"GRILLON_{above.replace('.', '__')}{name}".upper()
        yield f"# (better not here: as a credential named {above}{name}, or as ${variable})"
        return
    value = _WRITTEN.get(above + name, field.get_default(call_default_factory=True))
    if value is None:
        (value,) = field.examples or [""]
    yield f"#{name} = {toml(value)}"


def toml(value: Any) -> str:  # noqa: ANN401 -- any value of a field
    """A plain value in TOML. JSON's strings, numbers and lists are TOML's as well."""
    return json.dumps(str(value) if isinstance(value, Path) else value, ensure_ascii=False)
