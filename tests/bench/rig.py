"""The Ollama stand-in in a process of its own, so that what it costs is not counted as anybody else's."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any, Self

import aiohttp


class Rig:
    """`python -m tests.rigs.ollama`, told what to do over its control routes."""

    def __init__(self, **script: Any) -> None:
        self.address = ""
        self._script = script
        self._process: asyncio.subprocess.Process | None = None
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        command = (sys.executable, "-m", "tests.rigs.ollama", "--port", "0", "--script", json.dumps(self._script))
        self._process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        assert self._process.stdout is not None
        self.address = json.loads(await self._process.stdout.readline())["address"]
        self._session = aiohttp.ClientSession()
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._session is not None
        assert self._process is not None
        await self._session.close()
        self._process.kill()
        await self._process.wait()

    async def set(self, **script: Any) -> None:
        """Change its behaviour from the next request on."""
        await self._call("POST", "/_rig/script", script)

    async def reset(self, record: int = 20_000) -> None:
        """Forget what happened, and all models in memory; remember that many prompts from now on."""
        await self.set(record=record)
        await self._call("POST", "/_rig/reset")

    async def prompts(self) -> list[dict[str, Any]]:
        """Every prompt since the last reset."""
        found: list[dict[str, Any]] = await self._call("GET", "/_rig/prompts")
        return found

    async def counters(self) -> dict[str, Any]:
        """What happened since the last reset."""
        found: dict[str, Any] = await self._call("GET", "/_rig/counters")
        return found

    async def _call(self, method: str, path: str, body: object = None) -> Any:
        assert self._session is not None
        async with self._session.request(method, self.address + path, json=body) as response:
            assert response.status == 200, await response.text()
            return json.loads(await response.read() or b"null")
