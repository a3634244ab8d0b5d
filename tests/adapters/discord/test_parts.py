"""A reply in native messages: whatever a model or a document holds, Discord takes it, and nobody is mentioned."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from adapters.discord.parts import parts_of
from adapters.discord.tokens import Token
from adapters.discord.wire import body_of
from adapters.text import units
from adapters.types import Button, File, Message, Reply, Source
from tests.adapters.discord.house import say

ASKED = Message("discord", "1", "2", "3", "4", "why", private=True)
TOKEN = Token("2", "9", "t", 0.0, hidden=True)
HIDDEN = Message("discord", "1", "2", "3", "4", "/mydata", private=False, options=TOKEN.stored())

texts = some.text(max_size=3000) | some.sampled_from(["", " ", "@everyone", "```\n" * 50, "[x](https://a.example)", "a" * 9000])
titles = some.text(max_size=400)
sources = some.builds(
    Source,
    some.integers(1, 99),
    some.just("c"),
    some.just("d"),
    titles,
    some.none() | titles,
    some.none(),
    some.just(0.5),
    titles,
)
kinds = some.sampled_from(["source", "like", "dislike", "retry", "stop"])
buttons = some.builds(Button, kinds, some.text(max_size=200), some.uuids().map(str))
replies = some.builds(
    Reply,
    texts,
    citations=some.lists(sources, max_size=40).map(tuple),
    untrusted=some.booleans(),
    buttons=some.lists(buttons, max_size=40, unique_by=lambda button: button.code).map(tuple),
    file=some.none() | some.builds(File, titles, texts),
    language=some.sampled_from(["en", "fr"]),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(replies, some.booleans())
def test_every_part_is_one_that_discord_takes(reply: Reply, hidden: bool) -> None:
    parts = parts_of(HIDDEN if hidden else ASKED, reply, 5000, say)
    assert parts
    assert not hidden or len(parts) == 1
    for part in parts:
        for plain in (False, True):
            body = body_of(part.payload, plain=plain)
            assert units(body["content"]) <= 2000
            assert body["content"].strip() or body.get("attachments")
            assert body["allowed_mentions"]["parse"] == []
            assert len(body["components"]) <= 5
            assert all(1 <= len(row["components"]) <= 5 for row in body["components"])
            assert all(1 <= len(button["label"]) <= 80 for row in body["components"] for button in row["components"])
        assert all(file["name"] and "/" not in file["name"] for file in part.payload.get("files", ()))
    assert all("components" not in part.payload for part in parts[:-1])


def test_what_stands_for_itself_is_never_left_out_for_sources() -> None:
    buttons = [Button("source", f"[{n}]", f"s{n}") for n in range(40)] + [Button("like", "👍", "l"), Button("retry", "🔄", "r")]
    (part,) = parts_of(ASKED, Reply("x", buttons=tuple(buttons)), 5000, say)
    codes = [button["custom_id"] for row in part.payload["components"] for button in row["components"]]
    assert codes[-2:] == ["l", "r"]
    assert codes[0] == "s0"
    assert len(codes) <= 25


def test_titles_are_shown_as_they_are() -> None:
    source = Source(1, "c", "d", "**[x](https://evil.example)** @everyone <@5>", "p. 1", None, 0.5, "")
    (part,) = parts_of(ASKED, Reply("x", citations=(source,)), 5000, say)
    assert "](https://" not in part.payload["content"]
    assert "<@5>" not in part.payload["content"]
