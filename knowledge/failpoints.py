"""Named points at which a test may kill the process, to prove that nothing is lost there.

`GRILLON_FAILPOINT=name` kills at the first arrival, `name:3` at the third; several are separated by commas. Without the
variable a failpoint costs one dictionary look-up.
"""

from __future__ import annotations

import os
import signal

_ENV = "GRILLON_FAILPOINT"


def _parse(text: str) -> dict[str, int]:
    armed = {}
    for item in filter(None, text.split(",")):
        name, _, count = item.partition(":")
        armed[name] = int(count or 1)
    return armed


_armed = _parse(os.environ.get(_ENV, ""))


def failpoint(name: str) -> None:
    """Kill this process with SIGKILL when a test has armed `name` and this is the arrival it asked for."""
    if name not in _armed:
        return
    _armed[name] -= 1
    if _armed[name] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
