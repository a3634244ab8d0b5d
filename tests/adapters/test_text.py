"""What becomes of concrete texts, as a person would judge it."""

from __future__ import annotations

import pytest

from adapters.text import (
    Entity,
    clean,
    discord_live,
    discord_parts,
    escape_discord,
    fit,
    rich,
    telegram_live,
    telegram_parts,
    units,
)

ALLOWED = ("https://docs.example.org/guide",)


def discord(markdown: str) -> str:
    (part,) = discord_parts(markdown, allowed_links=ALLOWED)
    return part.text


def telegram(markdown: str) -> tuple[str, list[tuple[str, str]]]:
    """The text, and each entity with the text that it covers."""
    (part,) = telegram_parts(markdown, allowed_links=ALLOWED)
    coded = part.text.encode("utf-16-le")
    return part.text, [
        (entity.type, coded[2 * entity.offset : 2 * (entity.offset + entity.length)].decode("utf-16-le"))
        for entity in part.entities
    ]


@pytest.mark.parametrize(
    ("markdown", "shown"),
    [
        ("**bold** and *italic*, ~~gone~~", "**bold** and _italic_, ~~gone~~"),
        ("un*believ*able, **a**b", "un*believ*able, **a**b"),
        ("***both***", "**_both_**"),
        ("snake_case, 2 * 3 * 4, a|b, ~x~", "snake\\_case, 2 \\* 3 \\* 4, a\\|b, \\~x\\~"),
        ("The filter [1][2].", "The filter [1][2]."),
        ("[the guide](https://docs.example.org/guide)", "[the guide](<https://docs.example.org/guide>)"),
        ("[evil](https://evil.example/x)", "evil (https\\://evil.example/x)"),
        ("[https://bank.example](https://docs.example.org/guide)", "https\\://bank.example (<https://docs.example.org/guide>)"),
        ("See https://docs.example.org/guide.", "See <https://docs.example.org/guide>."),
        ("See https://evil.example.", "See https\\://evil.example."),
        ("[1](https://docs.example.org/guide)", "[[1]](<https://docs.example.org/guide>)"),
        ("[1] (see below) and [2](notes)", "[1] (see below) and [2] (notes)"),
        ("[1]: https://evil.example", "[1]: https\\://evil.example"),
        ("![a cat](https://evil.example/c.png)", "a cat (https\\://evil.example/c.png)"),
        ("<@1> <@&2> <#3> @everyone @here", "\\<＠1\\> \\<＠&2\\> \\<\\#3\\> ＠everyone ＠here"),
        ("</ban:5> <t:1:R> <:kek:1> ||boo||", "\\<\\/ban:5\\> \\<t:1:R\\> \\<\\:kek:1\\> \\|\\|boo\\|\\|"),
        ("`<@1>` and `a``b`", "`<＠1>` and `aˋˋb`"),
        ("`` a`b ``", "`` a`b ``"),
        ("<b>hi</b> &amp; co", "\\<b\\>hi\\<\\/b\\> & co"),
        ("# Title\n\n#### Fourth", "# Title\n\n**Fourth**"),
        ("\\# no title\n\\- no list\n1\\. no list", "\\# no title\n\\- no list\n1\\. no list"),
        ("- a\n  - b\n    - c\n- d", "- a\n  - b\n    - c\n- d"),
        ("3. three\n4. four\n   - in it", "3. three\n4. four\n   - in it"),
        ("> a quote\n> goes on\n\nafter", "> a quote\n> goes on\n\nafter"),
        ("a\n\n---\n\nb", "a\n\n———\n\nb"),
        ("```python\nprint('hi')\n```", "```python\nprint('hi')\n```"),
        ("\\``` x` ``", "\\``xˋ`"),
        ("**`a*`**`b*` and ~~`c`~~`` d`* ``", "`a*b*` and ~~`c`~~`` d`* ``"),
        ("~~~~\n```\nx\n```\n~~~~", "```\nˋˋˋ\nx\nˋˋˋ\n```"),
        ("```\n```", None),
        ("ze\u200bro \u202ewidth\u202c", "zero width"),
    ],
)  # fmt: skip
def test_on_discord(markdown: str, shown: str | None) -> None:
    parts = discord_parts(markdown, allowed_links=ALLOWED)
    assert [part.text for part in parts] == ([] if shown is None else [shown])


