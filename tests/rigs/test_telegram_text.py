"""The Telegram stand-in takes text, entities and buttons as strictly as the platform says, and links what the platform links."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from telegram import InlineKeyboardButton, InlineKeyboardMarkup, MessageEntity
from telegram.error import BadRequest

from tests.rigs.telegram.entities import cleaned, problems
from tests.rigs.telegram.links import found

if TYPE_CHECKING:
    from telegram import Bot

    from tests.rigs.telegram import Telegram


def entities(*given: tuple[Any, ...]) -> list[dict[str, Any]]:
    """Short for entities: (type, offset, length, fields)."""
    return [{"type": one[0], "offset": one[1], "length": one[2], **(one[3] if len(one) > 3 else {})} for one in given]


@pytest.mark.parametrize(
    "given",
    [
        [("bold", 0, 5), ("italic", 1, 2)],
        [("bold", 0, 2), ("italic", 2, 2)],
        [("bold", 5, 2)],
        [("blockquote", 0, 9), ("code", 2, 3), ("bold", 7, 2)],
        [("text_link", 0, 4, {"url": "https://example.org"}), ("bold", 0, 4)],
        [("bold", 0, 4), ("text_link", 0, 4, {"url": "https://example.org"})],
        [("pre", 0, 9, {"language": "python"})],
    ],
)
def test_entities_that_are_right(given: list[tuple[Any, ...]]) -> None:
    assert problems("abcde😀fg", entities(*given)) == []


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ([("bold", 0, 10)], "outside"),
        ([("bold", -1, 3)], "outside"),
        ([("bold", 3, 0)], "outside"),
        ([("bold", 6, 1)], "surrogate"),
        ([("bold", 0, 6)], "surrogate"),
        ([("bold", 0, 4), ("italic", 2, 4 + 1)], "overlaps"),
        ([("bold", 0, 4), ("code", 1, 2)], "inside"),
        ([("code", 0, 4), ("bold", 1, 2)], "inside"),
        ([("pre", 0, 4), ("code", 0, 4)], "inside"),
        ([("blockquote", 0, 9), ("expandable_blockquote", 0, 3)], "nested"),
        ([("text_link", 0, 4, {"url": "https://a.org"}), ("text_link", 1, 2, {"url": "https://b.org"})], "nested"),
        ([("text_link", 0, 4)], "no url"),
        ([("heading", 0, 4)], "no type"),
        ([("blockquote", 0, 9), ("bold", 1, 4), ("code", 2, 2)], "inside"),
    ],
)
def test_entities_that_are_wrong(given: list[tuple[Any, ...]], problem: str) -> None:
    assert any(problem in one for one in problems("abcde😀fg", entities(*given)))


def test_text_is_cleaned_and_trimmed_with_its_entities() -> None:
    text, kept = cleaned("\n  a\r\n\u202eb\tc 😀 \n", entities(("bold", 3, 1), ("code", 7, 3), ("italic", 11, 4)))
    assert text == "a\nb c 😀"
    assert kept == entities(("bold", 0, 1), ("code", 2, 3), ("italic", 6, 2))
    assert cleaned("  a", entities(("bold", 1, 2)))[0] == " a"  # blanks are cut only in front of the first entity


@pytest.mark.parametrize(
    ("text", "linked"),
    [
        ("see notes.md, and docs/notes.md.", [("url", "notes.md")]),
        ("my_notes.md, notes.txt, 3.14, e.g. this, fin.Il", []),
        ("FIN.IL foo.py 10.0.0.1 300.1.1.1", [("url", "FIN.IL"), ("url", "foo.py"), ("url", "10.0.0.1")]),
        ("http://localhost http://127.0.0.1:80/a(b)c), ", [("url", "http://127.0.0.1:80/a(b)c")]),
        ("(https://example.org/a?b=c). sftp://example.org", [("url", "https://example.org/a?b=c")]),
        ("a.b@c.de @ann @abcd x@y", [("email", "a.b@c.de"), ("mention", "@abcd")]),
        ("/usr/bin /help /help@grillon_bot 1/2", [("bot_command", "/help"), ("bot_command", "/help@grillon_bot")]),
        ("#tag #12 $EUR $eur", [("hashtag", "#tag"), ("cashtag", "$EUR")]),
        ("→notes.md été.fr/é", [("url", "→notes.md"), ("url", "été.fr/é")]),
    ],
)
def test_what_the_server_links(text: str, linked: list[tuple[str, str]]) -> None:
    assert [(kind, text[begin:end]) for kind, begin, end in found(text)] == linked


async def test_the_person_sees_the_links_that_code_does_not_hide(bot: Bot, rig: Telegram) -> None:
    ann = rig.person("Ann")
    await bot.send_message(ann.id, "😀 notes.md /help", entities=[MessageEntity("bold", 0, 2), MessageEntity("url", 3, 2)])
    await bot.send_message(ann.id, "notes.md", entities=[MessageEntity("code", 0, 8)])
    await bot.send_message(ann.id, "notes.md", entities=[MessageEntity("text_link", 0, 8, url="https://example.org/")])
    assert [rig.ledger.links(one) for one in rig.ledger.by_bot(ann.id)] == [
        [("url", "notes.md"), ("bot_command", "/help")],
        [],
        [("text_link", "https://example.org/")],
    ]
    assert [one["type"] for one in rig.ledger.by_bot(ann.id)[0].entities] == ["bold", "url", "bot_command"]


async def test_a_wrong_entity_is_refused_and_noted(bot: Bot, rig: Telegram) -> None:
    ann = rig.person("Ann")
    with pytest.raises(BadRequest, match=r"(?i)can't parse entities"):
        await bot.send_message(ann.id, "short", entities=[MessageEntity("bold", 0, 6)])
    assert [one.kind for one in rig.ledger.violations("entities")] == ["entities"]
    assert not rig.ledger.by_bot(ann.id)


async def test_entities_past_the_hundredth_are_not_shown(bot: Bot, rig: Telegram) -> None:
    ann = rig.person("Ann")
    await bot.send_message(ann.id, "a " * 101, entities=[MessageEntity("bold", 2 * number, 1) for number in range(101)])
    assert len(rig.ledger.by_bot(ann.id)[0].entities) == 100
    assert [one.kind for one in rig.ledger.violations()] == ["entities_ignored"]


@pytest.mark.parametrize(
    ("text", "problem"), [("😀" * 2049, "too long"), ("x" * 4097, "too long"), (" \n ", "empty"), ("\u200b", "empty")]
)
async def test_the_length_is_counted_in_utf16_units_of_what_is_left(bot: Bot, rig: Telegram, text: str, problem: str) -> None:
    ann = rig.person("Ann")
    with pytest.raises(BadRequest, match=f"(?i){problem}"):
        await bot.send_message(ann.id, text)
    assert [one.kind for one in rig.ledger.violations()] == ["length"]
    assert (await bot.send_message(ann.id, "😀" * 2048 + "  ")).text == "😀" * 2048


async def test_a_trimmed_text_is_no_new_text(bot: Bot, rig: Telegram) -> None:
    sent = await bot.send_message(rig.person("Ann").id, "word")
    with pytest.raises(BadRequest, match=r"(?i)not modified"):
        await sent.edit_text("word \n")


@pytest.mark.parametrize(
    "button",
    [
        InlineKeyboardButton("x", callback_data="é" * 33),
        InlineKeyboardButton(" ", callback_data="a"),
        InlineKeyboardButton("x", url="http://localhost/"),
        InlineKeyboardButton("x", url="file:///etc"),
    ],
)
async def test_a_wrong_button_is_refused_and_noted(bot: Bot, rig: Telegram, button: InlineKeyboardButton) -> None:
    with pytest.raises(BadRequest):
        await bot.send_message(rig.person("Ann").id, "choose", reply_markup=InlineKeyboardMarkup([[button]]))
    assert [one.kind for one in rig.ledger.violations()] == ["buttons"]


async def test_a_parse_mode_is_noted(bot: Bot, rig: Telegram) -> None:
    ann = rig.person("Ann")
    await bot.send_message(ann.id, "plain")
    assert not rig.ledger.parse_modes
    await bot.send_message(ann.id, "*bold*", parse_mode="MarkdownV2")
    assert [call.method for call in rig.ledger.parse_modes] == ["sendMessage"]


async def test_json_bodies_and_query_strings_do_as_well(rig: Telegram) -> None:
    ann = rig.person("Ann")
    async with aiohttp.ClientSession() as session:
        body = {"chat_id": ann.id, "text": "hello", "entities": entities(("bold", 0, 5))}
        async with session.post(f"{rig.base_url}{rig.token}/sendMessage", json=body) as response:
            assert (response.status, (await response.json())["result"]["text"]) == (200, "hello")
        async with session.get(f"{rig.base_url}{rig.token}/SendMessage", params={"chat_id": ann.id, "text": "hi"}) as response:
            assert response.status == 200
        async with session.post(
            f"{rig.base_url}{rig.token}/sendMessage", data=b"{", headers={"Content-Type": "application/json"}
        ) as response:
            assert (response.status, (await response.json())["ok"]) == (400, False)
    assert [one.text for one in rig.ledger.by_bot(ann.id)] == ["hello", "hi"]
