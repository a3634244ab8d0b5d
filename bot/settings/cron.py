"""Cron lines as crontab(5) has them: five fields of numbers, names, ranges and steps. A week begins on Sunday, which is 0 and 7.

The scheduler gives the days of the week other numbers (0 is its Monday): here they become names, which mean the same everywhere.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_ITEM = re.compile(r"(?:\*|([0-9]{1,2}|[a-z]{3})(?:-([0-9]{1,2}|[a-z]{3}))?)(?:/([0-9]{1,2}))?", re.IGNORECASE)
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_SUNDAY_AFTER = 7


class CronFields(NamedTuple):
    """Each field as `*`, or as a list of all its values."""

    minute: str
    hour: str
    day: str
    month: str
    day_of_week: str


class _Field(NamedTuple):
    """What a field may hold; `names` stand for the numbers from `first` on."""

    about: str
    first: int
    last: int
    names: tuple[str, ...] = ()

    def listed(self, text: str) -> str:
        """All values of a field. Raises `ValueError`."""
        if text == "*":
            return text
        values = sorted({value for item in text.split(",") for value in self._values(item)})
        return ",".join(dict.fromkeys(_DAYS[value % 7] if self.names == _DAYS else str(value) for value in values))

    def _values(self, item: str) -> range:
        match = _ITEM.fullmatch(item)
        if match is None:
            raise self._wrong(item)
        low, high, step = match.groups()
        first = self._number(low, item) if low else self.first
        last = self._number(high, item) if high else first if low and not step else self.last
        if self.names == _DAYS and last == 0 < first:
            last = _SUNDAY_AFTER  # as in sat-sun
        if first > last or (step and not 1 <= int(step) <= self.last - self.first):
            raise self._wrong(item)
        return range(first, last + 1, int(step or 1))

    def _number(self, text: str, item: str) -> int:
        if text.lower() in self.names:
            return self.first + self.names.index(text.lower())
        if not text.isdigit() or not self.first <= int(text) <= self._highest:
            raise self._wrong(item)
        return int(text)

    @property
    def _highest(self) -> int:
        return _SUNDAY_AFTER if self.names == _DAYS else self.last

    def _wrong(self, item: str) -> ValueError:
        names = f", or {self.names[0]} to {self.names[-1]}" if self.names else ""
        return ValueError(f"{item!r} is no {self.about} ({self.first} to {self._highest}{names})")


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of the month", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of the week", 0, 6, _DAYS),
)


def cron_fields(line: str) -> CronFields:
    """What a cron line says. Raises `ValueError` with a sentence for a person."""
    parts = line.split()
    if len(parts) != len(_FIELDS):
        raise ValueError(f"a cron line has five fields: {', '.join(field.about for field in _FIELDS)}, as in `30 3 * * *`")
    return CronFields(*(field.listed(part) for field, part in zip(_FIELDS, parts, strict=True)))
