"""What a reasoning model thinks aloud before its answer: `<think>…</think>`, where its server does not keep it apart."""

from __future__ import annotations

_OPEN, _CLOSE = "<think>", "</think>"


class Thoughtless:
    """Passes an answer's words on, without thoughts that stand before them. Later marks are words like any others.

    What may become a mark is held back until it is one or not; of thoughts nothing is kept.
    """

    def __init__(self) -> None:
        self._held = ""
        self._thinking = self._thought = self._answering = False

    def feed(self, words: str) -> str:
        """Take the model's next words; return those of the answer."""
        text, self._held = self._held + words, ""
        while not self._answering:
            start = text.lstrip()
            if self._thinking:
                _, closed, text = text.partition(_CLOSE)
                if not closed:
                    self._held = start[-len(_CLOSE) + 1 :]
                    return ""
                self._thinking, self._thought = False, True
            elif start.startswith(_OPEN):
                self._thinking, text = True, start.removeprefix(_OPEN)
            elif _OPEN.startswith(start):
                self._held = text
                return ""
            else:
                self._answering, text = True, start if self._thought else text
        return text

    def end(self) -> str:
        """Return what was still held back and is no thought."""
        return "" if self._thinking else self._held
