"""Baselines in processes of their own: the garbage that LlamaIndex makes must not be collected at the expense of others."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


async def apart(module: str, **job: Any) -> dict[str, Any]:
    """Run `python -m module`, hand it the job, and return what it says."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate(json.dumps(job).encode())
    assert process.returncode == 0, module
    said: dict[str, Any] = json.loads(out.splitlines()[-1])
    return said


def serve(work: Callable[..., dict[str, Any]]) -> None:
    """The other side: take the job, do it, say what came of it."""
    print(json.dumps(work(**json.load(sys.stdin))))
