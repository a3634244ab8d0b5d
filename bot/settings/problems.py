"""What is wrong with the settings, as one sentence: where, what, and what is allowed."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, SecretStr, ValidationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails

Key = tuple[str | int, ...]
"""Where a value stands: `("collections", 0, "folder")`."""

_HEADER = re.compile(r"^\s*\[(\[?)\s*([A-Za-z0-9_.-]+)\s*\]")
_ASSIGNMENT = re.compile(r"^\s*([A-Za-z0-9_-]+(?:\s*\.\s*[A-Za-z0-9_-]+)*)\s*=")


def shown(key: Key) -> str:
    """A key as people write it: `collections[0].folder`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in key).lstrip(".")


def key_lines(text: str) -> dict[Key, int]:
    """The line of each key and table of a TOML text, from 1; best effort, for messages only (TOML parsers keep no lines)."""
    lines: dict[Key, int] = {}
    table: Key = ()
    counts: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            table = tuple(header[2].split("."))
            if header[1]:
                counts[header[2]] = counts.get(header[2], -1) + 1
                table = (*table, counts[header[2]])
            lines[table] = number
        elif assignment := _ASSIGNMENT.match(line):
            lines.setdefault((*table, *re.split(r"\s*\.\s*", assignment[1])), number)
    return lines


def field_at(model: type[BaseModel], key: Key) -> FieldInfo | None:
    """The field a key names, None where there is none."""
    field = None
    for part in key:
        if isinstance(part, int):
            continue
        section = model if field is None else section_of(field)
        field = section.model_fields.get(part) if section else None
        if field is None:
            return None
    return field


def section_of(field: FieldInfo) -> type[BaseModel] | None:
    """The model behind a field that is a section or a list of sections."""
    for kind in (field.annotation, *getattr(field.annotation, "__args__", ())):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
    return None


def is_secret(field: FieldInfo | None) -> bool:
    """Whether the field's value must never be shown."""
    return field is not None and SecretStr in (field.annotation, *getattr(field.annotation, "__args__", ()))


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """What is allowed, beginning with the nearest where one is near."""
    names = sorted(known)
    near = difflib.get_close_matches(wrong, names, n=1)
    return f"did you mean `{near[0]}`?" if near else f"known are {', '.join(names)}"


def sentence(error: ValidationError, model: type[BaseModel], sources: Mapping[Key, str]) -> str:
    """The first problem in one sentence, and how many more there are."""
    problems = error.errors(include_url=False)
    first = problems[0]
    text = f"{_where(first['loc'], sources)}: {_what(first, model)}"
    return text if len(problems) == 1 else f"{text} (and {len(problems) - 1} more)"


def _where(key: Sequence[str | int], sources: Mapping[Key, str]) -> str:
    whole = tuple(key)
    return next((sources[whole[:length]] for length in range(len(whole), 0, -1) if whole[:length] in sources), "the settings")


def _what(problem: ErrorDetails, model: type[BaseModel]) -> str:
    key = tuple(problem["loc"])
    field = field_at(model, key)
    if problem["type"] == "extra_forbidden":
        return _unknown(key, model)
    about = f" ({field.description})" if field is not None and field.description else ""
    if problem["type"] == "missing":
        return f"`{shown(key)}` is missing{about}"
    rule = problem["msg"].replace("Input should", "it should").replace("String should", "it should")
    value = "has the wrong type" if is_secret(field) else f"is {_brief(problem['input'])}"
    return f"`{shown(key)}` {value}; {rule}{about}"


def _unknown(key: Key, model: type[BaseModel]) -> str:
    above = field_at(model, key[:-1])
    section = section_of(above) if above is not None else model
    known = section.model_fields if section is not None else ()
    place = f" in [{shown(key[:-1])}]" if len(key) > 1 else ""
    return f"there is no key `{key[-1]}`{place}; {did_you_mean(str(key[-1]), known)}"


def _brief(value: Any) -> str:  # noqa: ANN401 -- whatever the file holds
    if isinstance(value, dict):
        return "a table"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
