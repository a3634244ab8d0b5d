"""PDF: the text of each page, cut where its bookmarks begin, which are its headings."""

from __future__ import annotations

import io
import itertools
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pypdf import PdfReader
from pypdf.errors import FileNotDecryptedError, LimitReachedError

from knowledge.errors import UnreadableError
from knowledge.language import language_of
from knowledge.readers.limits import Limits, bytes_of, title_of
from knowledge.readers.outline import Outline, shared_path
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
_TITLE_LINES = 3
_HYPHENATED = re.compile(r"(?<=[a-zà-öø-ÿ])-\n(?=[a-zà-öø-ÿ])")
_WRAPPED = re.compile(r"(?<![.:;!?\n])\n(?=[a-zà-öø-ÿ(«])")
_NO_TITLE = re.compile(
    r"^(?:untitled|sans titre|document ?\d*)$|microsoft|\.(?:docx?|odt|indd|tex|pdf|xlsx?|pptx?)$", re.IGNORECASE
)


def read(path: Path, limits: Limits) -> Reading:
    """Read a PDF: one section for each bookmark and page. Raises `UnreadableError`, also for a scan, which holds no text."""
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
    sections = tuple(replace(section, text=_joined(section.text)) for section in _sections(pdf, limits))
    if not sections:
        raise UnreadableError("it holds no text: it is probably a scan")
    title = _title(pdf) or title
    return Reading(title, sections, language_of("\n".join((title, *(section.text for section in sections[:20])))))


def _sections(pdf: PdfReader, limits: Limits) -> tuple[Section, ...]:
    bookmarks = _bookmarks(pdf)
    outline = Outline()
    size = broken = 0
    for number, page in enumerate(pdf.pages, start=1):
        text = _text(page)
        broken += text is None
        size += len(text or "")
        limits.check_text(size)
        outline.turn(number)
        _add(outline, (text or "").split("\n"), bookmarks.get(number, []))
    if broken == len(pdf.pages):
        raise UnreadableError("it is damaged: none of its pages can be read")
    return outline.sections()


def _add(outline: Outline, lines: list[str], paths: list[tuple[str, ...]]) -> None:
    """Add a page. Bookmarks give no place on it that could be trusted, but their titles mostly stand there as lines."""
    places = _places(lines, paths)
    if len(places) < len(paths):
        outline.stand(shared_path(paths), said=True)
        for line in lines:
            outline.add(line)
        outline.stand(paths[-1], said=True)
        return
    start = 0
    for first, last, path in places:
        for line in lines[start:first]:
            outline.add(line)
        outline.stand(path, said=False)
        start = last
    for line in lines[start:]:
        outline.add(line)


def _places(lines: list[str], paths: list[tuple[str, ...]]) -> list[tuple[int, int, tuple[str, ...]]]:
    """The lines, from the first to before the last, that are the title of each bookmark; as far as they are found, in order."""
    places: list[tuple[int, int, tuple[str, ...]]] = []
    start = 0
    for path in paths:
        title = path[-1].split()
        spans = ((first, last) for first in range(start, len(lines)) for last in range(first + 1, first + 1 + _TITLE_LINES))
        found = next((span for span in spans if " ".join(lines[span[0] : span[1]]).split() == title), None)
        if found is None:
            break
        places.append((*found, path))
        start = found[1]
    return places


def _joined(text: str) -> str:
    """The lines of a page as paragraphs, words that were cut at a line's end whole again."""
    return _WRAPPED.sub(" ", _HYPHENATED.sub("", text))


def _text(page: PageObject) -> str | None:
    """The text of a page; None for a damaged page: the others may still be read."""
    try:
        return clean(page.extract_text())
    except (MemoryError, LimitReachedError):
        raise
    except Exception:  # noqa: BLE001 -- as for the whole document
        return None


def _bookmarks(pdf: PdfReader) -> dict[int, list[tuple[str, ...]]]:
    """The bookmarks that begin on each page, as paths."""
    begun: dict[int, list[tuple[str, ...]]] = {}
    try:
        for path, number in itertools.islice(_paths(pdf, pdf.outline, ()), _BOOKMARKS):
            begun.setdefault(number, []).append(path)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 -- a document with damaged bookmarks is read without them
        return {}
    return begun


def _paths(pdf: PdfReader, outline: Sequence[Any], above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], int]]:
    """Each bookmark as its path and its page. pypdf gives a bookmark's children as the list after it."""
    path = above
    for item in outline:
        if isinstance(item, list):
            if len(above) < _DEPTH:
                yield from _paths(pdf, item, path)
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
