"""The order of the suite: random, but what drives whole daemons begins first, so that two processes end at the same time."""

from __future__ import annotations

import pytest

_LONG = {"crash", "e2e"}


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.parent.name not in _LONG)
