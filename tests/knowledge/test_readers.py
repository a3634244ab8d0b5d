"""What the readers make of good files, and the one clause they say of each bad one."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from knowledge.errors import UnreadableError
from knowledge.readers import SUFFIXES, Limits, html, markdown, read_file
from knowledge.readers.outline import Outline
from tests.knowledge.files import bomb, encrypted, pdf

if TYPE_CHECKING:
    from pathlib import Path

    from knowledge.types import Reading

ACCENTS = "Où est la clé ? Derrière l’évier, à côté du cœur brûlé. Ça coûte 12 €."


def read(path: Path, content: bytes | str, limits: Limits | None = None) -> Reading:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_file(path, limits or Limits())


def refusal(path: Path, content: bytes | str | None = None, limits: Limits | None = None) -> str:
    with pytest.raises(UnreadableError) as raised:
        read(path, content, limits) if content is not None else read_file(path, limits or Limits())
    assert "\n" not in raised.value.reason
    return raised.value.reason


def told(reading: Reading) -> list[tuple[tuple[str, ...], str]]:
    return [(section.headings, section.text) for section in reading.sections]


# Any file


def test_suffixes_choose_the_reader_whatever_their_case(tmp_path: Path) -> None:
    assert read(tmp_path / "A.MD", "# Bins\nTuesday").title == "Bins"
    assert {".md", ".txt", ".html", ".pdf"} <= SUFFIXES
    assert refusal(tmp_path / "photo.jpg", b"x") == "files of the kind .jpg are not read"


@pytest.mark.parametrize("suffix", sorted(SUFFIXES))
def test_an_empty_file_of_any_kind(tmp_path: Path, suffix: str) -> None:
    assert refusal(tmp_path / f"x{suffix}", b"") == "it is empty"


@pytest.mark.parametrize("name", ["x.md", "x.txt", "x.html"])
def test_nothing_but_white_space(tmp_path: Path, name: str) -> None:
    assert refusal(tmp_path / name, b" \n\t\n\xef\xbb\xbf") == "it holds no text"


def test_half_a_gigabyte_is_refused_by_its_size_alone(tmp_path: Path) -> None:
    path = tmp_path / "video.pdf"
    with path.open("wb") as file:
        file.truncate(500_000_000)
    begun = time.perf_counter()
    assert refusal(path) == "it has 500 MB, more than the 50 MB that reading.file_mb allows"
    assert time.perf_counter() - begun < 0.1


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.md")
    assert refusal(tmp_path / "pipe.md") == "it is not a regular file"


def test_a_file_that_is_gone_or_loops(tmp_path: Path) -> None:
    assert refusal(tmp_path / "gone.md") == "it cannot be read: No such file or directory"
    (tmp_path / "loop.md").symlink_to("loop.md")
    assert refusal(tmp_path / "loop.md").startswith("it cannot be read: Too many")


def test_a_file_of_somebody_else(tmp_path: Path) -> None:
    path = tmp_path / "diary.md"
    path.write_text("secret")
    path.chmod(0)
    if os.geteuid() == 0:  # root may read everything: ask as somebody else
        tmp_path.chmod(0o711)
        for folder in list(tmp_path.parents)[:3]:
            folder.chmod(folder.stat().st_mode | 0o011)
        os.seteuid(65534)
    try:
        assert refusal(path) == "this account may not read it"
    finally:
        if os.getuid() == 0:
            os.seteuid(0)


@pytest.mark.parametrize("suffix", [".md", ".txt", ".html"])
def test_more_text_than_the_limit(tmp_path: Path, suffix: str) -> None:
    reason = refusal(tmp_path / f"x{suffix}", b"word " * 30_000, Limits(text_mb=0.1))
    assert reason == "it holds more than 0.1 MB of text, the limit of reading.text_mb"


# Text and its encodings


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "iso8859-15", "mac-roman", "cp850"],
)
def test_the_encoding_is_found(tmp_path: Path, encoding: str) -> None:
    text = ACCENTS.replace("’", "'").replace("œ", "oe").replace("€", "euros") if encoding in {"cp850", "iso8859-15"} else ACCENTS
    assert told(read(tmp_path / "x.txt", (text + "\n" + text).encode(encoding))) == [((), f"{text}\n{text}")]


def test_cyrillic_in_an_old_encoding(tmp_path: Path) -> None:
    text = "Где лежит ключ от погреба? Под горшком с геранью у кухонной двери, как всегда. " * 4
    assert told(read(tmp_path / "x.txt", text.encode("cp1251"))) == [((), text.strip())]


def test_accents_far_into_a_file_of_plain_letters(tmp_path: Path) -> None:
    text = "plain words\n" * 20_000 + ACCENTS
    assert read(tmp_path / "x.txt", text.encode("cp1252")).sections[0].text.endswith(ACCENTS)


def test_one_broken_byte_does_not_garble_the_rest(tmp_path: Path) -> None:
    content = (ACCENTS * 5).encode() + b"\xe9 " + ACCENTS.encode()
    text = read(tmp_path / "x.txt", content).sections[0].text
    assert text.count("Où est la clé") == 6


@pytest.mark.parametrize(
    "content",
    [
        b"\x7fELF\x02\x01\x01" + bytes(200),
        bytes(range(256)) * 50,
        b"PK\x03\x04" + bytes(range(128, 256)) * 30 + b"\x01\x02\x03" * 90,
    ],
    ids=["program", "every byte", "archive"],
)
@pytest.mark.parametrize("name", ["x.txt", "x.md", "x.html"])
def test_binary_content_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    assert refusal(tmp_path / name, content) == "it is binary, not text"


def test_text_is_cleaned(tmp_path: Path) -> None:
    content = "un\r\ndeux\rtrois\x0cquatre\u200b\x1b[0m\u00ad cafe\u0301\n\n\n\n\nfin\n"
    assert read(tmp_path / "x.txt", content).sections[0].text == "un\ndeux\ntrois\nquatre[0m café\n\nfin"


def test_the_file_name_is_the_last_resort_for_a_title(tmp_path: Path) -> None:
    reading = read(tmp_path / "codes-du_portail.txt", "Le code du portail est dans la boîte.")
    assert (reading.title, reading.language) == ("codes du portail", "fr")


# Markdown


def test_markdown_headings_and_their_text() -> None:
    reading = markdown.parsed(
        "Before.\n\n# The *old* house #\nBuilt in 1904.\n## [Cellar](x.md)\n"
        "```sh\n# not a heading\n```\n- damp\n- dark\n---\nstill\n\n"
        "Garden\nand pond\n========\nFerns.\n\n### Empty leaf\n## C#\n<!-- # hidden -->\nSharp.\n",
        "file",
    )
    assert reading.title == "The old house"
    assert told(reading) == [
        ((), "Before."),
        (("The old house",), "Built in 1904."),
        (("The old house", "Cellar"), "```sh\n# not a heading\n```\n- damp\n- dark\n---\nstill"),
        (("Garden and pond",), "Ferns."),
        (("Garden and pond", "Empty leaf"), "Empty leaf"),
        (("Garden and pond", "C#"), "Sharp."),
    ]


@pytest.mark.parametrize("front", ['---\ntitle: "Maison"\ntags: [a]\n---\n', "+++\ntitle = 'Maison'\n+++\n"])
def test_front_matter_names_the_document_and_is_not_its_text(front: str) -> None:
    reading = markdown.parsed(front + "# Autre\nTexte.", "file")
    assert (reading.title, told(reading)) == ("Maison", [(("Autre",), "Texte.")])


@pytest.mark.parametrize(
    "text",
    [
        "---\nNot closed.",
        "---\nThe alarm code is 4711.\n\nThe key is under the pot.\n\n---\n\nThe rest.",
        "---\nNote: it is loud.\n\nThe alarm code is 4711.\n\n---\n\nThe rest.",
        "---\n- the key is there\n---\nThe rest.",
        "---\nhttp://example.org\n---\nThe rest.",
    ],
)
def test_a_rule_at_the_top_is_no_front_matter(text: str) -> None:
    kept = str(told(markdown.parsed(text, "file")))
    assert all(word in kept for word in text.replace("---", "").split())


@pytest.mark.parametrize(
    "front",
    [
        "title: Maison\n",
        "# by hand\ntitle: 'Maison'\ntags:\n- a\n- b\n",
        "layout: x\n\ntitle: Maison\ntext: >\n  two\n\n  lines\nlist: [\n  a\n]\n",
        "date.created: 2024\ntitle: Maison\nÉtage:\n",
    ],
)
def test_the_forms_of_front_matter(front: str) -> None:
    reading = markdown.parsed(f"---\n{front}---\nTexte.", "file")
    assert (reading.title, told(reading)) == ("Maison", [((), "Texte.")])


@pytest.mark.parametrize(
    "text",
    [
        "Use `<!--` to open.\n\nThe alarm code is 4711.\n\nand `-->` to close",
        "```html\n<!-- the header -->\n<p>\n```\nand `-->`",
        "~~~\n```\n<!-- the header -->\n~~~",
        "1. Write:\n\n    ```\n    <!-- the header -->\n    ```",
        "``a ` <!-- b`` and `-->`",
        "A stray ` here.\n\nUse `<!--` and `-->`.",
        "- a stray ` here\n- use `<!--` and `-->`",
        "An arrow <!-- here.\n\nAnd one --> there.",
        "\\<!-- not one -->",
        "Never closed <!-- here.",
    ],
)
def test_what_code_shows_of_comments_is_text(text: str) -> None:
    assert "".join(section.text for section in markdown.parsed(text, "file").sections) == text


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("One <!-- hidden --> two.", "One  two."),
        ("One <!-- hid\nden --> two.", "One  two."),
        ("<!--\nhid\n\n```\n\nden\n-->\nTwo.", "Two."),
        ("- <!-- hid\n\n  den --> one", "-  one"),
        ("`code` <!-- hidden `--> two.", "`code`  two."),
        ("A stray ` <!-- hidden --> two.", "A stray `  two."),
        ("```\n<!-- shown -->\n```\n<!-- hidden -->", "```\n<!-- shown -->\n```"),
        ("One <!-- a --> two <!-- b --> `<!-- c -->`<!-- d -->.", "One  two  `<!-- c -->`."),
    ],
)
def test_comments_are_no_text(text: str, kept: str) -> None:
    assert told(markdown.parsed(text, "file")) == [((), kept)]


def test_an_embedded_picture_is_not_text() -> None:
    reading = markdown.parsed(f"See ![plan](data:image/png;base64,{'A' * 5000}) here.", "file")
    assert told(reading) == [((), "See ![plan]() here.")]


def test_a_paragraph_behind_a_hash_is_text_too() -> None:
    words = "word " * 100
    ((headings, text),) = told(markdown.parsed(f"# {words}\n", "file"))
    assert text == words.strip()
    assert len(headings[0]) == 200


LINES = st.sampled_from(
    [
        "# A",
        "## B ##",
        "####### no",
        "#no",
        "text",
        "more text",
        "",
        "",
        "===",
        "---",
        "```",
        "~~~",
        "   ### C",
        "    # code",
        "\ttabbed",
    ]
)


class Headings(Outline):
    """Keeps the headings alone."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def heading(self, level: int, text: str) -> None:
        super().heading(level, text)
        self.names += [text] if text else []


