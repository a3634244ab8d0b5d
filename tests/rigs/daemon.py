"""The daemon as a person runs it: a subprocess, told what to do by a settings file alone, killed and started again at will."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Self

import aiohttp

START_S = 30.0
_SOCKET_PATH = 107


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Daemon:
    """`grillon run` in a folder of its own. `settings` are lines of TOML put after those that every test needs."""

    def __init__(self, folder: Path, ollama: str, collections: dict[str, Path], *, settings: str = "", model: str = "") -> None:
        self.folder = folder
        self.state = folder / "state"
        self.port = free_port()
        self.config = folder / "grillon.toml"
        self.log = folder / "daemon.log"
        self.process: asyncio.subprocess.Process | None = None
        self.token = ""
        self.deaths: list[float] = []
        """When it was seen to have ended, by `time.monotonic`."""
        # Linux takes 107 bytes for a socket's path: where the folder of a test is too long for it, the socket lies elsewhere.
        too_long = len(f"{self.state}/grillon.sock") > _SOCKET_PATH
        self._runtime = Path(tempfile.mkdtemp(prefix="grillon-")) if too_long else None
        tables = [
            f'state = "{self.state}"',
            f"[http]\nport = {self.port}\nevents_s = 2",
            f'[model]\naddress = "{ollama}"\nname = "smollm2:135m"\ncontext_window = 4096\nanswer_tokens = 256\n{model}',
            f'[embedding]\naddress = "{ollama}"\nname = "all-minilm"\nwindow = 256',
            *(
                f'[[collections]]\nname = "{name}"\nfolder = "{path}"\nreaders = ["everyone"]'
                for name, path in collections.items()
            ),
            settings,
        ]
        folder.mkdir(exist_ok=True)
        self.config.write_text("\n".join(tables), encoding="utf-8")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self, failpoint: str = "", *, wait: bool = True, indexed: bool = False, **environment: str) -> Self:
        """Start it and wait until it answers; with `indexed`, until the library is loaded and the collections are read."""
        env = {**self._environment, "GRILLON_FAILPOINT": failpoint, "PYTHONUNBUFFERED": "1", **environment}
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "bot.command_line", "--config", str(self.config), "run", stdout=log, stderr=log, env=env
            )
        if wait:
            await self.until_alive()
        if indexed:
            if not self.token:
                self.token = await self.create_token("test")
            await self.until_indexed()
        return self

    async def until_alive(self) -> None:
        async with asyncio.timeout(START_S), aiohttp.ClientSession() as session:
            while True:
                if self.process is None or self.process.returncode is not None:
                    raise RuntimeError(f"the daemon ended at its start:\n{self.tail()}")
                with contextlib.suppress(aiohttp.ClientError):
                    async with session.get(f"{self.url}/healthz") as response:
                        if response.status == 200:
                            return
                await asyncio.sleep(0.05)

    async def until_indexed(self) -> None:
        """Wait until every collection has a report."""
        async with asyncio.timeout(120), aiohttp.ClientSession(headers=self.headers) as session:
            while True:
                async with session.get(f"{self.url}/status") as response:
                    found = (await response.json()).get("collections") or []
                if found and all(one["reported_at"] for one in found):
                    return
                await asyncio.sleep(0.1)

    @property
    def _environment(self) -> dict[str, str]:
        lifted = {"GRILLON_LIMITS__PERSON_MINUTE_HTTP": "0", **os.environ}  # few people ask here, for many
        return {**lifted, "RUNTIME_DIRECTORY": str(self._runtime)} if self._runtime else lifted

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    async def verb(self, *words: str, stdin: bytes = b"") -> tuple[int, str, str]:
        """Run another verb of the command line against this daemon: exit code, output, errors."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot.command_line", "--config", str(self.config), *words,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=self._environment,
        )  # fmt: skip
        out, err = await asyncio.wait_for(process.communicate(stdin), 60)
        return process.returncode or 0, out.decode(), err.decode()

    async def create_token(self, name: str, *words: str) -> str:
        code, out, err = await self.verb("token", "create", name, *words)
        if code:
            raise RuntimeError(f"no token: {err}")
        return next(word for word in out.split() if word.startswith("grn_"))

    async def ask(
        self, session: aiohttp.ClientSession, question: str, *, key: str = "", **body: Any
    ) -> tuple[int, dict[str, Any]]:
        """`POST /ask`, with the token of this daemon."""
        headers = {**self.headers, **({"Idempotency-Key": key} if key else {})}
        async with session.post(f"{self.url}/ask", json={"question": question, **body}, headers=headers) as response:
            return response.status, json.loads(await response.read())

    async def died(self) -> int:
        """Wait for its end; its exit code (negative: the signal)."""
        assert self.process is not None
        code = await self.process.wait()
        self.deaths.append(time.monotonic())
        return code

    async def kill(self) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.died()

    async def stop(self) -> int:
        """SIGTERM, as systemd does; its exit code."""
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        return await asyncio.wait_for(self.process.wait(), 60)

    def tail(self, lines: int = 30) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.exists() else ""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.kill()
        if self._runtime is not None:
            shutil.rmtree(self._runtime, ignore_errors=True)
