"""What the benches of the running daemon share: a corpus, the stand-in, and a daemon that has indexed the one with the other."""

from __future__ import annotations

import asyncio
import random
import re
import time
from contextlib import AsyncExitStack, asynccontextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import aiohttp
import orjson

from tests.bench.corpus import rare_words, write_corpus
from tests.bench.rig import Rig
from tests.rigs.daemon import Daemon

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

CHUNKS = 10_000
SLOTS = 50
_ASKED = 7
_CUT = 500
"""Characters: a longer section may be cut in two chunks, neither of which answers."""


class Household:
    """The corpus in `folder`, a stand-in in its own process, and a daemon over both, which is started and stopped at will."""

    def __init__(self, folder: Path, *, chunks: int = CHUNKS, settings: str = "") -> None:
        self.folder = folder
        self.corpus = folder / "corpus"
        self.rig = Rig(prefix=False, slots=SLOTS)
        self._chunks = chunks
        self._settings = settings
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self.rig)
        if not self.corpus.exists():
            await asyncio.to_thread(write_corpus, self.corpus, self._chunks)
        daemon = Daemon(
            self.folder / "daemon",
            self.rig.address,
            {"corpus": self.corpus},
            model=f"slots = {SLOTS}",
            settings=f"[daemon]\nstall_s = 0.005\n{self._settings}",
        )
        self.daemon = await self._stack.enter_async_context(daemon)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[aiohttp.ClientSession]:
        """The daemon, loaded and indexed, with a session that has its token; stopped in the end."""
        await self.daemon.start()
        if not self.daemon.token:
            self.daemon.token = await self.daemon.create_token(f"bench-{time.time_ns()}")
        await self.daemon.until_indexed()
        async with self.session() as session:
            yield session
        await self.daemon.stop()

    def session(self) -> aiohttp.ClientSession:
        """Connections to the running daemon, as many as are asked for, with its token."""
        return aiohttp.ClientSession(headers=self.daemon.headers, connector=aiohttp.TCPConnector(limit=0))

    def questions(self, seed: int = 3) -> Iterator[str]:
        """Questions that stand alone, each in the words of one section of the corpus; hardly any two alike."""
        chance = random.Random(seed)
        while True:
            yield f"What do the documents say of {' '.join(chance.sample(chance.choice(self._sections), _ASKED))}?"

    @cached_property
    def _sections(self) -> list[list[str]]:
        """The rare words of the sections of the corpus."""
        rare = rare_words()
        texts = (path.read_text(encoding="utf-8") for path in sorted(self.corpus.glob("*.md")))
        sections = (
            section for text in texts for section in re.findall(r"^[A-Z][^#]+$", text, re.MULTILINE) if len(section) < _CUT
        )
        found = ([word for word in section.replace(".", "").lower().split() if word in rare] for section in sections)
        return [section for section in found if len(section) >= _ASKED]

    async def metrics(self, session: aiohttp.ClientSession) -> str:
        """The page of metrics."""
        async with session.get(f"{self.daemon.url}/metrics") as response:
            assert response.status == 200
            return await response.text()

    async def status(self, session: aiohttp.ClientSession) -> dict[str, Any]:
        """What the daemon says of its one collection."""
        async with session.get(f"{self.daemon.url}/status") as response:
            found: dict[str, Any] = orjson.loads(await response.read())["collections"][0]
            return found
