"""A reply, cut into messages of Discord: words, sources under them, buttons on the last one; or a file with a summary."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.discord.tokens import token_of
from adapters.discord.wire import LIMIT, rows
from adapters.text import clean, discord_parts, escape_discord, fit, units
from adapters.types import Part

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from adapters.discord.payloads import Json
    from adapters.types import Message, Reply, Source

_SUMMARY = 1_200
_LINE = 240
_MOST_SOURCES = 20


def parts_of(message: Message, reply: Reply, file_from_chars: int, say: Callable[[str, str], str]) -> list[Part]:
    """The messages of a reply, at least one. Pure."""
    token = token_of(message)
    payloads = _cut(reply)
    if len(reply.text) > file_from_chars or (token is not None and token.whole and len(payloads) > 1):
        payloads = [_with_file(reply, say)]
    last = payloads[-1]
    if reply.file is not None:
        last.setdefault("files", []).append({"name": _file_name(reply.file.name), "text": reply.file.text})
    if reply.buttons:
        last["components"] = rows(reply.buttons)
    return [Part(payload) for payload in payloads]


def allowed_links(reply: Reply) -> list[str] | None:
    """The addresses that may be clickable: what a model wrote has those of its sources alone."""
    if not reply.untrusted:
        return None
    return [source.url for source in (*reply.citations, *reply.consulted, *reply.nearest) if source.url]


def sources_text(citations: Sequence[Source]) -> str:
    """The sources, a line each; titles are shown as they are."""
    lines = [_source_line(source) for source in citations[:_MOST_SOURCES]]
    more = len(citations) - len(lines)
    return "\n".join([*lines, *([f"… +{more}"] if more > 0 else [])])


def _cut(reply: Reply) -> list[Json]:
    payloads = [
        {"content": part.text, "plain": part.plain} for part in discord_parts(reply.text, allowed_links=allowed_links(reply))
    ]
    if reply.citations:
        _append(payloads, sources_text(reply.citations))
    return payloads or [{"content": "" if reply.file else "…"}]


def _append(payloads: list[Json], sources: str) -> None:
    """The sources under the last part, where they fit, else in messages of their own."""
    last = payloads[-1] if payloads else None
    if last is not None and max(units(last["content"]), units(last["plain"])) + units(sources) + 2 <= LIMIT:
        last["content"] += f"\n\n{sources}"
        last["plain"] += f"\n\n{sources}"
        return
    block: list[str] = []
    for line in sources.split("\n"):
        if units("\n".join([*block, line])) > LIMIT:
            payloads.append({"content": "\n".join(block), "plain": "\n".join(block)})
            block = []
        block.append(line)
    payloads.append({"content": "\n".join(block), "plain": "\n".join(block)})


def _with_file(reply: Reply, say: Callable[[str, str], str]) -> Json:
    """The beginning of the answer, and all of it as a file."""
    told = escape_discord(say("answer_in_file", reply.language))
    beginning = discord_parts(reply.text[: _SUMMARY * 2], allowed_links=allowed_links(reply), limit=_SUMMARY)
    texts = [(part.text, part.plain) for part in beginning[:1]]
    whole = clean(reply.text)
    if reply.citations:
        whole += "\n\n" + "\n".join(_told(source) for source in reply.citations)
    text, plain = texts[0] if texts else ("", "")
    return {
        "content": f"{text}\n…\n\n{told}".strip(),
        "plain": f"{plain}\n…\n\n{told}".strip(),
        "files": [{"name": "answer.md", "text": whole + "\n"}],
    }


def _source_line(source: Source) -> str:
    line = escape_discord(_told(source))
    while units(line) > _LINE:
        line = escape_discord(fit(_told(source), units(line) and _LINE // 2))
    return line


def _told(source: Source) -> str:
    locator = f" › {source.locator}" if source.locator else ""
    return " ".join(clean(f"[{source.n}] {source.title}{locator}").split())


def _file_name(name: str) -> str:
    """A name that no platform refuses: it has no authority, and no path."""
    kept = "".join(letter if letter.isalnum() or letter in "._- " else "_" for letter in name).strip(". ")
    return kept[:100] or "file.txt"
