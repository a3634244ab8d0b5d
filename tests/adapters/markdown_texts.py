"""Markdown as models write it, and worse: generated from a seed, with words that can be found again."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

ALLOWED = ("https://docs.example.org/guide", "https://example.org/a_(b)?q=1&r=é", "http://192.0.2.7:8080/page#top")
FOREIGN = (
    "https://evil.example.com/x",
    "http://bad.example/?a=@everyone",
    "javascript:alert(1)",
    "notes.md",
    "mailto:a@b.example",
)
_EMOJI = ("😀", "👨‍👩‍👧‍👦", "🏳️‍🌈", "👍🏽", "🇫🇷🇬🇧", "1️⃣", "❤️", "🏴󠁧󠁢󠁥󠁮󠁧󠁿")
_PLAIN = (
    "chaudière", "water", "le", "filtre", "été", "snake_case_name", "3.14", "C++", "*", "_", "~", "#3", "a*b", "[1]", "[12]", "(see", "it)",
    "1.", "-", "+", ">", "#", "|", "x|y", "\\", "&amp;", "&lt;", "<b>", "</b>", "<br>", "e.g.", "https", "5$", "100%", "a/b",
)  # fmt: skip
_LIVE = (
    "@everyone", "@here", "<@123>", "<@!123>", "<@&42>", "<#99>", "<:kek:123>", "<a:kek:123>", "<t:1700000000:R>", "</ban:55>",
    "<id:customize>", "notes.md", "example.com", "@joe_42", "/start", "/ban@bot_x", "#tag", "$USD", "a.b@c.example", "||secret||",
    "__under__", "discord.gg/abc", "https://evil.example.com/x?y=z", "<https://evil.example.com>", "www.evil.example.com", "10.0.0.1",
    "tg://resolve?domain=x", "HTTPS://EVIL.EXAMPLE.COM", "-#", "@\u200beveryone", "\u202eevil", "ev\u00adil.com",
)  # fmt: skip
_RTL = ("سلام", "می‌خواهم", "שלום", "مرحبا", "क्षत्रिय", "한국어", "日本語。", "ไทย")


@dataclass
class Text:
    """A generated text, and the words that a person must find in it, in order."""

    markdown: str
    words: list[str] = field(default_factory=list)


class Writer:
    def __init__(self, seed: object) -> None:
        self.random = random.Random(str(seed))
        self.words: list[str] = []

    def text(self, size: int) -> Text:
        blocks: list[str] = []
        length = 0
        while length < size:
            blocks.append(self.block(size - length))
            length += len(blocks[-1]) + 2
        return Text(self.random.choice(("\n\n", "\n\n", "\n\n\n")).join(blocks), self.words)

    def block(self, room: int) -> str:
        kinds = (self.paragraph,) * 6 + (self.list, self.list, self.fence, self.quote, self.heading, self.table, self.rule)
        return self.random.choice(kinds if room > 200 else kinds[:6])()

    def word(self) -> str:
        roll = self.random.random()
        if roll < 0.5:
            self.words.append(f"w{len(self.words)}z")
            return self.words[-1]
        for share, words in ((0.86, _PLAIN), (0.92, _RTL), (0.96, _EMOJI), (2, _LIVE)):
            if roll < share:
                return self.random.choice(words)
        raise AssertionError

    def span(self) -> str:
        roll = self.random.random()
        if roll < 0.06:
            return f"`{self.random.choice(('x = 1', 'a`b', 'rm -rf *', '<@1>', '@everyone', 'https://evil.example.com'))}`"
        url = self.random.choice(ALLOWED + FOREIGN)
        if roll < 0.09:
            return self.random.choice((url, f"<{url}>"))
        inner = " ".join(self.word() for _ in range(self.random.randint(1, 4)))
        if roll < 0.7:
            return inner
        if roll < 0.86:
            mark = self.random.choice(("**", "*", "_", "~~", "***", "__"))
            return f"{mark}{inner}{mark}" + self.random.choice(("", "", "s", "*b*"))
        return self.random.choice((f"[{inner}]({url})", f"![{inner}]({url})", f"[**{inner}**]({url})"))

    def line(self, spans: int) -> str:
        ends = (" ", " ", " ", ", ", ". ", "! ", "\n")
        return "".join(self.span() + self.random.choice(ends) for _ in range(self.random.randint(1, spans))).strip() or "x"

    def paragraph(self) -> str:
        if self.random.random() < 0.02:
            return "".join(
                self.random.choice(("👨‍👩‍👧‍👦", "é", "a", "漢", "🇫🇷", "न्")) for _ in range(self.random.randint(10, 900))
            )
        return self.line(30)

    def list(self) -> str:
        lines, depth = [], 0
        for number in range(self.random.randint(1, 9)):
            depth = max(0, min(4, depth + self.random.choice((-1, 0, 0, 1))))
            marker = self.random.choice(("-", "*", f"{number + 1}."))
            item = self.line(5).replace("\n", " ")
            lines.append("   " * depth + f"{marker} {item}")
        return self.random.choice(("\n", "\n", "\n\n")).join(lines)

    def fence(self) -> str:
        fence = self.random.choice(("```", "```", "~~~", "````"))
        words = [
            "def f():",
            "    return x",
            "```" if fence != "```" else "``",
            "",
            "\tx = '@everyone'",
            "<@1> https://evil.example.com",
        ]
        lines = [
            self.random.choice(words) if self.random.random() < 0.9 else self.word() for _ in range(self.random.randint(0, 40))
        ]
        if fence == "~~~":
            lines = [line for line in lines if not line.startswith("~~~")]
        return f"{fence}{self.random.choice(('', 'python', 'c++', 'no such language!'))}\n" + "\n".join(lines) + f"\n{fence}"

    def quote(self) -> str:
        inner = self.random.choice(
            (self.paragraph, self.list, self.fence, self.quote if self.random.random() < 0.3 else self.line1)
        )()
        return "\n".join("> " + line for line in inner.split("\n"))

    def line1(self) -> str:
        return self.line(5)

    def heading(self) -> str:
        return "#" * self.random.randint(1, 6) + " " + self.line(3).replace("\n", " ")

    def table(self) -> str:
        columns = self.random.randint(1, 5)
        rows = [[self.cell() for _ in range(columns)] for _ in range(self.random.randint(1, 8))]
        rule = ["---", ":--", "--:"]
        lines = [rows[0], [self.random.choice(rule) for _ in range(columns)], *rows[1:]]
        return "\n".join("| " + " | ".join(line) + " |" for line in lines)

    def cell(self) -> str:
        cell = self.span() if self.random.random() < 0.4 else self.random.choice(("1", "22", "kWh", "oui", "Été", ""))
        return cell.replace("|", "/").replace("\n", " ")

    def rule(self) -> str:
        return self.random.choice(("---", "***"))


def sized(number: int) -> Text:
    """The text of a number: one in 200 has 100 KiB; of the others half are shorter than 2 KiB."""
    if number % 200 == 7:
        return Writer(number).text(100 * 1024)
    size = Writer(f"size {number}").random
    return Writer(number).text(size.randint(20, 2048) if size.random() < 0.5 else size.randint(2048, 2600))


def fuzzed(number: int) -> str:
    """What a model might say when it has lost its mind, or was told what to say."""
    writer = Writer(f"fuzz {number}")
    pieces = (
        *_LIVE, *_EMOJI, *_RTL, *ALLOWED, *FOREIGN, "](", ")", "[", "]", "(", "<", ">", "`", "``", "```", "\n```\n", "*", "**", "_", "__", "~~",
        "~", "|", "||", "\\", "\n", "\n\n", " ", " ", " ", "> ", "- ", "1. ", "# ", "-# ", ">>> ", "@", "everyone", "here", ":", "//", "http",
        "https:", "://", ".com", "/", "&#64;everyone", "&#8203;", "&#x202e;", "&lt;@1&gt;", "<@", "1>", "\u200d", "\ufe0f", "\u0301" * 30, "\x00", "\t",
        "| a | b |\n|---|---|\n| <@1> | https://evil.example.com |", "[x](https://docs.example.org/guide)", "\ud800", "a", "é", "漢", "0",
    )  # fmt: skip
    return "".join(writer.random.choice(pieces) for _ in range(writer.random.randint(1, 200)))