@given(st.lists(LINES, max_size=12))
def test_the_same_headings_as_a_full_parser(lines: list[str]) -> None:
    tokens = MarkdownIt().parse("\n".join(lines))
    expected = [" ".join(tokens[at + 1].content.split()) for at, token in enumerate(tokens) if token.type == "heading_open"]
    outline = Headings()
    markdown.scan(lines, outline)
    assert outline.names == list(filter(None, expected))


@pytest.mark.parametrize("block", ["- item\n---", "> quoted\n---", "1. first\n---", "| a |\n---", "    code\n---"])
def test_a_rule_under_a_block_is_no_heading(block: str) -> None:
    assert told(markdown.parsed(block, "file")) == [((), block)]


HOSTILE = {
    "comments": "<!--" * 250_000,
    "comments in a paragraph": "a <!--" * 150_000 + "\n\n-->",
    "comments in lines": "<!--\n" * 150_000 + "`\n\n-->",
    "quotations": "> " * 400_000 + "<!-- -->",
    "spans": "`a" * 400_000 + "<!-- -->",
    "growing spans": "".join("`" * n + "a" for n in range(1, 1200)) + "<!-- -->",
    "spans of many lengths": "".join("`" * n + "a" for n in range(1, 62)) * 400 + "<!-- -->",
    "fences": "~~~\n" * 200_000 + "<!-- -->",
    "links": "# " + "[" * 500_000,
    "pictures": "(data:" * 150_000,
    "emphasis": "# " + "_" * 500_000 + "a",
    "spaces": "# a" + " " * 500_000 + "b",
    "rules": "---\n" * 250_000,
    "rules in a list": "- a\n" + "b\n---\n" * 150_000,
    "title": "---\ntitle:" + " " * 500_000 + "\n---\n",
    "paragraph": "a\n" * 500_000 + "---",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_no_markdown_takes_long(text: str) -> None:
    begun = time.process_time()
    markdown.parsed(text, "file")
    assert time.process_time() - begun < 4  # below 1 s on a quiet machine; a quadratic pattern takes minutes


# HTML

PAGE = """<!doctype html><html><head><title> Pool &amp; spa </title><style>p{color:red}</style></head><body>
<nav>Home | About</nav><h1>The <em>pool</em></h1><p>Open<br>daily &ndash; <b>mo</b>stly<p>Closed <a href=x>in May</a>.
<ul><li>towels<li>caps<ol><li>red<li><p>blue</p></ol></ul><table><tr><th>Day<th>Hours</tr><tr><td>Monday<td>9 to 12</table>
<h2>Rules</h2>No <script>alert("run")</script>running<div>inside</div>after<pre>a  b
c</pre><p hidden>unseen</p><!-- unsaid --><template>later</template><button>OK</button></body></html>"""


def test_html_is_read_like_a_page() -> None:
    reading = html.parsed(PAGE, "file")
    assert reading.title == "Pool & spa"
    assert told(reading) == [
        (
            ("The pool",),
            "Open\ndaily – mostly\n\nClosed in May.\n\n- towels\n- caps\n  1. red\n  2. blue\n\nDay | Hours\nMonday | 9 to 12",
        ),
        (("The pool", "Rules"), "No running\n\ninside\n\nafter\n\na b\nc"),
    ]


def test_a_page_without_a_title_is_named_by_its_heading_or_its_file() -> None:
    assert html.parsed("<h2>Second</h2><h1>First</h1><p>x", "file").title == "First"
    assert html.parsed("<p>x", "file").title == "file"


@pytest.mark.parametrize(
    ("markup", "title"),
    [
        ("<svg><title>Close icon</title></svg><h1>Boiler</h1><p>x", "Boiler"),
        ("<svg><g><title>Close icon</title></g></svg><p>x", "file"),
        ("<svg><title>Close icon</title></svg><title>Late</title><p>x", "Late"),
        ("x<head><title>Stray</title></head>", "Stray"),
        ("<title>Page</title><svg><title>Close icon</title></svg><title>Late</title><p>x", "Page"),
    ],
)
def test_the_title_of_a_picture_is_not_that_of_the_page(markup: str, title: str) -> None:
    assert html.parsed(markup, "file").title == title


@pytest.mark.parametrize("markup", ["<g><title>x</title>" * 30_000, "<svg>" + "<g><title>x</title>" * 30_000])
def test_the_title_is_found_in_time(markup: str) -> None:
    begun = time.process_time()
    html.parsed(markup, "file")
    assert time.process_time() - begun < 2


@pytest.mark.parametrize(
    "markup",
    [
        "<p>kept",
        "<b><i>kept</b></i>",
        "<table><td>kept",
        "kept</div></div>",
        "<h1>kept",
        "<<p>kept",
        "<p>kept<!-- ",
        "<ul><ul><li>kept",
    ],
)
def test_malformed_html_keeps_its_words(markup: str) -> None:
    reading = html.parsed(markup, "file")
    assert "kept" in "".join(section.text for section in reading.sections)


@pytest.mark.parametrize(
    ("encoding", "declared"), [("iso-8859-1", "iso-8859-1"), ("cp1252", "no-such"), ("utf-8", "iso-8859-1"), ("koi8-r", "koi8-r")]
)
def test_the_bytes_count_before_what_the_page_says_of_itself(tmp_path: Path, encoding: str, declared: str) -> None:
    words = "Ключ под горшком" if encoding == "koi8-r" else "Clé cachée à l'été"
    page = f'<meta charset="{declared}"><p>{words}</p>'.encode(encoding)
    assert told(read(tmp_path / "x.html", page)) == [((), words)]


@pytest.mark.parametrize("declared", ["iso-8859-1", "ISO_8859-1", "latin1", "us-ascii", "windows-1252"])
def test_what_is_called_latin_1_holds_the_characters_of_windows(tmp_path: Path, declared: str) -> None:
    words = "L’œuvre coûte 80 €, dit-il – « cœur »."
    page = f"<meta charset={declared}><p>{words}".encode("cp1252")
    assert told(read(tmp_path / "x.html", page)) == [((), words)]


@pytest.mark.parametrize("declared", ["idna", "hex", "undefined", "punycode"])
def test_an_encoding_that_is_none_of_texts_is_not_believed(tmp_path: Path, declared: str) -> None:
    page = f"<meta charset={declared}><p>Clé cachée à l'été".encode("cp1252")
    assert told(read(tmp_path / "x.html", page)) == [((), "Clé cachée à l'été")]


def test_deep_nesting_is_no_recursion() -> None:
    reading = html.parsed("<div>" * 5000 + "deep" + "</div>" * 5000 + "<p>after", "file")
    assert told(reading) == [((), "deep\n\nafter")]


# PDF


def test_pdf_pages_bookmarks_and_title(tmp_path: Path) -> None:
    pages = ["La chaudière est\ndans la cave. Un mot cou-\npé ici.", "Purge the radiators.", "Twice a year.\nNever in June."]
    marks = [("Cave", 0, 0), ("Purge", 1, 1), ("Calendar", 0, 2), ("Months", 1, 2)]
    reading = read(tmp_path / "boiler.pdf", pdf(pages, title="Boiler manual", bookmarks=marks))
    assert reading.title == "Boiler manual"
    assert [(section.page, section.headings, section.text) for section in reading.sections] == [
        (1, ("Cave",), "La chaudière est dans la cave. Un mot coupé ici."),
        (2, ("Cave", "Purge"), "Purge the radiators."),
        (3, ("Calendar",), "Twice a year.\nNever in June."),
    ]


def test_a_pdf_page_is_cut_where_its_bookmarks_stand(tmp_path: Path) -> None:
    page = "end of the story.\nThe long title of\nthe second part\nPurge\nOpen the valve.\nEmpty"
    marks = [("First", 0, 0), ("The long title of the second part", 0, 1), ("Purge", 1, 1), ("Empty", 1, 1)]
    reading = read(tmp_path / "x.pdf", pdf(["First\nThe beginning and", page, "More."], bookmarks=marks))
    second = "The long title of the second part"
    assert [(section.page, section.headings, section.text) for section in reading.sections] == [
        (1, ("First",), "The beginning and"),
        (2, ("First",), "end of the story."),
        (2, (second, "Purge"), "Open the valve."),
        (3, (second, "Empty"), "More."),
    ]


def test_a_title_that_is_not_on_its_page_is_still_a_heading(tmp_path: Path) -> None:
    marks = [("Heat", 0, 0), ("Boiler", 1, 0), ("Stove", 1, 0)]
    reading = read(tmp_path / "x.pdf", pdf(["A page in pictures.", "And its text."], bookmarks=marks))
    assert [section.headings for section in reading.sections] == [("Heat",), ("Heat", "Stove")]


@pytest.mark.parametrize("title", [None, "untitled", "Microsoft Word - bail.docx", "scan.pdf"])
def test_a_title_that_a_program_wrote_is_none(tmp_path: Path, title: str | None) -> None:
    assert read(tmp_path / "bail-2024.pdf", pdf(["Le bail."], title=title)).title == "bail 2024"


@pytest.mark.parametrize("algorithm", ["RC4-128", "AES-128", "AES-256"])
def test_encryption(tmp_path: Path, algorithm: str) -> None:
    content = pdf(["The policy number is 12."])
    assert refusal(tmp_path / "x.pdf", encrypted(content, "secret", algorithm)) == "it is protected by a password"
    reading = read(tmp_path / "y.pdf", encrypted(content, "", algorithm))
    assert told(reading) == [((), "The policy number is 12.")]


def test_a_scan_holds_no_text(tmp_path: Path) -> None:
    assert refusal(tmp_path / "x.pdf", pdf(["", ""])) == "it holds no text: it is probably a scan"


def test_too_many_pages(tmp_path: Path) -> None:
    reason = refusal(tmp_path / "x.pdf", pdf(["a", "b", "c"]), Limits(pages=2))
    assert reason == "it has 3 pages, more than the 2 that reading.pages allows"


@pytest.mark.parametrize(
    "content", [b"hello", b"%PDF-1.7\n" + bytes(range(256)) * 40, pdf(["a"])[:700]], ids=["text", "junk", "cut"]
)
def test_malformed(tmp_path: Path, content: bytes) -> None:
    assert refusal(tmp_path / "x.pdf", content) == "it is damaged, or not a PDF"


def test_a_small_file_that_unpacks_to_a_huge_one(tmp_path: Path) -> None:
    reason = refusal(tmp_path / "x.pdf", bomb(b"BT (aaaaaaaaaaaaaaaaaaaaaa) Tj ET\n", 4_000_000))
    assert reason == "it unpacks to far more than a document should hold"


def test_more_text_in_a_pdf_than_the_limit(tmp_path: Path) -> None:
    reason = refusal(tmp_path / "x.pdf", pdf(["many words here " * 5] * 40), Limits(text_mb=0.001))
    assert reason == "it holds more than 0.001 MB of text, the limit of reading.text_mb"


GOOD = pdf(["One page of the manual.", "Another page."], title="Manual", bookmarks=[("One", 0, 0)])


@given(st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.binary(min_size=1, max_size=6)), min_size=1, max_size=6))
def test_a_broken_pdf_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, edits: list[tuple[int, bytes]]) -> None:
    content = bytearray(GOOD)
    for at, new in edits:
        content[at : at + len(new)] = new
    path = tmp_path_factory.mktemp("broken") / "x.pdf"
    path.write_bytes(content)
    reason = ""
    try:
        assert read_file(path, Limits()).sections
    except UnreadableError as error:
        reason = error.reason
    assert not reason or reason.startswith("it ")
