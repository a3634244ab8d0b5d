"""Make the appliance manual of the demonstration's handbook: `python -m bot.demo.make_pdf`, after a change of `manual.txt`.

In the text `=` begins a chapter (a new page), `==` a section, `*` an item of a list; every other line is a paragraph. The same
text makes the same bytes.
"""

from __future__ import annotations

from pathlib import Path

from reportlab.lib.pagesizes import A5
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.platypus import Flowable, PageBreak, Paragraph, SimpleDocTemplate

_FOLDER = Path(__file__).parent
_SOURCE = _FOLDER / "manual.txt"
_TARGET = _FOLDER / "handbook" / "appareils-appliances.pdf"
_STYLES = {"=": "Heading1", "==": "Heading2", "*": "Bullet"}


class _Bookmark(Flowable):  # type: ignore[misc]  # reportlab has no types
    """Marks its place in the outline; takes no room."""

    def __init__(self, name: str, level: int) -> None:
        super().__init__()
        self._name = name
        self._level = level

    def wrap(self, *_: float) -> tuple[float, float]:
        """No room."""
        return 0, 0

    def draw(self) -> None:
        """Add the bookmark."""
        self.canv.bookmarkPage(self._name)
        self.canv.addOutlineEntry(self._name, self._name, self._level)


def story(text: str) -> list[Flowable]:
    """The manual as reportlab lays it out."""
    styles = getSampleStyleSheet()
    parts: list[Flowable] = []
    for line in text.splitlines():
        mark, _, words = line.partition(" ")
        style = _STYLES.get(mark)
        if style is None:
            parts.append(Paragraph(line, styles["BodyText"]))
            continue
        if mark == "=" and parts:
            parts.append(PageBreak())
        if mark != "*":
            parts.append(_Bookmark(words, len(mark) - 1))
        parts.append(Paragraph(words, styles[style], bulletText="-" if mark == "*" else None))
    return parts


def make(target: Path) -> None:
    """Write the PDF."""
    margins = dict.fromkeys(("leftMargin", "rightMargin", "topMargin", "bottomMargin"), 42)
    title = "Les appareils de la maison / Appliances of the house"
    document = SimpleDocTemplate(str(target), pagesize=A5, invariant=1, title=title, author="Grillon", **margins)
    document.build(story(_SOURCE.read_text(encoding="utf-8")))


if __name__ == "__main__":
    make(_TARGET)
