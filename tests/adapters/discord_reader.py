"""Discord's Markdown as its client reads it, without the code under test: what is seen, what is alive."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_BLOCK = re.compile(r"```(?:([a-z0-9_+\-.#]+?)\n)?\n*([^\n][\s\S]*?)\n*```", re.IGNORECASE)
_LINE = re.compile(r"(?P<quote>> )?(?:(?P<heading>#{1,3}|-#) +(?=\S)|(?P<list>[ ]*(?:[-*]|\d{1,9}\.)) +(?=\S))?")
_RULES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("escape", re.compile(r"\\([^0-9A-Za-z\s])")),
    ("link", re.compile(r"<(https?://[^ >]+)>", re.IGNORECASE)),
    ("mention", re.compile(r"<@[!&]?\d+>|<#\d+>|@everyone|@here|<id:\w+>")),
    ("emoji", re.compile(r"<a?:\w+:\d+>")),
    ("time", re.compile(r"<t:-?\d+(?::[tTdDfFR])?>")),
    ("command", re.compile(r"</[^\s:]+(?: [^\s:]+)*:\d+>")),
    ("url", re.compile(r"(?:https?|steam|discord)://[^\s<]+[^<.,:;\"'\]\s]", re.IGNORECASE)),
    ("masked", re.compile(r"\[((?:\[[^\]]*\]|[^\[\]]|\](?=[^\[]*\]))*)\]"
                          r"\(\s*<?((?:\([^)]*\)|[^\s\\]|\\.)*?)>?(?:\s+['\"]([\s\S]*?)['\"])?\s*\)")),
    ("code", re.compile(r"(`+)([\s\S]*?[^`])\1(?!`)")),
    ("bold", re.compile(r"\*\*((?:\\[\s\S]|[^\\])+?)\*\*(?!\*)")),
    ("under", re.compile(r"__((?:\\[\s\S]|[^\\])+?)__(?!_)")),
    ("italic", re.compile(r"_((?:__|\\[\s\S]|[^\\_])+?)_\b|_((?:__|\\[\s\S]|[^\\_])+?)_(?![0-9A-Za-z_])")),
    ("italic", re.compile(r"\*(?=\S)((?:\*\*|\\[\s\S]|\s+(?:\\[\s\S]|[^\s*\\]|\*\*)|[^\s\\*])+?)\*(?!\*)")),
    ("strike", re.compile(r"~~([\s\S]+?)~~(?!_)")),
    ("spoiler", re.compile(r"\|\|([\s\S]+?)\|\|")),
    ("invite", re.compile(r"discord(?:app)?\.(?:gg|com/invite)/\w+", re.IGNORECASE)),
)  # fmt: skip
_STYLES = {"bold", "under", "italic", "strike", "spoiler"}
_SPECIAL = re.compile(r"[\\<@hHsSdD\[`*_~|]")


@dataclass
class Seen:
    """What a person sees of messages, and what in them is alive."""

    pieces: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    alive: list[str] = field(default_factory=list)
    styled: list[tuple[str, str]] = field(default_factory=list)
    code: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(self.pieces)


def seen(*messages: str) -> Seen:
    whole = Seen()
    for message in messages:
        at = 0
        for block in _BLOCK.finditer(message):
            _lines(message[at : block.start()], whole)
            assert block.start() == 0 or message[block.start() - 1] == "\n", "a code block that does not stand alone"
            whole.code.append(block[2])
            whole.pieces.append(block[2] + "\n")
            at = block.end()
        _lines(message[at:], whole)
    return whole


def _lines(text: str, whole: Seen) -> None:
    assert "```" not in text, "a fence that is not closed"
    for line in text.split("\n"):
        found = _LINE.match(line)
        assert found is not None
        if found["heading"]:
            whole.styled.append((found["heading"], line[found.end() :]))
        whole.pieces.append((found["list"] or "").strip() + " ")
        _inline(line[found.end() :], whole)
        whole.pieces.append("\n")


def _inline(text: str, whole: Seen) -> None:
    at, link = 0, "](" in text  # without one the rule of links would look for it in very many ways
    while at < len(text):
        special = _SPECIAL.search(text, at)
        if special is None:
            whole.pieces.append(text[at:])
            return
        whole.pieces.append(text[at : special.start()])
        at = special.start()
        kind, found = _rule(text, at, link=link)
        if found is None:
            whole.pieces.append(text[at])
            at += 1
        else:
            _take(kind, found, whole)
            at = found.end()


def _rule(text: str, at: int, *, link: bool) -> tuple[str, re.Match[str] | None]:
    matches = [(kind, found) for kind, rule in _RULES if (link or kind != "masked") and (found := rule.match(text, at))]
    if not matches:
        return "", None
    if matches[0][0] in {"bold", "italic", "under"}:  # the longer one wins, then the later in this list
        best = {"italic": 0.2, "bold": 0.1, "under": 0.0}
        return max((entry for entry in matches if entry[0] in best), key=lambda entry: len(entry[1][0]) + best[entry[0]])
    return matches[0]


def _take(kind: str, found: re.Match[str], whole: Seen) -> None:
    inner = next((group for group in found.groups() if group is not None), "")
    if kind == "escape":
        whole.pieces.append(inner)
    elif kind in {"link", "url"}:
        whole.links.append(inner or found[0])
        whole.pieces.append(inner or found[0])
    elif kind == "masked":
        whole.links.append(found[2].rstrip(">"))
        _inline(found[1], whole)
    elif kind == "code":
        whole.code.append(found[2])
        whole.pieces.append(found[2])
    elif kind in _STYLES:
        whole.styled.append((kind, inner))
        if kind == "spoiler":
            whole.alive.append(found[0])
        _inline(inner, whole)
    else:
        whole.alive.append(found[0])
        whole.pieces.append(found[0])
