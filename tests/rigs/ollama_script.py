"""What a test can tell the Ollama stand-in to be and to do; every field can be set over `POST /_rig/script` as JSON."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any

FAULTS = {
    "400": "the prompt is over the window, says the server",
    "404": "the model is not installed",
    "500": "an internal error",
    "503": "the queue is full",
    "unfit": "the model does not support chat",
    "redirect": "302 to `text`",
    "refuse": "the connection is closed before any answer",
    "hang": "no answer ever, the connection stays open",
    "stall": "no more words after `after`, the connection stays open",
    "error_line": "an error line after `after` words (200 OK)",
    "cut": "the connection ends after `after` words, without a last chunk",
    "no_last_line": "the body ends properly after `after` words, without its last line",
    "garbage": "a line that is no JSON after `after` words",
    "list": "a line that is JSON but no object after `after` words",
    "endless": "words for ever, whatever `num_predict` says",
    "endless_line": "one line that never ends",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One misbehaviour. `times`: how often (None: always); `route`: `chat`, `embed`, `ps`, `show`, `tags`, `version`."""

    kind: str
    route: str = "chat"
    after: int = 3
    times: int | None = None
    text: str = ""

    def __post_init__(self) -> None:
        if self.kind not in FAULTS:
            raise ValueError(f"no fault {self.kind!r}; there are {', '.join(FAULTS)}")


@dataclass(frozen=True, slots=True)
class Script:
    """The behaviour of the stand-in. Instant unless told otherwise.

    `answer`: None quotes the first passage of the prompt; a text is the answer, in which `{quote}`, `{question}`, `{n}` (the
    number of the quoted passage) and `{nonce}` (another one in each answer) are replaced. `tokens`: that many words instead.
    `done_reason`: `length` says that it was cut. `thinking`: words thought before the answer. `fit`: models that fit into memory
    together. `vram_share`: the part of a model on the GPU. `digests`, `remote` (host) and `capabilities` are by full model name.
    `cuts_silently` makes it a server that knows no `truncate: false`. `record`: prompts remembered; `prefix`: compare them.
    """

    first_token_s: float = 0.0
    tokens_s: float = 0.0
    load_s: float = 0.0
    embed_s: float = 0.0
    slots: int = 1
    queue: int = 512
    fit: int = 3
    answer: str | None = None
    tokens: int | None = None
    done_reason: str = "stop"
    thinking: int = 0
    version: str = "0.24.0"
    cuts_silently: bool = False
    vram_share: float = 1.0
    dimension: int = 384
    record: int = 20_000
    prefix: bool = True
    installed: tuple[str, ...] = ("all-minilm:latest", "bge-m3:latest", "qwen3:8b", "smollm2:135m")
    digests: dict[str, str] = field(default_factory=dict)
    remote: dict[str, str] = field(default_factory=dict)
    capabilities: dict[str, list[str]] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()


def changed(script: Script, values: dict[str, Any]) -> Script:
    """The script with some fields set from JSON. Raises `ValueError` for an unknown field."""
    values = {key: tuple(value) if key == "installed" else value for key, value in values.items()}
    unknown = set(values) - {item.name for item in fields(Script)}
    if unknown:
        raise ValueError(f"the script has no {min(unknown)!r}")
    if "faults" in values:
        values = {**values, "faults": tuple(fault if isinstance(fault, Fault) else Fault(**fault) for fault in values["faults"])}
    return replace(script, **values)