@pytest.mark.parametrize(
    ("markdown", "text", "entities"),
    [
        ("**bold** *it* ~~no~~ `x`", "bold it no x",
         [("bold", "bold"), ("italic", "it"), ("strikethrough", "no"), ("code", "x")]),
        ("# Title", "Title", [("bold", "Title")]),
        ("# A **b** c", "A b c", [("bold", "A b c")]),
        ("**a `b` c**", "a b c", [("bold", "a"), ("code", "b"), ("bold", "c")]),
        ("👍 **😀 ok**", "👍 😀 ok", [("bold", "😀 ok")]),
        ("[guide](https://docs.example.org/guide)", "guide", [("text_link", "guide")]),
        ("[evil](https://evil.example/x)", "evil (https://evil.example/x)", [("code", "https://evil.example/x")]),
        ("See notes.md, ask @joe, /start, #tag, $USD.", "See notes.md, ask @joe, /start, #tag, $USD.",
         [("code", "notes.md"), ("code", "@joe"), ("code", "/start"), ("code", "#tag"), ("code", "$USD")]),
        ("@a.@b #t.@c", "@a.@b #t.@c", [("code", "@a.@b"), ("code", "#t.@c")]),
        ("It is 3.14 and/or 1/2, e.g. #1, 5$.", "It is 3.14 and/or 1/2, e.g. #1, 5$.", []),
        ("- a\n  - b\n- c", "• a\n  ◦ b\n• c", []),
        ("> quote **b**\n\nafter", "quote b\n\nafter", [("blockquote", "quote b"), ("bold", "b")]),
        ("> one\n\n\n<!-- -->\n\n> two", "one\n\n<!-- -->\n\ntwo", [("blockquote", "one"), ("blockquote", "two")]),
        ("```py\nx = 1\n```", "x = 1", [("pre", "x = 1")]),
    ],
)  # fmt: skip
def test_on_telegram(markdown: str, text: str, entities: list[tuple[str, str]]) -> None:
    assert telegram(markdown) == (text, entities)


def test_a_narrow_table_is_aligned() -> None:
    table = "| Pièce | kWh |\n|---|--:|\n| Salon | 120 |\n| 日本 | 7 |"
    aligned = "Pièce  kWh\n─────  ───\nSalon  120\n日本     7"
    assert discord(table) == f"```\n{aligned}\n```"
    assert telegram(table) == (aligned, [("pre", aligned)])


def test_a_wide_table_becomes_a_list_of_its_rows() -> None:
    table = "| What | How it is done |\n|---|---|\n| Filter | Close the valve and unscrew it with care [1] |\n| Pump | |"
    assert discord(table) == (
        "- **What:** Filter\n  **How it is done:** Close the valve and unscrew it with care [1]\n"
        "- **What:** Pump\n  **How it is done:** –"
    )


def test_entities_as_the_bot_api_takes_them() -> None:
    (part,) = telegram_parts("```py\nx\n```\n[g](https://docs.example.org/guide)", allowed_links=ALLOWED)
    assert [entity.as_json() for entity in part.entities] == [
        {"type": "pre", "offset": 0, "length": 1, "language": "py"},
        {"type": "text_link", "offset": 3, "length": 1, "url": "https://docs.example.org/guide"},
    ]


def test_plain_text_for_telegram_links_nothing_by_itself_and_is_as_long() -> None:
    (part,) = telegram_parts("**See** notes.md or @joe: https://evil.example/x", allowed_links=())
    assert part.plain == "See notes․md or ＠joe: https：⁄⁄evil․example⁄x"


def test_plain_text_for_discord_keeps_code_alone() -> None:
    (part,) = discord_parts("# A\n\n> **b** *c* `d*`", allowed_links=())
    assert part.plain == "A\n\nb c `d*`"


def test_our_own_texts_may_link_anywhere() -> None:
    (part,) = discord_parts("[x](https://any.example) https://other.example", allowed_links=None)
    assert part.text == "[x](<https://any.example>) <https://other.example>"


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "http://user@docs.example.org/guide", "https://docs.example.org/guide2", "tg://x"]
)
def test_no_other_address_is_a_link(url: str) -> None:
    (part,) = telegram_parts(f"[x]({url})", allowed_links=ALLOWED)
    assert not [entity for entity in part.entities if entity.type == "text_link"]


