"""What a model that has lost its mind writes, as whole replies before the rules of the stand-ins: taken, nothing alive."""

from __future__ import annotations

import random
from urllib.parse import unquote

import pytest

from adapters.discord.parts import parts_of as discord_parts_of
from adapters.discord.wire import body_of
from adapters.telegram.parts import parts_of as telegram_parts_of
from adapters.types import Button, Message, Part, Reply, Source
from tests.adapters.discord_reader import seen
from tests.adapters.markdown_texts import ALLOWED, fuzzed
from tests.rigs.discord import checks
from tests.rigs.telegram import entities, ledger, links

ASKED = Message("discord", "1", "2", "3", "4", "why", private=True)
PIECES = (
    "[Approve](tg://user?id=5000001)", "tg://resolve?domain=grillon_bot&start=x", "[click](javascript:alert(1))", "[9]", "[1]",
    "<a href='https://evil.example.com'>here</a>", "[ 🔄 Again ](https://evil.example.com/retry)", "/approve ABCDE-12345-FGHJK",
    "/forget",
    "</forget:1>", "</x y:123>", "<@1>", "<@&2>", "<#3>", "@everyone", "@here", "<:a:1>", "<a:b:22>", "<t:1:R>",
    "<id:home>", "t.me/grillon_bot?start=x", "https://t.me/joinchat/abc", "discord.gg/abc", "https://discord.com/invite/abc",
    "\u202e", "\u2066", "\u200b", "\u200d", "\ufeff", "\u00ad", "\x00", "\x1b[31m", "```", "````", "~~~", "\n```\n", "> ",
    "\n> > > ",
    "x" * 5000, "a.b." * 900, "](", "[", ")", "\\", "*" * 40, "_" * 41, "||", "||s||", "\n\n", "\n", " ", "é",
    "👨‍👩‍👧‍👦", "<b>", "</b>",
    "![i](https://evil.example.com/i.png)", "[x]: https://evil.example.com", "[x]", "<https://evil.example.com>", "&lt;@1&gt;",
    "mailto:a@b.example", "+33123456789", "steam://run/1", "discord://-/x", "ton://x", "http://ex\u0430mple.com", *ALLOWED,
)  # fmt: skip


def output(number: int) -> str:
    """A text of a number: half of them are of the common generator."""
    pick = random.Random(f"output {number}")
    if number % 2:
        return fuzzed(number)
    return "".join(pick.choice(PIECES) for _ in range(pick.randint(1, 60)))


def reply_of(number: int) -> Reply:
    """The reply that holds it; titles, places and labels are as mad as the text."""
    pick = random.Random(f"reply {number}")
    sources = tuple(
        Source(n, "house", "a.md", _short(pick), _short(pick), ALLOWED[n % 3] if n % 2 else None, 0.5, output(number + n))
        for n in range(pick.randrange(4))
    )
    buttons = [Button("source", f"[{one.n}] {one.title}", f"7-s{one.n or ''}-{'a' * 16}") for one in sources]
    buttons += [Button("retry", "🔄 Again", f"7-r-{'b' * 16}")]
    return Reply(output(number), citations=sources, model="m", untrusted=True, buttons=tuple(buttons))


def _short(pick: random.Random) -> str:
    return "".join(pick.choice(PIECES) for _ in range(pick.randint(1, 6)))


def _address(url: str) -> str:
    """The same for every way to write it."""
    return unquote(url).rstrip("#")


def say(key: str, language: str) -> str:
    return f"{key} {language}"


def taken_by_telegram(part: Part, allowed: set[str]) -> None:
    payload = part.payload
    for label in (button["text"] for row in payload.get("buttons") or () for button in row):
        assert 1 <= len(label.encode("utf-16-le")) // 2 <= 64
    if payload["kind"] != "text":
        return
    text, given = payload["text"], payload["entities"]
    entities.checked(text, 4096)
    assert entities.problems(text, given) == []
    cleaned, kept = entities.cleaned(text, given)
    assert (cleaned, kept) == (text.replace("\t", " ").rstrip(), given)  # the server moves nothing
    alive = [one for one in links.final(text, given) if one["type"] in ledger.LIVE]
    assert all(one["type"] == "text_link" and _address(one["url"]) in allowed for one in alive), alive
    assert not [one for one in links.final(*entities.cleaned(payload["plain"], [])) if one["type"] in ledger.LIVE]


def taken_by_discord(part: Part, allowed: set[str]) -> None:
    for plain in (False, True):
        body = body_of(part.payload, plain=plain)
        assert list(checks.problems(body, body["flags"])) == []
        assert checks.mentions(body) is None
        found = seen(body["content"])
        assert found.alive == []
        assert {_address(link) for link in found.links} <= allowed


def judge(number: int) -> None:
    reply = reply_of(number)
    allowed = {_address(source.url) for source in reply.citations if source.url}
    parts = telegram_parts_of(reply, 20_000, say)
    assert parts
    for part in parts:
        taken_by_telegram(part, allowed)
    parts = discord_parts_of(ASKED, reply, 20_000, say)
    assert parts
    for part in parts:
        taken_by_discord(part, allowed)


@pytest.mark.parametrize("batch", range(3))
def test_a_mad_reply_is_taken_and_harmless(batch: int) -> None:
    for number in range(100 * batch, 100 * (batch + 1)):
        judge(number)


@pytest.mark.full
@pytest.mark.timeout(600)
@pytest.mark.parametrize("batch", range(10))
def test_ten_thousand_mad_replies_are_taken_and_harmless(batch: int) -> None:
    for number in range(1000 * batch, 1000 * (batch + 1)):
        judge(10_000 + number)
