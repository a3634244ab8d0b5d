"""The final text, cut into Telegram's messages: entities, never a parse mode; sources under it; buttons on the last one.

A payload is `{"kind": "text", "text", "entities", "plain", "buttons"}` or `{"kind": "file", "name", "content", "buttons"}`,
with `left`, the number of parts behind it.
Pure: nothing here waits or calls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from adapters.text import Rich, clean, fit, rich, telegram_parts, units
from adapters.types import Part

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from adapters.types import Button, Reply, Source

LONGEST = 4096
_SUMMARY = 1500
_MOST_ENTITIES = 100
_MOST_SOURCES = 20
_TITLE = 120
_ROW_UNITS = 30
_LABEL = 60


def parts_of(reply: Reply, file_from: int, say: Callable[[str, str], str]) -> list[Part]:
    """A reply as messages, at least one. From `file_from` characters on the text goes as a file, behind a summary of it."""
    allowed = [source.url for source in _shown(reply) if source.url] if reply.untrusted else None
    files = [reply.file] if reply.file else []
    payloads: list[dict[str, Any]] = []
    if len(reply.text) >= file_from:
        text = f"{_summary(reply.text)}\n\n{say('answer_in_file', reply.language)}"
        payloads = [_text(one) for one in _texts(text, allowed, _footer(reply))]
        payloads.append({"kind": "file", "name": "answer.md", "content": _content(reply)})
    else:
        payloads = [_text(one) for one in _texts(reply.text, allowed, _footer(reply))]
    payloads += [{"kind": "file", "name": _name(file.name), "content": file.text} for file in files]
    if not payloads:
        payloads = [_text(rich("…"))]
    payloads[-1]["buttons"] = keyboard(reply.buttons)
    payloads[0]["doubt"] = reply.error == "may_not_have_arrived"
    for left, payload in enumerate(reversed(payloads)):
        payload["left"] = left
    return [Part(payload) for payload in payloads]


def keyboard(buttons: Sequence[Button]) -> list[list[dict[str, str]]]:
    """Buttons in rows: the sources first, as many beside each other as can be read, then the others in one row."""
    rows: list[list[dict[str, str]]] = []
    room = 0
    for button in (button for button in buttons if button.kind == "source"):
        shown = _button(button)
        need = units(shown["text"]) + 2
        if not rows or need > room or len(rows[-1]) >= 8:
            rows.append([])
            room = _ROW_UNITS
        rows[-1].append(shown)
        room -= need
    others = [_button(button) for button in buttons if button.kind != "source"]
    return [*rows, others] if others else rows


def _button(button: Button) -> dict[str, str]:
    label = "".join(one if one.isprintable() or one == "\u200d" else " " for one in button.label)
    return {"text": fit(label.strip(), _LABEL) or "…", "callback_data": button.code}


def _text(one: Rich) -> dict[str, Any]:
    entities = [entity.as_json() for entity in one.entities]
    return {"kind": "text", "text": one.text, "entities": entities, "plain": one.plain or one.text}


def _texts(markdown: str, allowed: Iterable[str] | None, footer: Sequence[Rich]) -> list[Rich]:
    """The text in messages; the lines of the footer follow on the last one, or on further ones."""
    messages = telegram_parts(markdown, allowed_links=allowed, limit=LONGEST)
    first = "\n\n"
    for line in footer:
        last = messages[-1] if messages else None
        joined = None if last is None else last + rich(first) + line
        if joined is not None and joined.size <= LONGEST and len(joined.entities) <= _MOST_ENTITIES:
            messages[-1] = joined
        else:
            messages.append(line)
        first = "\n"
    return messages


def _shown(reply: Reply) -> Sequence[Source]:
    return (*reply.citations, *reply.consulted, *reply.nearest)


def _footer(reply: Reply) -> list[Rich]:
    """A line for each source the answer names, unless the text lists it itself."""
    unlisted = [source for source in reply.citations if f"[{source.n}] {source.title}" not in reply.text]
    return [_line(source) for source in unlisted[:_MOST_SOURCES]]


def _line(source: Source) -> Rich:
    title = rich(fit(" ".join(source.title.split()), _TITLE) or "…", url=_http(source.url))
    where = rich(f" › {fit(' '.join(source.locator.split()), _TITLE)}") if source.locator else Rich("")
    return rich(f"[{source.n}] ") + title + where


def _http(url: str | None) -> str | None:
    """An address that a person can open from afar, None otherwise."""
    return url if url and url.lower().startswith(("http://", "https://")) else None


def _name(name: str) -> str:
    """A file's name without a path, and without what nobody sees."""
    last = name.replace("\\", "/").rpartition("/")[2]
    return fit("".join(one for one in clean(last) if one.isprintable()).strip(), _TITLE) or "file.txt"


def _summary(text: str) -> str:
    """The first paragraphs, without a fence that would stay open; a long first one is cut at a word."""
    taken: list[str] = []
    for paragraph in text.split("\n\n"):
        if "```" in paragraph or "~~~" in paragraph or sum(map(len, taken)) + len(paragraph) > _SUMMARY:
            break
        taken.append(paragraph)
    return "\n\n".join(taken).strip() or fit(text.replace("```", "").replace("~~~", "").strip(), _SUMMARY)


def _content(reply: Reply) -> str:
    """The whole answer as Markdown, its sources at the end."""
    lines = [
        f"[{s.n}] {s.title}" + (f" › {s.locator}" if s.locator else "") + (f" {s.url}" if s.url else "") for s in reply.citations
    ]
    return "\n\n".join([reply.text, "\n".join(lines)]).strip() + "\n"
