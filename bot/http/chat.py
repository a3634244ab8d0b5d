"""What an OpenAI client sends, made into a history and a question; and an answer with its sources in the text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from bot.http.ask import Collections
from bot.http.errors import ProblemError
from bot.replies import named

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapters.types import Reply

_LINE = "\n\n---\n"
"""What stands between an answer and its sources."""
_SOURCES = re.compile(r"\n\n---\n(?:\[\d+\] [^\n]*\n?)+\Z")
_TAG = re.compile(r"<(?=[a-z])", re.IGNORECASE)
_MARKUP = re.compile(r"[\\\[\]`]|:(?=//)")


class Part(BaseModel):
    """A piece of a message's content. Text is taken; of other kinds only the name is looked at, to refuse or to drop it."""

    model_config = ConfigDict(extra="ignore", strict=True)

    type: str = Field(max_length=100)
    text: str | None = None


class ChatMessage(BaseModel):
    """One message of a chat."""

    model_config = ConfigDict(extra="ignore", strict=True)

    role: Literal["system", "developer", "user", "assistant", "tool", "function"] = Field(
        description="Only `user` and `assistant` count. Text of `system` and `developer` has no authority here: it is dropped."
    )
    content: str | list[Part] | None = Field(
        default=None, description="Text. Images and sounds are refused in the last message, and dropped in earlier ones."
    )


class StreamOptions(BaseModel):
    """How to stream."""

    model_config = ConfigDict(extra="ignore", strict=True)

    include_usage: bool = False


class ChatRequest(BaseModel):
    """What `/v1/chat/completions` takes. Further fields, such as `temperature` or `tools`, are accepted and have no effect."""

    model_config = ConfigDict(extra="ignore", strict=True, title="ChatRequest")

    model: str = Field(max_length=200)
    messages: Annotated[list[ChatMessage], Field(min_length=1)] = Field(
        description="The chat so far; the last message is the question. It is all the memory there is: no turn is stored."
    )
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    n: Literal[1] | None = Field(default=None, description="One answer.")
    collections: Collections | None = Field(
        default=None, description="Look in these collections only (not part of OpenAI's interface)."
    )

    @property
    def wants_usage(self) -> bool:
        """Whether a last chunk is to say what was used."""
        return self.stream_options is not None and self.stream_options.include_usage


def conversation_of(messages: Sequence[ChatMessage]) -> tuple[list[dict[str, str]], str]:
    """The finished turns, oldest first, and the question.

    Neighbours of one role count as one message. Raises `ProblemError` when the last message is not a user's, or is not text. Of
    earlier ones the text is taken: clients send them all again, and a picture that was refused once must not end the chat.
    """
    said: list[tuple[str, str]] = []
    for message in messages:
        if message.role not in {"user", "assistant"}:
            continue
        text = _text_of(message, strict=message is messages[-1])
        if said and said[-1][0] == message.role:
            said[-1] = (message.role, f"{said[-1][1]}\n\n{text}".strip())
        else:
            said.append((message.role, text))
    if not said or said[-1][0] != "user":
        raise ProblemError("bad_request", "messages must end with a message of the user.")
    if said[0][0] == "assistant":
        del said[0]  # a greeting
    texts = [text for _, text in said]
    turns = zip(texts[:-1:2], texts[1::2], strict=True)
    return [{"question": question, "answer": _SOURCES.sub("", answer)} for question, answer in turns], texts[-1]


def with_sources(reply: Reply) -> str:
    """The text of a reply with a line for each citation: clients that show text alone show the sources too.

    `conversation_of` takes these lines off again, lest a model that sees them in its history write some of its own.
    """
    return inert(reply.text) + sources_of(reply)


def sources_of(reply: Reply) -> str:
    """The lines for the citations, empty without any. What documents call themselves makes no link there."""
    if not reply.citations:
        return ""
    titles = [(one.n, _MARKUP.sub(r"\\\g<0>", named(one))) for one in reply.citations]
    return _LINE + "\n".join(" ".join(f"[{n}] {inert(title)}".split()) for n, title in titles)


def inert(text: str) -> str:
    """Markdown without pictures and HTML: a front end would fetch their addresses unasked, with whatever stands in them."""
    return _TAG.sub("&lt;", text.replace("![", r"!\["))


class InertWords:
    """`inert` for words as they come: what may be half of something is held until the next words."""

    def __init__(self) -> None:
        self.held = ""

    def feed(self, words: str) -> str:
        """What may be shown by now."""
        text = self.held + words
        self.held = text[-1] if text.endswith(("!", "<")) else ""
        return inert(text.removesuffix(self.held))


def _text_of(message: ChatMessage, *, strict: bool) -> str:
    if not isinstance(message.content, list):
        return message.content or ""
    texts = [part.text for part in message.content if part.type in {"text", "input_text"} and part.text is not None]
    if strict and len(texts) < len(message.content):
        raise ProblemError("bad_request", "Only text is understood here: leave images, sounds and files out.")
    return "\n".join(texts)
