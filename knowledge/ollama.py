"""Chat and embeddings from an Ollama server, as LlamaIndex models."""

from __future__ import annotations

from contextlib import aclosing
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import PrivateAttr

from knowledge.config import ChatModelConfig, EmbeddingConfig
from knowledge.deadlines import Deadlines
from knowledge.errors import (
    ModelBrokenError,
    ModelError,
    ModelMissingError,
    ModelUnfitError,
    ModelUnreachableError,
)
from knowledge.llamaindex import StreamedChat, untraced
from knowledge.models import Health, Piece, Turn
from knowledge.ollama_server import OllamaServer
from knowledge.served import ServedEmbedding
from knowledge.tokens import bound
from knowledge.wire import Wire

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from numpy.typing import NDArray

_counted = lru_cache(maxsize=512)(bound)
"""The fixed words and the turns come back with every question."""
_NANO = 1e-9
_LINES_BEYOND = 16


class OllamaChat(StreamedChat):
    """A chat model of an Ollama server, on the lean path: LlamaIndex's own `Ollama` costs 14 to 19 ms of CPU for 100 tokens."""

    _config: ChatModelConfig = PrivateAttr()
    _wire: Wire = PrivateAttr()
    _server: OllamaServer = PrivateAttr()
    _deadlines: Deadlines = PrivateAttr()
    _answered: bool = PrivateAttr(default=False)

    def __init__(self, config: ChatModelConfig) -> None:
        super().__init__(name=config.name, window=config.context_window, answer_tokens=config.answer_tokens)
        self._config = config
        self._wire = Wire(config.address, config.name, connections=config.slots + 8)
        self._server = OllamaServer(self._wire, config.remote, timeout_s=config.first_token_s)
        self._deadlines = Deadlines.of(config)

    @untraced
    async def stream(self, prompt: Sequence[Turn]) -> AsyncGenerator[Piece, None]:  # type: ignore[override]
        """Write an answer: `knowledge.models.ChatModel`. Words that arrive together come as one piece.

        An answer that runs on past `answer_tokens` lines, thoughts apart, is ended here, as `length`. A prompt that an old server
        cut in silence raises `PromptTooLongError` after the words, when the server says how much of it was read.
        """
        written = 0
        try:
            await self._server.require("completion")
            async with aclosing(self._wire.lines("/api/chat", self._request(prompt), self._deadlines, self._loading)) as batches:
                async for lines in batches:
                    self._answered = True
                    piece, lines_of_words = self._piece(lines)
                    written += lines_of_words
                    if piece.done is None and written > self._config.answer_tokens + _LINES_BEYOND:
                        piece = Piece(piece.text, done="length")
                    if piece.done is not None:
                        self._refuse_cut(prompt, piece.prompt_tokens, self._wire.address, self._server.context_length)
                        yield piece
                        return
                    if piece.text:
                        yield piece
            raise self._wire.broken("the answer was cut: no last line")
        except (ModelUnreachableError, ModelMissingError, ModelUnfitError, ModelBrokenError):
            self._doubt()
            raise

    def count(self, text: str) -> int:
        """Upper bound of the tokens of `text`: Ollama has no route that counts."""
        return _counted(text)

    async def check(self) -> Health:
        """Ask the server for version, model, capabilities and memory. Never raises a `ModelError`."""
        return await self._server.health("completion", self.window)

    async def warm(self) -> None:
        """Load the model: a question without messages. Raises the `ModelError` family."""
        await self._server.require("completion")
        await self._wire.ask("POST", "/api/chat", self._request([], stream=False), timeout_s=self._config.load_s, step="load")
        self._answered = True

    async def close(self) -> None:
        """Close the connections."""
        await self._wire.close()

    def _request(self, prompt: Sequence[Turn], *, stream: bool = True) -> dict[str, Any]:
        """The body of every call. Any difference in its options would make the server load the model anew."""
        config = self._config
        return {
            "model": config.name,
            "messages": [_message(turn) for turn in prompt],
            "stream": stream,
            "options": {
                "num_ctx": config.context_window,
                # Ollama counts thoughts too, which must leave an answer its own tokens: then these are counted here alone.
                "num_predict": config.context_window if config.thinking else config.answer_tokens,
                "temperature": config.temperature,
            },
            "keep_alive": keep_alive(config.keep_alive),
            "think": config.thinking,
            "truncate": False,
            "shift": False,
        }

    def _piece(self, lines: Sequence[bytes]) -> tuple[Piece, int]:
        """The words of several lines in one piece, and how many lines had words; `done` when the last line was among them."""
        words: list[str] = []
        parsed = self._wire.parsed
        try:
            for line in filter(None, lines):
                said = parsed(line)
                if said["message"]["content"]:
                    words.append(said["message"]["content"])
                if said.get("remote_host") and self.name not in self._config.remote:
                    raise ModelUnfitError("the server passes it on", model=self.name, address=self._wire.address)
                if said["done"]:
                    return _last("".join(words), said), len(words)
            return Piece("".join(words)), len(words)
        except (KeyError, TypeError) as error:
            raise self._wire.broken(str(said.get("error") or f"not a line of an answer: {line[:80]!r}")) from error

    async def _loading(self) -> bool:
        """The first token is late: may the model still be loading? The list shows such a model like a loaded one.

        So one that has answered before and is in the list is slow; every other one may still be loading.
        """
        try:
            return not (await self._server.loaded() and self._answered)
        except ModelError:
            return False

    def _doubt(self) -> None:
        self._answered = False
        self._server.doubt()


def _message(turn: Turn) -> dict[str, Any]:
    said: dict[str, Any] = {"role": turn.role, "content": turn.content}
    return {**said, "images": list(turn.images)} if turn.images else said


class OllamaEmbedder(ServedEmbedding):
    """An embedding model of an Ollama server; LlamaIndex's own costs 3 to 5 ms of CPU a call and lets long texts be cut."""

    _server: OllamaServer = PrivateAttr()

    def __init__(self, config: EmbeddingConfig) -> None:
        super().__init__(config, Wire(config.address, config.name))
        self._server = OllamaServer(self._wire, config.remote, timeout_s=config.timeout_s)

    async def check(self) -> Health:
        """Ask the server for version, model, capabilities and memory. Never raises a `ModelError`."""
        return await self._server.health("embedding", self.window)

    async def _digest(self) -> str:
        return await self._server.digest()

    async def _embed(self, texts: list[str]) -> NDArray[np.float32]:
        config = self._config
        body = {
            "model": config.name,
            "input": texts,
            "truncate": False,
            "keep_alive": keep_alive(config.keep_alive),
            "options": {"num_ctx": config.window},
        }
        try:
            await self._server.require("embedding")
            answer = await self._wire.ask("POST", "/api/embed", body, timeout_s=config.timeout_s)
            return self._units(answer.get("embeddings"), len(texts))
        except ModelError:
            self._server.doubt()
            raise


def keep_alive(text: str) -> int | str:
    """How Ollama wants it: a number of seconds as a number (-1: for ever), anything else as a duration such as `5m`."""
    try:
        return int(text)
    except ValueError:
        return text


def _last(text: str, said: dict[str, Any]) -> Piece:
    load = said.get("load_duration")
    return Piece(
        text,
        done="length" if said.get("done_reason") == "length" else "stop",
        prompt_tokens=said.get("prompt_eval_count"),
        answer_tokens=said.get("eval_count"),
        load_s=load * _NANO if load is not None else None,
    )
