"""What an Ollama server says of itself and of one model: version, capabilities, where it runs, whether it is in memory.

Everything goes over our own `Wire`, not over the `ollama` client: that one follows redirects and proxies, and costs 3 to 5 ms of
CPU a call.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from knowledge.errors import ModelError, ModelMissingError, ModelUnfitError
from knowledge.models import Health

if TYPE_CHECKING:
    from collections.abc import Sequence

    from knowledge.wire import Wire

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

    async def runs_elsewhere(self, card: Card) -> bool:
        """True when the model runs outside the house, or on another machine than its server, and the settings do not name it."""
        if self._wire.model in self._remote:
            return False
        return bool(card.remote_host) or self._wire.model.endswith("cloud") or await self._wire.leaves_house()

    async def card(self) -> Card:
        """Ask `/api/show`. Raises the `ModelError` family."""
        shown = await self._wire.ask("POST", "/api/show", {"model": self._wire.model}, timeout_s=self._timeout_s)
        info = _mapping(shown.get("model_info"))
        lengths = [value for key, value in info.items() if key.endswith(".context_length") and isinstance(value, int)]
        capabilities = shown.get("capabilities")
        named = frozenset(map(str, capabilities)) if isinstance(capabilities, list) else frozenset()
        return Card(named, lengths[0] if lengths else None, str(shown.get("remote_host") or ""))

    async def loaded(self) -> Loaded | None:
        """Ask `/api/ps`; None when the model is not in memory. Raises the `ModelError` family."""
        entry = self._own(await self._wire.ask("GET", "/api/ps", timeout_s=self._timeout_s))
        if entry is None:
            return None
        size, vram, context = entry.get("size"), entry.get("size_vram"), entry.get("context_length")
        share = min(1.0, vram / size) if isinstance(size, int) and isinstance(vram, int) and size > 0 else None
        return Loaded(context if isinstance(context, int) else None, share)

    async def digest(self) -> str:
        """The model's own digest, from `/api/tags`. Raises the `ModelError` family."""
        entry = self._own(await self._wire.ask("GET", "/api/tags", timeout_s=self._timeout_s))
        if entry is None:
            raise ModelMissingError("not in the server's list", model=self._wire.model, address=self._wire.address)
        return str(entry.get("digest", ""))

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

    def _own(self, listed: dict[str, Any]) -> dict[str, Any] | None:
        """The entry of our model in a list of models: `all-minilm` is listed as `all-minilm:latest`."""
        wanted = {self._wire.model.lower(), f"{self._wire.model.lower()}:latest"}
        models = listed.get("models")
        for entry in models if isinstance(models, list) else []:
            if str(_mapping(entry).get("name", "")).lower() in wanted:
                return _mapping(entry)
        return None


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
