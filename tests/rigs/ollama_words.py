"""The wit of the Ollama stand-in: it counts tokens, quotes passages and embeds bags of words, always the same way."""

from __future__ import annotations

import re
import secrets
import zlib
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_TOKEN = re.compile(r"\s*(?:\w{1,8}|[^\w\s])|\s+\Z")
_PASSAGE = re.compile(r'<passage n="?(\d+)"?[^>]*>\s*(.*?)\s*</passage>|\[(\d+)\][^\n]*\n```[^\n]*\n(.*?)\n```', re.DOTALL)
_SENTENCE = re.compile(r"(.+?[.!?…])(?:\s|\Z)", re.DOTALL)
_WORD = re.compile(r"\w+")
_NO_PASSAGE = "There is no passage to quote."


def token_count(text: str) -> int:
    """How many tokens the stand-in sees: a quarter of the characters or the words, whichever is more. Fast, not fine."""
    quarter = len(text.replace("    ", " ")) // 4 + 1
    return quarter if text.count(" ") < quarter else max(quarter, len(text.split()))


def prompt_tokens(messages: Sequence[dict[str, Any]]) -> int:
    """Tokens of a whole prompt, with four for the frame of each message."""
    return sum(token_count(str(message.get("content", ""))) + 4 for message in messages)


def pieces(text: str) -> list[str]:
    """The answer in tokens; joined they are the text."""
    return _TOKEN.findall(text)


def composed(messages: Sequence[dict[str, Any]], answer: str | None, tokens: int | None) -> list[str]:
    """The tokens of the answer to a prompt, as the script wants it."""
    if tokens is not None:
        return [f" word{i}" if i else "word0" for i in range(tokens)]
    newest = next((str(message.get("content", "")) for message in reversed(messages) if message.get("role") == "user"), "")
    found = _PASSAGE.search(newest)
    n, text = (found[1] or found[3], found[2] or found[4]) if found else ("", "")
    sentence = _SENTENCE.match(text)
    quote = " ".join((sentence[1] if sentence else text).split())
    if answer is None:
        return pieces(f"{quote} [{n}]" if found else _NO_PASSAGE)
    question = newest.rpartition("</passages>")[2].strip() if found else newest
    answer = answer.replace("{quote}", quote).replace("{question}", question).replace("{n}", n)
    return pieces(answer.replace("{nonce}", secrets.token_hex(4)))


def vectors(texts: Sequence[str], dimension: int) -> NDArray[np.float32]:
    """Bags of hashed lower-case words, length 1: texts that share words are near. Long words weigh more than short ones.

    A faint common background fills the places of no word, as no real vector has zeros.
    """
    rows = np.zeros((len(texts), dimension), np.float32)
    for row, text in zip(rows, texts, strict=True):
        words = _WORD.findall(text.lower()) or [""]
        places, weights = zip(*(_place(word, dimension) for word in words), strict=True)
        np.add.at(row, list(places), weights)
    rows = np.sign(rows) * np.log1p(np.abs(rows)) + _background(dimension)
    unit: NDArray[np.float32] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit


def shortened(rows: NDArray[np.float32], dimension: int) -> NDArray[np.float32]:
    """The first values of each vector, length 1 again."""
    kept = np.ascontiguousarray(rows[:, :dimension])
    unit: NDArray[np.float32] = kept / np.maximum(np.linalg.norm(kept, axis=1, keepdims=True), 1e-9)
    return unit


@lru_cache
def _background(dimension: int) -> NDArray[np.float32]:
    return np.random.default_rng(1).normal(0.0, 0.01, dimension).astype(np.float32)


@lru_cache(maxsize=100_000)
def _place(word: str, dimension: int) -> tuple[int, float]:
    digest = zlib.crc32(word.encode("utf-8", "surrogatepass"))
    return digest % dimension, (1.0 if digest & 0x8000_0000 else -1.0) * min(len(word), 8) / 8


def common_prefix(one: str, other: str) -> int:
    """Length of the common beginning, by halving."""
    low, high = 0, min(len(one), len(other))
    if one[:high] == other[:high]:
        return high
    while low < high - 1:
        middle = (low + high) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle
    return low if one[low : low + 1] != other[low : low + 1] else low + 1
