"""Thousands of generated texts and fuzzed model outputs: nothing lost, nothing cut in two, nothing alive."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from adapters.text import discord_live, discord_parts, telegram_live, telegram_parts, units
from adapters.text.discord_text import marked_parts
from adapters.text.markdown import read
from adapters.text.telegram_text import rich_parts
from tests.adapters.discord_reader import seen
from tests.adapters.markdown_texts import ALLOWED, Text, Writer, fuzzed, sized
from tests.adapters.telegram_reader import check, linked_by_itself, links

if TYPE_CHECKING:
    from collections.abc import Iterable

    from adapters.text.runs import Styled

WHOLE = 1 << 24
_WORD = re.compile(r"w\d+z")
_SPACE = re.compile(r"\s+")
_PLAIN_LIKE = str.maketrans({"•": "-", "◦": "-", "▪": "-", "＠": "@", "ˋ": "`", "］": "]"})


def words(text: str) -> str:
    """What is seen of a text, however it is broken into lines. Discord shows the address of a bare link as it is sent."""
    return _SPACE.sub("", text).replace("a_%28b%29", "a_(b)")


def on_discord(styled: Styled) -> str:
    parts = [part.text for part in marked_parts(styled, 2000)]
    whole = [part.text for part in marked_parts(styled, WHOLE)]
    assert all(part.strip() and units(part) <= 2000 for part in parts)
    assert len(whole) <= 1
    split, unsplit = seen(*parts), seen(*whole)
    assert words(split.text).replace("］", "]") == words(unsplit.text).replace("］", "]")
    assert "".join(map(words, split.code)).translate(_PLAIN_LIKE) == "".join(map(words, unsplit.code)).translate(_PLAIN_LIKE)
    nobody_is_called(parts, split.links, split.alive)
    return words(unsplit.text)


def on_telegram(styled: Styled) -> str:
    parts = rich_parts(styled, 4096)
    for part in parts:
        check(part, 4096)
        assert {link.rstrip("#/") for link in links(part)} <= addresses()
        assert linked_by_itself(part.text, part) == []
        assert linked_by_itself(part.plain) == []
    unsplit = words(styled.text)
    assert "".join(words(part.text) for part in parts) == unsplit
    return unsplit


def nobody_is_called(parts: Iterable[str], found: Iterable[str], alive: list[str]) -> None:
    assert {link.rstrip("#/") for link in found} <= addresses()
    assert alive == []
    for part in parts:
        assert not re.search(r"@everyone|@here|<@[!&]?\d+>", part)


def addresses() -> set[str]:
    return {"https://docs.example.org/guide", "https://example.org/a_%28b%29?q=1&r=é", "http://192.0.2.7:8080/page#top"}


def same_words(text: Text) -> None:
    """Both platforms show the same words, and all those that were written."""
    styled = read(text.markdown, ALLOWED)
    discord, telegram = on_discord(styled), on_telegram(styled)
    assert discord.translate(_PLAIN_LIKE) == telegram.translate(_PLAIN_LIKE)
    assert set(text.words) <= set(_WORD.findall(telegram))


@pytest.mark.parametrize("batch", range(20))
def test_two_thousand_texts_arrive_whole(batch: int) -> None:
    for number in range(100 * batch, 100 * (batch + 1)):
        same_words(sized(number))


@pytest.mark.full
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("batch", range(20))
def test_twenty_thousand_texts_arrive_whole(batch: int) -> None:
    for number in range(1000 * batch, 1000 * (batch + 1)):
        same_words(sized(10_000 + number))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", ["paragraphs"])
def test_a_mebibyte_arrives_whole(kind: str) -> None:
    same_words(mebibyte(kind))


@pytest.mark.full
@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", ["mixed", "one line", "emoji", "fences", "stars", "brackets", "nested", "table"])
def test_a_mebibyte_of_anything_arrives_whole(kind: str) -> None:
    same_words(mebibyte(kind))


def mebibyte(kind: str) -> Text:
    size = 1 << 20
    if kind == "mixed":
        return Writer("a mebibyte").text(size)
    piece = {
        "paragraphs": "A paragraph of **some** words, and some more. " * 9 + "\n\n",
        "one line": "word",
        "emoji": "👨‍👩‍👧‍👦",
        "fences": "```py\nx = 1\n```\n",
        "stars": "*a ",
        "brackets": "[a](",
        "nested": "> - 1. ",
        "table": "| a | b |\n|---|---|\n| 1 | 2 |\n",
    }[kind]
    return Text(piece * (size // len(piece.encode())))


def fuzz(number: int) -> None:
    markdown = fuzzed(number)
    marked = discord_parts(markdown, allowed_links=ALLOWED)
    for messages in (
        [part.text for part in marked],
        [part.plain for part in marked],
        [discord_live(markdown, allowed_links=ALLOWED)],
    ):
        whole = seen(*messages)
        nobody_is_called(messages, whole.links, whole.alive)
        assert all(units(message) <= 2000 for message in messages)
    live = telegram_live(markdown, allowed_links=ALLOWED)
    for part in [*telegram_parts(markdown, allowed_links=ALLOWED), *([live] if live.text else [])]:
        check(part, 4096)
        assert {link.rstrip("#/") for link in links(part)} <= addresses()
        assert linked_by_itself(part.text, part) == []
        assert linked_by_itself(part.plain) == []


@pytest.mark.parametrize("batch", range(5))
def test_nothing_is_alive_in_what_a_mad_model_says(batch: int) -> None:
    for number in range(100 * batch, 100 * (batch + 1)):
        fuzz(number)


@pytest.mark.full
@pytest.mark.timeout(600)
@pytest.mark.parametrize("batch", range(10))
def test_nothing_is_alive_in_ten_thousand_things_a_mad_model_says(batch: int) -> None:
    for number in range(1000 * batch, 1000 * (batch + 1)):
        fuzz(10_000 + number)


@pytest.mark.parametrize("number", range(30))
def test_what_is_shown_while_it_is_written_fits_and_is_valid_at_every_moment(number: int) -> None:
    markdown = Writer(f"live {number}").text(9000).markdown
    for end in range(1, len(markdown), 701):
        message, rich = discord_live(markdown[:end]), telegram_live(markdown[:end])
        assert units(message) <= 2000
        whole = seen(message)
        assert (whole.links, whole.alive) == ([], [])
        if rich.text:
            check(rich, 4096)
            assert linked_by_itself(rich.text, rich) == []
