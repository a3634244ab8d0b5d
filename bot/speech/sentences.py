"""What Grillon says in a chat: its sentences, in the language of whoever reads them."""

from __future__ import annotations

import io
import re
from functools import cache
from gettext import GNUTranslations
from pathlib import Path
from typing import Literal

from bot.speech.english import SENTENCES

Language = Literal["en", "fr"]
_BEFORE_MARK = re.compile(r" (?=[:;!?»])|(?<=«) ")
LANGUAGES: tuple[Language, ...] = ("en", "fr")


def say(key: str, language: Language, **blanks: object) -> str:
    """The sentence `key` in `language`, with its blanks filled; a whole number `count` decides between singular and plural.

    Raises `KeyError` for a sentence that does not exist, and for a blank that is not filled.
    """
    english = SENTENCES[key]
    if isinstance(english, str):
        return translated(key, english, language).format(**blanks)
    one, many = english
    count = blanks["count"]
    assert isinstance(count, int)
    if language == "en":
        return (one if count == 1 else many).format(**blanks)
    return _catalogue(language).npgettext(key, one, many, count).format(**blanks)


def translated(context: str, english: str, language: Language) -> str:
    """What `english` is in `language`, where it stands in this context."""
    return english if language == "en" else _catalogue(language).pgettext(context, english)


def keys() -> frozenset[str]:
    """The names of all sentences."""
    return frozenset(SENTENCES)


def prepare() -> None:
    """Read the catalogues now, in a thread: the first French sentence would take 75 ms with that."""
    for language in LANGUAGES[1:]:
        _catalogue(language)


def as_language(text: str | None) -> Language | None:
    """The language of a locale such as `fr-CA`, None when it is neither French nor English."""
    start = (text or "")[:2].lower()
    if start == "fr":
        return "fr"
    return "en" if start == "en" else None


def _typeset(text: str) -> str:
    """French marks stay on the line of their word: no-break spaces, which translators need not see to type."""
    return _BEFORE_MARK.sub("\N{NO-BREAK SPACE}", text)


@cache
def _catalogue(language: Language) -> GNUTranslations:
    """A translation, compiled in memory: what is committed is the text that translators write."""
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    path = Path(__file__).parent / "locales" / language / "LC_MESSAGES" / "grillon.po"
    compiled = io.BytesIO()
    with path.open("rb") as file:
        catalogue = read_po(file, locale=language)
    for entry in catalogue:
        forms = entry.string or ""
        entry.string = _typeset(forms) if isinstance(forms, str) else tuple(map(_typeset, forms))
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return GNUTranslations(compiled)
