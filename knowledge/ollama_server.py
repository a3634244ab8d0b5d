"""What an Ollama server says of itself and of one model: version, capabilities, where it runs, whether it is in memory.

The `ollama` package says what its lists look like. Its client is not what asks: it follows redirects and proxies, drops the
`remote_host` that says where a model runs, and costs 3 to 5 ms of CPU a call where our own `Wire` costs 0.5.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from ollama import ListResponse, ProcessResponse
from pydantic import ValidationError

from knowledge.errors import ModelError, ModelMissingError, ModelUnfitError
from knowledge.models import Health

if TYPE_CHECKING:
    from collections.abc import Sequence

    from knowledge.wire import Wire

_MOST_LISTED = 100
Listed = TypeVar("Listed", ListResponse, ProcessResponse)
Capability = Literal["completion", "embedding"]

_SAFE_VERSION = (0, 17, 1)
_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Card:
    """What `/api/show` says. `capabilities` is empty on servers that name none; with a `remote_host` it runs elsewhere."""

    capabilities: frozenset[str]
    context_length: int | None
    remote_host: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """What `/api/ps` says of a model that is in memory, or on its way there: the list does not tell these two apart."""

    context_length: int | None
    vram_share: float | None


@dataclass(frozen=True, slots=True)
class Installed:
    """A model of a server. `writes`: it can answer; `remote`: it runs outside of the house, which the settings do not allow."""

    name: str
    writes: bool
    remote: bool


class OllamaServer:
    """One model on an Ollama server. `remote` are the models that the settings allow to run elsewhere.

    `timeout_s`: seconds that what is asked here may take at the most. `context_length`: what the model was made for, once known.
    """

    def __init__(self, wire: Wire, remote: Sequence[str], *, timeout_s: float) -> None:
        self._wire = wire
        self._remote = frozenset(remote)
        self._timeout_s = min(timeout_s, _TIMEOUT_S)
        self.context_length: int | None = None
        self._fit: set[Capability] = set()

    async def require(self, capability: Capability) -> None:
        """Make sure, once until `doubt`, that the model can do this and runs in the house.

        Raises `ModelUnfitError`, `ModelMissingError` and the other `ModelError`.
        """
        if capability in self._fit:
            return
        card = await self.card()
        if await self.runs_elsewhere(card):
            raise ModelUnfitError(
                f"runs elsewhere ({card.remote_host or 'cloud'})", model=self._wire.model, address=self._wire.address
            )
        if card.capabilities and capability not in card.capabilities:
            can = ", ".join(sorted(card.capabilities))
            raise ModelUnfitError(f"no {capability}, only: {can}", model=self._wire.model, address=self._wire.address)
        self.context_length = card.context_length
        self._fit.add(capability)

    def doubt(self) -> None:
        """Something changed: look at the model again before its next use."""
        self._fit.clear()

    async def runs_elsewhere(self, card: Card, name: str | None = None) -> bool:
        """True when the model runs outside the house, or on another machine than its server, and the settings do not name it."""
        name = name or self._wire.model
        if name in self._remote:
            return False
        return bool(card.remote_host) or name.endswith("cloud") or await self._wire.leaves_house()

    async def installed(self) -> list[Installed]:
        """All models of the server, by name. Raises the `ModelError` family."""
        listed = self._read(ListResponse, await self._wire.ask("GET", "/api/tags", timeout_s=self._timeout_s))
        names = sorted({entry.model for entry in listed.models if entry.model})
        return [found for name in names[:_MOST_LISTED] if (found := await self._installed(name)) is not None]

    async def _installed(self, name: str) -> Installed | None:
        try:
            card = await self.card(name)
        except ModelMissingError:  # removed since it was listed
            return None
        writes = not card.capabilities or "completion" in card.capabilities
        return Installed(name, writes, remote=await self.runs_elsewhere(card, name))

    async def card(self, name: str | None = None) -> Card:
        """Ask `/api/show`. Raises the `ModelError` family."""
        shown = await self._wire.ask("POST", "/api/show", {"model": name or self._wire.model}, timeout_s=self._timeout_s)
        info = _mapping(shown.get("model_info"))
        lengths = [value for key, value in info.items() if key.endswith(".context_length") and isinstance(value, int)]
        capabilities = shown.get("capabilities")
        named = frozenset(map(str, capabilities)) if isinstance(capabilities, list) else frozenset()
        return Card(named, lengths[0] if lengths else None, str(shown.get("remote_host") or ""))

    async def loaded(self) -> Loaded | None:
        """Ask `/api/ps`; None when the model is not in memory. Raises the `ModelError` family."""
        listed = self._read(ProcessResponse, await self._wire.ask("GET", "/api/ps", timeout_s=self._timeout_s))
        entry = next((entry for entry in listed.models if self._ours(entry.model)), None)
        if entry is None:
            return None
        share = min(1.0, entry.size_vram / entry.size) if entry.size and entry.size_vram is not None else None
        return Loaded(entry.context_length, share)

    async def digest(self) -> str:
        """The model's own digest, from `/api/tags`. Raises the `ModelError` family."""
        listed = self._read(ListResponse, await self._wire.ask("GET", "/api/tags", timeout_s=self._timeout_s))
        entry = next((entry for entry in listed.models if self._ours(entry.model)), None)
        if entry is None:
            raise ModelMissingError("not in the server's list", model=self._wire.model, address=self._wire.address)
        return entry.digest or ""

    async def version(self) -> str:
        """The server's version. Raises the `ModelError` family."""
        return str((await self._wire.ask("GET", "/api/version", timeout_s=self._timeout_s)).get("version", ""))

    async def health(self, capability: Capability, window: int) -> Health:
        """What stands between us and an answer, without raising. `window` is the one we ask for."""
        model, address = self._wire.model, self._wire.address
        self.doubt()
        try:
            version = await self.version()
        except ModelError as error:
            return Health("unreachable", model, address, str(error))
        try:
            card, loaded = await self.card(), await self.loaded()
            elsewhere = await self.runs_elsewhere(card)
        except ModelMissingError as error:
            return Health("missing", model, address, str(error), version)
        except ModelError as error:
            return Health("unreachable", model, address, str(error), version)
        state: Literal["remote", "unfit", "ready", "loading"] = "ready" if loaded else "loading"
        if elsewhere:
            state = "remote"
        elif card.capabilities and capability not in card.capabilities:
            state = "unfit"
        length = (loaded.context_length if loaded else None) or card.context_length
        detail = "; ".join(_warnings(version, length, window))
        return Health(state, model, address, detail, version, length, card.capabilities, loaded.vram_share if loaded else None)

    def _ours(self, name: str | None) -> bool:
        """Whether a listed name is our model's: `all-minilm` is listed as `all-minilm:latest`."""
        model = self._wire.model.lower()
        return (name or "").lower() in {model, f"{model}:latest"}

    def _read(self, kind: type[Listed], answer: dict[str, Any]) -> Listed:
        try:
            return kind.model_validate(answer)
        except ValidationError as error:
            raise self._wire.broken(f"not a list of models: {error.error_count()} fields are wrong") from error


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _warnings(version: str, length: int | None, window: int) -> list[str]:
    warnings = []
    numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:3])
    if (0, 0, 0) < numbers < _SAFE_VERSION:
        warnings.append(f"Ollama {version} leaks its memory to whoever asks (CVE-2026-7482): update it to 0.17.1 or later")
    if length is not None and length < window:
        warnings.append(f"its window is {length} tokens, the settings say {window}")
    return warnings
