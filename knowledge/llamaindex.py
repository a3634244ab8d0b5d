"""The LlamaIndex side of our models: everything its base classes ask for, made of `stream`, `query` and `passages`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import numpy as np
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    ChatResponseAsyncGen,
    CompletionResponse,
    CompletionResponseAsyncGen,
    LLMMetadata,
    MessageRole,
)
from llama_index.core.instrumentation import DISPATCHER_SPAN_DECORATED_ATTR  # type: ignore[attr-defined]
from llama_index.core.llms.llm import LLM

from knowledge.errors import ModelBrokenError, PromptTooLongError
from knowledge.models import Piece, Turn
from knowledge.tokens import at_least

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from numpy.typing import NDArray

M = TypeVar("M", bound=Callable[..., Any])

_LEAST_CUT = 256
_ROLES = {MessageRole.SYSTEM: "system", MessageRole.DEVELOPER: "system", MessageRole.ASSISTANT: "assistant"}


def untraced(method: M) -> M:
    """Keep LlamaIndex from wrapping a method that overrides one of its own in its tracing: a tenth of a millisecond a call."""
    setattr(method, DISPATCHER_SPAN_DECORATED_ATTR, True)
    return method


class StreamedChat(LLM):
    """A LlamaIndex `LLM` whose one source is `stream`. It runs on the event loop alone: the blocking methods raise."""

    name: str
    window: int
    answer_tokens: int

    @untraced
    def stream(self, prompt: Sequence[Turn]) -> AsyncGenerator[Piece, None]:  # type: ignore[override]
        """Write an answer: `knowledge.models.ChatModel`. It replaces LlamaIndex's blocking shorthand of the same name."""
        raise NotImplementedError

    def _refuse_cut(self, prompt: Sequence[Turn], read: int | None, address: str, context_length: int | None = None) -> None:
        """Find a prompt cut in silence: the window is full to the brim, or fewer tokens were read than the prompt has words.

        So do Ollama before 0.12.6, which ignores `truncate`, and every Ollama behind `/v1`.

        A cut leaves at least half a window, so a count far below that is a server that does not count, and no proof of a cut.
        `context_length` is what the model was made for, where the server says it: no window is larger, whatever the settings say.
        """
        if read is None:
            return
        spaces = sum(turn.content.count(" ") + turn.content.count("\n") + 1 for turn in prompt)
        less = spaces > read >= _LEAST_CUT and sum(at_least(turn.content) for turn in prompt) > read
        if less or read >= min(self.window, context_length or self.window):
            raise PromptTooLongError(f"the server cut the prompt to {read} tokens", model=self.name, address=address)

    @property
    def metadata(self) -> LLMMetadata:
        """Window and answer length as the settings give them; nothing is ever asked of a server."""
        return LLMMetadata(context_window=self.window, num_output=self.answer_tokens, is_chat_model=True, model_name=self.name)

    async def achat(self, messages: Sequence[ChatMessage], **_: object) -> ChatResponse:
        """Wait for the whole answer. Raises the `ModelError` family."""
        text, last = "", Piece("")
        async with aclosing(self.stream(turns(messages))) as pieces:
            async for last in pieces:
                text += last.text
        return _response(text, last)

    async def acomplete(self, prompt: str, formatted: bool = False, **_: object) -> CompletionResponse:  # noqa: ARG002
        """Answer a single text, sent as the user's message. Raises the `ModelError` family."""
        answer = await self.achat([ChatMessage(role=MessageRole.USER, content=prompt)])
        return CompletionResponse(text=answer.message.content or "", raw=answer.raw)

    async def astream_chat(self, messages: Sequence[ChatMessage], **_: object) -> ChatResponseAsyncGen:
        """Write an answer: `delta` is new, `message` the whole so far. Closing the generator closes the request."""

        async def written() -> ChatResponseAsyncGen:
            text = ""
            async with aclosing(self.stream(turns(messages))) as pieces:
                async for piece in pieces:
                    text += piece.text
                    yield _response(text, piece)

        return written()

    async def astream_complete(self, prompt: str, formatted: bool = False, **_: object) -> CompletionResponseAsyncGen:  # noqa: ARG002
        """Answer a single text piece by piece."""
        answers = await self.astream_chat([ChatMessage(role=MessageRole.USER, content=prompt)])

        async def written() -> CompletionResponseAsyncGen:
            async with aclosing(answers):
                async for answer in answers:
                    yield CompletionResponse(text=answer.message.content or "", delta=answer.delta, raw=answer.raw)

        return written()

    def chat(self, messages: Sequence[ChatMessage], **_: object) -> NoReturn:
        """Refuse: a blocking call would stop the event loop."""
        raise NotImplementedError("this model runs on the event loop: use achat")

    def complete(self, prompt: str, formatted: bool = False, **_: object) -> NoReturn:
        """Refuse: a blocking call would stop the event loop."""
        raise NotImplementedError("this model runs on the event loop: use acomplete")

    def stream_chat(self, messages: Sequence[ChatMessage], **_: object) -> NoReturn:
        """Refuse: a blocking call would stop the event loop."""
        raise NotImplementedError("this model runs on the event loop: use astream_chat")

    def stream_complete(self, prompt: str, formatted: bool = False, **_: object) -> NoReturn:
        """Refuse: a blocking call would stop the event loop."""
        raise NotImplementedError("this model runs on the event loop: use astream_complete")


