"""Files that come with a question: refused before their download, or read like documents and kept for that conversation alone."""

from __future__ import annotations

import asyncio
import base64
import os
import secrets
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Protocol

import orjson
from sqlalchemy import bindparam, delete, insert, select

from adapters.types import FetchError
from bot.tables import attached, conversations
from knowledge.attached import ATTACHED
from knowledge.errors import UnreadableError
from knowledge.readers import SUFFIXES
from knowledge.types import Passage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    from adapters.types import Attachment
    from bot.live import Received
    from knowledge.library import Library
    from knowledge.types import Sql

IMAGES = frozenset({".png", ".jpg", ".jpeg", ".webp"})
_VOICES = frozenset({".oga", ".ogg", ".opus", ".mp3", ".m4a", ".wav", ".mp4", ".mov", ".webm"})
_MOST = 5
"""Files with one question."""
_NAME = 80
_PIECES = 2000
"""Pieces of one file; of a conversation, those of its newest files that hold no more together."""

_HAS = select(attached.c.id).where(attached.c.inbox_id == bindparam("of")).limit(1)
_PIECES_OF = (
    select(attached)
    .join(conversations, conversations.c.id == attached.c.conversation_id)
    .where(attached.c.conversation_id == bindparam("conversation"), conversations.c.person_id == bindparam("person"))
    .order_by(attached.c.inbox_id.desc(), attached.c.id)
    .limit(_PIECES)
)
_DROP = delete(attached).where(attached.c.conversation_id == bindparam("conversation"))


class Fetcher(Protocol):
    """The part of a platform that downloads."""

    async def fetch(self, attachment: Attachment, limit_bytes: int) -> bytes:
        """The bytes of a file. Raises `FetchError` when it cannot be had, or is larger."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a file is not taken: the key of a sentence, and the name of the file."""

    sentence: str
    name: str
    reason: str = ""


def refused(files: Sequence[Attachment], most_mb: float) -> Refused | None:
    """What can be said of files before anything of them is downloaded; None when they may be tried."""
    if len(files) > _MOST:
        return Refused("attachment_many", files[_MOST].name)
    for one in files:
        kind = (one.media_type or "").partition("/")[0]
        suffix = PurePath(one.name).suffix.lower()
        if kind in {"audio", "video"} or suffix in _VOICES:
            return Refused("attachment_voice", one.name)
        if suffix not in SUFFIXES | IMAGES:
            return Refused("attachment_kind", one.name)
        if one.size > most_mb * 1_000_000:
            return Refused("attachment_size", one.name)
    return None


def quoted(name: str) -> str:
    """The name of a file in a sentence: short, and as code, so that nothing in it is a link or calls anybody."""
    words = " ".join(name.replace("`", "'").split()) or "…"
    return f"`{words if len(words) <= _NAME else words[: _NAME - 1] + '…'}`"


def is_image(one: Attachment) -> bool:
    """Whether a file is a picture."""
    return PurePath(one.name).suffix.lower() in IMAGES


class Attachments:
    """The attached files of all conversations. `folder` holds a file while it is read."""

    def __init__(self, sql: Sql, doors: Mapping[str, Fetcher], folder: Path, *, most_mb: float = 20) -> None:
        self._sql = sql
        self._doors = doors
        self._folder = folder
        self._most = int(most_mb * 1_000_000)

    async def take(self, received: Received, library: Library) -> Refused | None:
        """Read the files of a message, once, however often it is tried; the first that cannot be read refuses them all."""
        files = [one for one in received.message.attachments if not is_image(one)]
        if not files or await self._sql.read(lambda connection: bool(connection.execute(_HAS, {"of": received.id}).first())):
            return None
        pieces: list[Passage] = []
        for one in files:
            try:
                pieces += await self._read(received, one, library)
            except (UnreadableError, FetchError) as error:
                return Refused("attachment_unreadable", one.name, str(error))
        if len(pieces) > _PIECES:
            return Refused("attachment_long", files[0].name)
        await self._sql.write(lambda connection: _store(connection, received, pieces))
        return None

    async def pieces(self, person_id: int, conversation_id: int) -> tuple[Passage, ...]:
        """The pieces of the files of a conversation, the newest file first."""
        key = {"person": person_id, "conversation": conversation_id}
        rows = await self._sql.read(lambda connection: connection.execute(_PIECES_OF, key).all())
        return tuple(
            Passage(0, 0, ATTACHED, row.name, row.name, tuple(orjson.loads(row.headings)), row.page, None, row.text, 1.0)
            for row in rows
        )

    async def images(self, received: Received) -> tuple[str, ...]:
        """The pictures of a message in base64. Raises `FetchError`."""
        pictures = [one for one in received.message.attachments if is_image(one)]
        return tuple([base64.b64encode(await self._fetch(received, one)).decode() for one in pictures])

    async def drop(self, conversation_id: int) -> None:
        """Forget the files of a conversation: it begins anew."""
        await self._sql.write(lambda connection: connection.execute(_DROP, {"conversation": conversation_id}))

    async def _fetch(self, received: Received, one: Attachment) -> bytes:
        return await self._doors[received.message.platform].fetch(one, self._most)

    async def _read(self, received: Received, one: Attachment, library: Library) -> list[Passage]:
        content = await self._fetch(received, one)
        path = self._folder / f"{secrets.token_hex(8)}{PurePath(one.name).suffix.lower()}"
        writing = asyncio.create_task(asyncio.to_thread(_write, path, content), name="write an attachment")
        try:
            await asyncio.shield(writing)
            pieces = await library.read(path, one.name)
        finally:
            await asyncio.wait({writing})  # who stops the answer does not stop the thread
            await asyncio.to_thread(path.unlink, missing_ok=True)
        if not pieces:
            raise UnreadableError("it holds no text")
        return pieces


def clear(folder: Path) -> None:
    """Make the folder, and remove what a killed process left in it."""
    folder.mkdir(mode=0o700, exist_ok=True)
    for left in folder.iterdir():
        left.unlink()


def _write(path: Path, content: bytes) -> None:
    with open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:  # noqa: PTH123 -- a descriptor
        file.write(content)


def _store(connection: Connection, received: Received, pieces: Sequence[Passage]) -> None:
    place = {"inbox_id": received.id, "conversation_id": received.conversation_id}
    rows = [
        {
            **place,
            "name": one.document,
            "ordinal": n,
            "headings": orjson.dumps(one.headings).decode(),
            "page": one.page,
            "text": one.text,
        }
        for n, one in enumerate(pieces)
    ]
    connection.execute(insert(attached), rows)
