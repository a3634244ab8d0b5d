"""Chat and embeddings from any server that speaks OpenAI's dialect (vLLM, llama.cpp, LM Studio), as LlamaIndex models."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import PrivateAttr

from knowledge.config import ChatModelConfig, EmbeddingConfig
from knowledge.deadlines import Deadlines
from knowledge.errors import ModelBusyError, ModelError, ModelUnfitError
from knowledge.llamaindex import StreamedChat, untraced
from knowledge.models import Health, Piece, Turn
from knowledge.served import ServedEmbedding
from knowledge.tokens import bound
from knowledge.wire import Wire

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from numpy.typing import NDArray
    from pydantic import SecretStr

_EVENTS_BEYOND = 16
_CHECK_S = 3.0


class OpenAIChat(StreamedChat):
    """A chat model behind `/v1/chat/completions`."""

    _config: ChatModelConfig = PrivateAttr()
    _wire: Wire = PrivateAttr()
    _deadlines: Deadlines = PrivateAttr()
    _at_home: bool = PrivateAttr(default=False)

    def __init__(self, config: ChatModelConfig, wire: Wire | None = None) -> None:
        super().__init__(name=config.name, window=config.context_window, answer_tokens=config.answer_tokens)
        self._config = config
        self._wire = wire or _wire(config.address, config.name, config.api_key, config.slots + 8)
        self._deadlines = Deadlines.of(config)

    @untraced
    async def stream(self, prompt: Sequence[Turn]) -> AsyncGenerator[Piece, None]:  # type: ignore[override]
        """Write an answer: `knowledge.models.ChatModel`. Words that arrive together come as one piece.

        An answer that runs on past `answer_tokens` events is ended here, as `length`. A prompt that the server cut in silence
        raises `PromptTooLongError` after the words, where the server counts its tokens.
        """
        await self._prepare()
        events = _Events(self._wire)
        async with aclosing(self._wire.lines("/chat/completions", self._request(prompt), self._deadlines)) as batches:
            async for lines in batches:
                text = events.read(lines)
                if events.words > self._config.answer_tokens + _EVENTS_BEYOND:
                    events.done = "length"
                    events.over = True
                if text:
                    yield Piece(text)
                if events.over:
                    break
        if events.done is None:
            raise self._wire.broken("the answer was cut: no finish reason")
        self._refuse_cut(prompt, events.usage.get("prompt_tokens"), self._wire.address)
        yield Piece("", events.done, events.usage.get("prompt_tokens"), events.usage.get("completion_tokens"))

    def count(self, text: str) -> int:
        """Upper bound of the tokens of `text`: the dialect has no route that counts."""
        return bound(text)

    async def check(self) -> Health:
        """Ask `/v1/models`. Never raises a `ModelError`."""
        return await _health(self._wire, self._config.remote)

    async def warm(self) -> None:
        """Make sure that the server answers and may be asked; loading is its own business. Raises the `ModelError` family."""
        await self._prepare()
        await self._wire.ask("GET", "/models", timeout_s=self._config.load_s, step="load")

    async def close(self) -> None:
        """Close the connections."""
        await self._wire.close()

    async def _prepare(self) -> None:
        """Before a call: nothing leaves the house unless the settings name the model. Raises `ModelUnfitError`."""
        if not self._at_home:
            await _stay_home(self._wire, self._config.remote)
            self._at_home = True

    def _request(self, prompt: Sequence[Turn]) -> dict[str, Any]:
        return {
            "model": self._config.name,
            "messages": [{"role": turn.role, "content": _content(turn)} for turn in prompt],
            "stream": True,
            "stream_options": {"include_usage": True},
            "max_tokens": self._config.answer_tokens,
            "temperature": self._config.temperature,
        }


def _content(turn: Turn) -> str | list[dict[str, Any]]:
    """Text alone, or text and pictures; the server finds out itself what kind of picture it is."""
    if not turn.images:
        return turn.content
    pictures = [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{image}"}} for image in turn.images]
    return [{"type": "text", "text": turn.content}, *pictures]


class OpenAIEmbedder(ServedEmbedding):
    """An embedding model behind `/v1/embeddings`."""

    def __init__(self, config: EmbeddingConfig) -> None:
        super().__init__(config, _wire(config.address, config.name, config.api_key, 100))

    async def check(self) -> Health:
        """Ask `/v1/models`. Never raises a `ModelError`."""
        return await _health(self._wire, self._config.remote)

    async def _digest(self) -> str:
        """The name stands for the digest, which the dialect does not know."""
        await _stay_home(self._wire, self._config.remote)
        return self.name

    async def _embed(self, texts: list[str]) -> NDArray[np.float32]:
        body = {"model": self._config.name, "input": texts, "encoding_format": "float"}
        answer = await self._wire.ask("POST", "/embeddings", body, timeout_s=self._config.timeout_s)
        try:
            entries = sorted(answer["data"], key=lambda entry: int(entry["index"]))
            return self._units([entry["embedding"] for entry in entries], len(texts))
        except (KeyError, TypeError, ValueError) as error:
            raise self._wire.broken("no vectors in the answer") from error


class _Events:
    """Reads server-sent events of an answer: `done` is its finish reason, `over` its end mark, `words` the events with text."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.done: str | None = None
        self.over = False
        self.words = 0
        self.usage: dict[str, Any] = {}

    def read(self, lines: Sequence[bytes]) -> str:
        """The words of several lines. Raises `ModelBrokenError`, `PromptTooLongError`."""
        return "".join(self._text(line[5:].strip()) for line in lines if line.startswith(b"data:"))

    def _text(self, data: bytes) -> str:
        if data == b"[DONE]":
            self.over = True
            return ""
        event = self._wire.parsed(data)
        if "error" in event:
            raise self._wire.refusal(500, data)
        self.usage = event.get("usage") or self.usage
        try:
            return self._choice(event["choices"][0]) if event["choices"] else ""
        except (KeyError, TypeError, AttributeError) as error:
            raise self._wire.broken(f"not an event of an answer: {data[:80]!r}") from error

    def _choice(self, choice: dict[str, Any]) -> str:
        finish = choice.get("finish_reason")
        if finish:
            self.done = "length" if finish == "length" else "stop"
        text: str = (choice.get("delta") or {}).get("content") or ""
        self.words += bool(text)
        return text


