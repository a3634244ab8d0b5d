"""The order of the suite: random, but what takes longest begins first, so that two processes end at the same time."""

from __future__ import annotations

import pytest

_LONGEST = ("crash/test_platforms.py", "knowledge/test_index_truth.py", "crash/test_kill.py")
"""In their full size; the longest first."""
_LONG = {"crash", "e2e"}
"""Folders of tests that drive whole daemons."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=_place)


def _place(item: pytest.Item) -> int:
    folder, name = item.path.parent.name, item.path.name
    longest = f"{folder}/{name}"
    return _LONGEST.index(longest) if longest in _LONGEST else len(_LONGEST) + (folder not in _LONG)
