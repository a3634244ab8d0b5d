"""PDF: the text of each page, with the bookmarks of the document as headings."""

from __future__ import annotations

import io
import itertools
import re
from typing import TYPE_CHECKING, Any

from pypdf import PdfReader
from pypdf.errors import FileNotDecryptedError, LimitReachedError

from knowledge.errors import UnreadableError
from knowledge.language import language_of
from knowledge.readers.limits import Limits, bytes_of, title_of
from knowledge.readers.outline import shared_path
from knowledge.readers.text import clean
from knowledge.types import Reading, Section

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pypdf import PageObject

_BOOKMARKS = 5000
_DEPTH = 6
_HEADING_CHARS = 200
_TITLE_CHARS = 200
_HYPHENATED = re.compile(r"(?<=[a-zà-öø-ÿ])-\n(?=[a-zà-öø-ÿ])")
_WRAPPED = re.compile(r"(?<![.:;!?\n])\n(?=[a-zà-öø-ÿ(«])")
_NO_TITLE = re.compile(
    r"^(?:untitled|sans titre|document ?\d*)$|microsoft|\.(?:docx?|odt|indd|tex|pdf|xlsx?|pptx?)$", re.IGNORECASE
)


def read(path: Path, limits: Limits) -> Reading:
    """Read a PDF: one section for each page with text. Raises `UnreadableError`, also for a scan, which holds none."""
    content = bytes_of(path, limits)
    try:
        return _reading(PdfReader(io.BytesIO(content), strict=False), title_of(path), limits)
    except UnreadableError:
        raise
    except FileNotDecryptedError as error:
        raise UnreadableError("it is protected by a password") from error
    except LimitReachedError as error:
        raise UnreadableError("it unpacks to far more than a document should hold") from error
    except MemoryError:
        raise  # The limit is the worker's, and so is the sentence.
    except Exception as error:  # fed with broken bytes the parser raises KeyError, RecursionError, zlib.error, …
        raise UnreadableError("it is damaged, or not a PDF") from error


def _reading(pdf: PdfReader, title: str, limits: Limits) -> Reading:
    if pdf.is_encrypted and not pdf.decrypt(""):
        raise UnreadableError("it is protected by a password")
    if len(pdf.pages) > limits.pages:
        raise UnreadableError(f"it has {len(pdf.pages):,} pages, more than the {limits.pages:,} that reading.pages allows")
    sections = tuple(_sections(pdf, limits))
    if not sections:
        raise UnreadableError("it holds no text: it is probably a scan")
    title = _title(pdf) or title
    return Reading(title, sections, language_of("\n".join((title, *(section.text for section in sections[:20])))))


def _sections(pdf: PdfReader, limits: Limits) -> Iterator[Section]:
    headings = _headings(pdf)
    size = broken = 0
    for number, page in enumerate(pdf.pages, start=1):
        text = _text(page)
        broken += text is None
        size += len(text or "")
        limits.check_text(size)
        if text:
            yield Section(text, headings.get(number, ()), number)
    if broken == len(pdf.pages):
        raise UnreadableError("it is damaged: none of its pages can be read")


def _text(page: PageObject) -> str | None:
    """The text of a page, its lines joined into paragraphs; None for a damaged page: the others may still be read."""
    try:
        text = clean(page.extract_text())
    except (MemoryError, LimitReachedError):
        raise
    except Exception:  # noqa: BLE001 -- as for the whole document
        return None
    return _WRAPPED.sub(" ", _HYPHENATED.sub("", text))


def _headings(pdf: PdfReader) -> dict[int, tuple[str, ...]]:
    """The bookmark under which each page stands, as a path; a page where several begin gets what their paths share."""
    begun: dict[int, list[tuple[str, ...]]] = {}
    try:
        for path, number in itertools.islice(_bookmarks(pdf, pdf.outline, ()), _BOOKMARKS):
            begun.setdefault(number, []).append(path)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 -- a document with damaged bookmarks is read without them
        return {}
    headings: dict[int, tuple[str, ...]] = {}
    last: tuple[str, ...] = ()
    for number in range(1, len(pdf.pages) + 1):
        paths = begun.get(number, [last])
        headings[number] = shared_path(paths)
        last = paths[-1]
    return headings


def _bookmarks(pdf: PdfReader, outline: Sequence[Any], above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], int]]:
    """Each bookmark as its path and its page. pypdf gives a bookmark's children as the list after it."""
    path = above
    for item in outline:
        if isinstance(item, list):
            if len(above) < _DEPTH:
                yield from _bookmarks(pdf, item, path)
            continue
        path = (*above, clean(item.title or "")[:_HEADING_CHARS])
        number = pdf.get_destination_page_number(item)
        if number is not None and path[-1]:
            yield path, number + 1


def _title(pdf: PdfReader) -> str:
    """The title its author gave, unless a program wrote its own there."""
    try:
        title = clean(str(pdf.metadata.title or "")) if pdf.metadata else ""
    except Exception:  # noqa: BLE001 -- damaged metadata are none
        return ""
    return "" if _NO_TITLE.search(title) else " ".join(title.split())[:_TITLE_CHARS]