def _wire(address: str, model: str, key: SecretStr | None, connections: int) -> Wire:
    address = address.rstrip("/")
    headers = {"Authorization": f"Bearer {key.get_secret_value()}"} if key else {}
    return Wire(address if address.endswith("/v1") else f"{address}/v1", model, headers=headers, connections=connections)


async def _stay_home(wire: Wire, remote: Sequence[str]) -> None:
    if wire.model not in remote and await wire.leaves_house():
        raise ModelUnfitError("runs elsewhere: the address is on the internet", model=wire.model, address=wire.address)


async def _health(wire: Wire, remote: Sequence[str]) -> Health:
    try:
        await _stay_home(wire, remote)
        listed = await wire.ask("GET", "/models", timeout_s=_CHECK_S)
    except ModelUnfitError as error:
        return Health("remote", wire.model, wire.address, str(error))
    except ModelBusyError as error:
        return Health("loading", wire.model, wire.address, str(error))
    except ModelError as error:
        return Health("unreachable", wire.model, wire.address, str(error))
    models = {str(entry.get("id")): entry for entry in listed.get("data") or [] if isinstance(entry, dict)}
    if wire.model not in models:
        return Health("missing", wire.model, wire.address, f"there are: {', '.join(sorted(models)) or 'none'}")
    length = models[wire.model].get("max_model_len")
    return Health("ready", wire.model, wire.address, context_length=length if isinstance(length, int) else None)
