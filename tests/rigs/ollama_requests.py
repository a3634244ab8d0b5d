"""What the Ollama stand-in takes and what it refuses: bodies, models, options, in a real server's words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import orjson

from tests.rigs.ollama_models import Installed, full_name, installed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.rigs.ollama_memory import Runner
    from tests.rigs.ollama_script import Script

OVER_WINDOW = "the input length exceeds the context length"
_INTEGERS = ("num_ctx", "num_batch", "num_gpu", "num_predict", "seed", "top_k")
_RUNNER = ("num_ctx", "num_batch", "num_gpu", "main_gpu", "use_mmap", "num_thread")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class RefusalError(Exception):
    """An answer that is an error: status, text, and `plain` where the server leaves the charset out and sends chunks."""

    def __init__(self, status: int, text: str, *, plain: bool = False) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.plain = plain


def parsed(body: bytes) -> dict[str, Any]:
    """The JSON object of a request. Raises `RefusalError`."""
    if not body:
        raise RefusalError(400, "missing request body")
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise RefusalError(400, "unexpected EOF") from None
    if not isinstance(value, dict):
        raise RefusalError(400, "json: cannot unmarshal value into Go value")
    return value


def model_of(script: Script, body: Mapping[str, Any], wording: str = "model '{}' not found") -> Installed:
    """The model a request names. Raises `RefusalError`."""
    name = body.get("model", body.get("name", ""))
    if not name:
        raise RefusalError(400, "model is required")
    if full_name(name) not in script.installed:
        raise RefusalError(404, wording.format(name))
    return installed(full_name(name))


def capabilities(script: Script, model: Installed) -> list[str]:
    """What a model can do."""
    return script.capabilities.get(model.name, [model.kind])


def check_chat(script: Script, model: Installed, body: Mapping[str, Any]) -> None:
    """Refuse what the model cannot do. Raises `RefusalError`."""
    can = capabilities(script, model)
    if can and "completion" not in can:
        raise RefusalError(400, f'"{body["model"]}" does not support chat')
    if body.get("think") and "thinking" not in can:
        raise RefusalError(400, f'"{body["model"]}" does not support thinking')
    if body.get("tools") and "tools" not in can:
        raise RefusalError(400, f"…/library/{body['model']} does not support tools")
    for name, value in body.get("options", {}).items():
        if name in _INTEGERS and not isinstance(value, int):
            raise RefusalError(500, f'option "{name}" must be of type integer')


def runner_of(body: Mapping[str, Any], version: str) -> Runner:
    """The options that make a server load the model anew when they differ; from 0.30 on `shift` is one of them."""
    options = body.get("options") or {}
    runner = [(name, options[name]) for name in _RUNNER if name in options]
    numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:2])
    if numbers >= (0, 30):
        runner.append(("shift", body.get("shift", True)))
    return tuple(runner)


def keep_alive_of(body: Mapping[str, Any]) -> float:
    """Seconds the model stays in memory, negative for ever. Raises `RefusalError`."""
    value = body.get("keep_alive", 300)
    if isinstance(value, (int, float)):
        return float(value)
    found = re.fullmatch(r"(-?\d+(?:\.\d+)?)(ms|s|m|h)", str(value))
    if not found:
        bare = re.fullmatch(r"-?\d+(\.\d+)?", str(value))
        raise RefusalError(400, f'time: {"missing unit in" if bare else "invalid"} duration "{value}"')
    return float(found[1]) * _UNITS[found[2]]
