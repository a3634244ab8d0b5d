"""The first stage of a run: files in, documents with their chunks out, or the reason why not."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from knowledge import versions
from knowledge.compare import UNTRUSTED, digest_of, settling_s, trusted
from knowledge.errors import UnreadableError
from knowledge.failpoints import failpoint
from knowledge.versions import Read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from knowledge.files import Stamp
    from knowledge.versions import Known
    from knowledge.work import Account, Work


class Intake:
    """Reads the files of one run."""

    def __init__(self, work: Work, account: Account) -> None:
        self._work = work
        self._account = account

    async def read_all(self, todo: Iterator[tuple[str, Stamp, Known | None]], read: asyncio.Queue[Read | None]) -> None:
        """Read all of `todo`; None ends it. Two at a time: one file is looked at while the other is being read."""

        async def reader() -> None:
            for path, stamp, known in todo:
                await self._work.pause()
                if self._account.stopped is not None:
                    self._account.not_embedded(path, self._account.stopped)
                elif (one := await self._read(path, stamp, known)) is not None:
                    failpoint("index.read")
                    await read.put(one)

        await asyncio.gather(reader(), reader())
        await read.put(None)

    async def _read(self, path: str, stamp: Stamp, known: Known | None) -> Read | None:
        work = self._work
        await asyncio.sleep(settling_s(stamp))
        try:
            if not await asyncio.to_thread(work.look.inside, path):
                self._account.skip(path, "it is a link that leaves the folder")
            elif known is not None and await asyncio.to_thread(self._same, path, stamp, known):
                await self._touch(path, stamp, known)
            else:
                reading, chunks = await work.reader.read(work.look.folder / path)
                if chunks:
                    digest, sealed = await asyncio.to_thread(self._sealed, path, stamp)
                    return Read(path, sealed, digest, known, reading, chunks)
                await self._refuse(path, stamp, known, "it holds no text")
        except UnreadableError as error:
            await self._refuse(path, stamp, known, error.reason)
        except OSError as error:
            self._account.skip(path, f"it cannot be read: {error.strerror}")
        return None

    def _same(self, path: str, stamp: Stamp, known: Known) -> bool:
        """Whether the bytes are those of the live version."""
        if known.recipe != self._work.recipe or known.digest is None or known.stamp.size not in {stamp.size, UNTRUSTED.size}:
            return False
        return digest_of(self._work.look, path) == known.digest

    def _sealed(self, path: str, stamp: Stamp) -> tuple[bytes | None, Stamp]:
        """Digest and stamp to remember of a file that has been read: none when it may have changed meanwhile."""
        digest = digest_of(self._work.look, path)
        return (digest, stamp) if trusted(self._work.look, path, stamp) else (None, UNTRUSTED)

    async def _touch(self, path: str, stamp: Stamp, known: Known) -> None:
        sure = await asyncio.to_thread(trusted, self._work.look, path, stamp)
        await self._work.sql.write(partial(versions.touch, known=known, stamp=stamp if sure else UNTRUSTED))
        self._account.report.unchanged += 1
        self._account.advance(path)

    async def _refuse(self, path: str, stamp: Stamp, known: Known | None, reason: str) -> None:
        sure = await asyncio.to_thread(trusted, self._work.look, path, stamp)
        refused = versions.Refused(path, known, stamp if sure else UNTRUSTED, reason)
        work = self._work
        await work.sql.write(partial(versions.refuse, collection=work.collection, recipe=work.recipe, refused=refused))
        self._account.skip(path, reason)