def test_code_cannot_end_a_link_that_the_text_begins() -> None:
    assert discord("[click `](https://evil.example)`") == "\\[click `](https://evil.example)`"


def test_code_in_the_text_of_a_link_cannot_end_it() -> None:
    markdown = "[see `](https://evil.example)`](https://docs.example.org/guide)"
    assert discord(markdown) == "see `］(https://evil.example)` (<https://docs.example.org/guide>)"
    assert discord("[see `a[0]`](https://docs.example.org/guide)") == "[see a[0]](<https://docs.example.org/guide>)"


def test_code_cannot_change_where_a_link_before_it_leads() -> None:
    markdown = "[x](https://docs.example.org/guide) `](https://evil.example)`"
    assert discord(markdown) == "[x](<https://docs.example.org/guide>) `］(https://evil.example)`"


def test_a_long_text_is_cut_at_its_paragraphs_then_sentences_then_words() -> None:
    paragraphs = "\n\n".join(["One two three. Four five six. " * 5] * 4)
    assert [len(part.text) for part in discord_parts(paragraphs, allowed_links=(), limit=350)] == [300, 300]
    sentences = "One two three, four five. " * 20
    parts = [part.text for part in discord_parts(sentences, allowed_links=(), limit=200)]
    assert all(part.startswith("One") and part.endswith("five.") for part in parts)
    words = [part.text for part in discord_parts("word " * 100, allowed_links=(), limit=201)]
    assert {word for part in words for word in part.split()} == {"word"}


def test_a_citation_stays_with_its_sentence() -> None:
    parts = discord_parts("It is so, as is said. [1] " * 20, allowed_links=(), limit=200)
    assert all(part.text.endswith("[1]") for part in parts)


def test_code_is_opened_again_with_its_language_in_each_part() -> None:
    code = "\n".join(f"print({number})" for number in range(100))
    parts = [part.text for part in discord_parts(f"Before.\n\n```python\n{code}\n```\nAfter.", allowed_links=(), limit=300)]
    assert all(part.count("```") == 2 and "```python\nprint(" in part for part in parts)
    assert parts[-1].endswith("print(99)\n```\n\nAfter.")
    lines = [line for part in parts for line in part.split("\n") if line.startswith("print")]
    assert "\n".join(lines) == code


def test_bold_that_is_cut_is_bold_in_both_parts() -> None:
    parts = [part.text for part in discord_parts("**" + "bold words " * 40 + "end**", allowed_links=(), limit=250)]
    assert all(part.startswith("**") and part.endswith("**") for part in parts)


def test_a_heading_is_not_left_alone_at_the_end_of_a_part() -> None:
    parts = [part.text for part in discord_parts("word " * 30 + "\n\n# Title\n\n" + "text " * 30, allowed_links=(), limit=200)]
    assert parts[1].startswith("# Title\n\ntext")