class ArrayEmbedding(BaseEmbedding):
    """A LlamaIndex `BaseEmbedding` whose sources are `query` and `passages`. The blocking methods raise."""

    name: str
    window: int

    async def query(self, text: str) -> NDArray[np.float32]:
        """Vector of a question: `knowledge.models.Embedder`. Not abstract: LlamaIndex would trace what implements it."""
        raise NotImplementedError

    async def passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of passages: `knowledge.models.Embedder`."""
        raise NotImplementedError

    def _units(self, vectors: object, expected: int) -> NDArray[np.float32]:
        """Vectors of a server as rows of length 1, shape (expected, dimension). Raises `ModelBrokenError` for anything else."""
        try:
            rows: NDArray[np.float32] = np.array(vectors, dtype=np.float32)
        except (TypeError, ValueError) as error:
            raise ModelBrokenError("vectors of unequal length or of no numbers", model=self.name) from error
        if rows.ndim != 2 or len(rows) != expected:
            raise ModelBrokenError(f"{expected} vectors were due, not an array of shape {rows.shape}", model=self.name)
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        if not np.isfinite(lengths).all() or not lengths.all():
            raise ModelBrokenError("a vector without a direction", model=self.name)
        rows /= lengths
        return rows

    async def _aget_query_embedding(self, query: str) -> list[float]:
        vector: list[float] = (await self.query(query)).tolist()
        return vector

    async def _aget_text_embedding(self, text: str) -> list[float]:
        return (await self._aget_text_embeddings([text]))[0]

    async def _aget_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        vectors: list[list[float]] = (await self.passages(texts)).tolist()
        return vectors

    def _get_query_embedding(self, query: str) -> NoReturn:
        raise NotImplementedError("this model runs on the event loop: use aget_query_embedding")

    def _get_text_embedding(self, text: str) -> NoReturn:
        raise NotImplementedError("this model runs on the event loop: use aget_text_embedding")


def turns(messages: Sequence[ChatMessage]) -> list[Turn]:
    """LlamaIndex's messages as ours; what is neither system nor assistant counts as the user's."""
    return [Turn(_ROLES.get(message.role, "user"), message.content or "") for message in messages]  # type: ignore[arg-type]


def _response(text: str, piece: Piece) -> ChatResponse:
    raw = {"done_reason": piece.done, "prompt_eval_count": piece.prompt_tokens, "eval_count": piece.answer_tokens}
    message = ChatMessage(role=MessageRole.ASSISTANT, content=text)
    return ChatResponse(message=message, delta=piece.text, raw=raw if piece.done else None)
