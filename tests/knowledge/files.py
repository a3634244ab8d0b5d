"""Files to read, made for a test: PDFs of every kind, plain and broken."""

from __future__ import annotations

import io
import zlib
from typing import TYPE_CHECKING

from pypdf import PdfReader, PdfWriter
from reportlab.pdfgen.canvas import Canvas

if TYPE_CHECKING:
    from collections.abc import Sequence


def pdf(pages: Sequence[str], *, title: str | None = None, bookmarks: Sequence[tuple[str, int, int]] = ()) -> bytes:
    """A PDF with these pages, one line of text for each of theirs. A bookmark is its name, its level and its page, from 0."""
    out = io.BytesIO()
    canvas = Canvas(out, invariant=1)
    if title is not None:
        canvas.setTitle(title)
    for number, page in enumerate(pages):
        for name, level, on in bookmarks:
            if on == number:
                canvas.bookmarkPage(name)
                canvas.addOutlineEntry(name, name, level)
        for line, text in enumerate(page.splitlines()):
            canvas.drawString(72, 780 - 14 * line, text)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def encrypted(content: bytes, password: str, algorithm: str = "AES-256") -> bytes:
    """The same PDF under a password; an empty one only forbids what readers are asked not to do."""
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(content)))
    writer.encrypt(password, owner_password="owner", algorithm=algorithm)
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def bomb(operators: bytes, times: int) -> bytes:
    """A PDF of one page whose content is `operators`, many times over: small on disk, huge unpacked."""
    packer = zlib.compressobj(9)
    block = operators * 10_000
    stream = b"".join(packer.compress(block) for _ in range(times // 10_000)) + packer.flush()
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>",
        b"<</Length %d/Filter/FlateDecode>>stream\n%b\nendstream" % (len(stream), stream),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    out, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj%b endobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return out + b"xref\n0 6\n0000000000 65535 f \n%btrailer<</Size 6/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (table, len(out))