@pytest.mark.parametrize("character", ["👨‍👩‍👧‍👦", "🏳️‍🌈", "👍🏽", "🇫🇷", "é", "क्ष", "각"])
def test_no_character_is_cut_in_two(character: str) -> None:
    for limit in (201, 202, 203):
        parts = telegram_parts(character * 300, allowed_links=(), limit=limit)
        assert all(part.text == character * (len(part.text) // len(character)) for part in parts)
        assert sum(len(part.text) for part in parts) == 300 * len(character)


def test_a_message_for_telegram_has_no_more_entities_than_are_heeded() -> None:
    parts = telegram_parts("@joe " * 300, allowed_links=())
    assert [len(part.entities) <= 100 for part in parts] == [True] * len(parts)
    assert sum(len(part.entities) for part in parts) == 300


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("a\u200bb\ufeffc\u00add", "abcd"),
        ("\u202eabc\u2066", "abc"),
        ("می‌خواهم", "می‌خواهم"),
        ("a\u200cb\u200dc", "abc"),
        ("क्‍ष", "क्‍ष"),
        ("👩‍👩‍👧 ❤️ 1️⃣ 🏴󠁧󠁢󠁥󠁮󠁧󠁿", "👩‍👩‍👧 ❤️ 1️⃣ 🏴󠁧󠁢󠁥󠁮󠁧󠁿"),
        ("a\U000e0041\U000e0042\ufe0f", "a"),
        ("one\r\ntwo\u2028three\x00", "one\ntwo\nthree"),
        ("e" + "\u0301" * 50, "e" + "\u0301" * 8),
        ("\ud800", "\ufffd"),
    ],
)
def test_what_nobody_sees_is_removed_and_what_scripts_need_is_kept(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned
    assert clean(cleaned) == cleaned


def test_a_name_is_shown_as_it_is() -> None:
    assert escape_discord("# **notes**_[v2](x).md @everyone") == "\\# \\*\\*notes\\*\\*\\_[v2]\\(x).md ＠everyone"
    assert rich("notes.md").entities == (Entity("code", 0, 8),)


def test_rich_texts_are_joined() -> None:
    both = rich("😀 Sources: ", "bold") + rich("the guide", "text_link", url="https://docs.example.org/guide")
    assert both.text == "😀 Sources: the guide"
    assert both.entities == (
        Entity("bold", 0, 11), Entity("text_link", 12, 9, url="https://docs.example.org/guide"),
    )  # fmt: skip
    assert both.size == units(both.text) == 21
    assert both.plain == both.text


def test_an_expandable_quote_keeps_what_is_in_it_from_being_linked() -> None:
    assert rich("see notes.md", "expandable_blockquote").entities == (
        Entity("expandable_blockquote", 0, 12),
        Entity("code", 4, 8),
    )


@pytest.mark.parametrize(
    ("text", "limit", "short"),
    [
        ("short", 10, "short"),
        ("some words here", 12, "some words…"),
        ("abcdefghij", 5, "abcd…"),
        ("👨‍👩‍👧‍👦👨‍👩‍👧‍👦", 14, "👨‍👩‍👧‍👦…"),
        ("abc", 1, "…"),
    ],
)
def test_a_text_is_shortened_to_fit(text: str, limit: int, short: str) -> None:
    assert fit(text, limit) == short


@pytest.mark.parametrize(
    ("so_far", "shown"),
    [
        ("Some **bold", "Some **bold**"),
        ("Some *ital", "Some _ital_"),
        ("Some `co", "Some `co`"),
        ("Some **", "Some"),
        ("See [the gui", "See the gui"),
        ("See [the guide](https://doc", "See the guide"),
        ("It is so [1", "It is so [1"),
        ("```py\nx = ", "```py\nx =\n```"),
        ("a **b** `c` *d", "a **b** `c` _d_"),
        ("", ""),
    ],
)
def test_what_is_open_is_closed_while_it_is_written(so_far: str, shown: str) -> None:
    assert discord_live(so_far) == shown


def test_of_a_long_text_that_is_written_its_end_is_shown() -> None:
    markdown = "```py\n" + "".join(f"x{number} = {number}\n" for number in range(5000))
    shown = discord_live(markdown)
    assert shown.startswith("…\n```py\nx")
    assert shown.endswith("x4999 = 4999\n```")
    assert 1500 < units(shown) <= 2000
    live = telegram_live("Some **word** or other. " * 3000)
    assert live.text.startswith("… ")
    assert live.text.endswith("Some word or other.")
    assert 1500 < live.size <= 4096


def test_a_text_that_nests_without_end_is_shown_as_it_was_written() -> None:
    assert telegram("> " * 200 + "deep")[0] == "> " * 200 + "deep"


@pytest.mark.parametrize(
    "text", ["* _ ~ | " * 300, "**a** *b* `c` " * 200, "> - q\n" * 200, "[g](https://docs.example.org/guide) " * 100]
)
def test_marks_and_escapes_count(text: str) -> None:
    for limit in range(200, 260, 7):
        parts = discord_parts(text.replace("* _", "\\* _"), allowed_links=ALLOWED, limit=limit)
        assert max(units(part.text) for part in parts) <= limit
        assert max(units(part.plain) for part in parts) <= limit


def test_code_that_is_cut_keeps_its_indentation() -> None:
    code = "\n".join(["if x:", *["    y()"] * 200])
    parts = discord_parts(f"```py\n{code}\n```", allowed_links=(), limit=200)
    assert len(parts) > 5
    assert all(part.text.startswith("```py\n    y()\n") for part in parts[1:])
