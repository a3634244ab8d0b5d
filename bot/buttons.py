"""Buttons under replies: their codes say which answer and what to do, cannot be guessed, and serve one person alone.

A code carries a message authentication code over all it says and over the person, with a key of this database: nothing is stored
for it, it works after a restart, and it is worthless once the message it speaks of is erased or out of date.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from sqlalchemy import select

from adapters.types import Button
from bot.replies import named
from bot.speech.sentences import as_language, say
from bot.tables import meta

if TYPE_CHECKING:
    from collections.abc import Iterator

    from adapters.types import Reply
    from bot.inbox_rows import Pending
    from bot.speech.sentences import Language
    from knowledge.types import Sql

Action = Literal["source", "like", "dislike", "retry", "stop"]

_SOURCES = 10
_LABEL = 60
_LETTERS: dict[str, Action] = {"s": "source", "l": "like", "d": "dislike", "r": "retry", "x": "stop"}
_OF: dict[Action, str] = {action: letter for letter, action in _LETTERS.items()}
_CODE = re.compile(r"(\d{1,18})-([sldrx])(\d{0,3})-([A-Za-z0-9_-]{16})")


@dataclass(frozen=True, slots=True)
class Meant:
    """What a code says: the answer to message `inbox_id`, and what to do; `n` is the number of a source."""

    inbox_id: int
    action: Action
    n: int = 0


class Buttons:
    """Makes the codes of one database, and reads them."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    @classmethod
    async def of(cls, sql: Sql) -> Buttons:
        """With the key of this database."""
        statement = select(meta.c.value).where(meta.c.key == "buttons")
        return cls(bytes.fromhex(await sql.read(lambda connection: connection.execute(statement).scalar_one())))

    def code(self, meant: Meant, person_id: int) -> str:
        """The code that lets this person, and nobody else, do that."""
        said = f"{meant.inbox_id}-{_OF[meant.action]}{meant.n or ''}"
        return f"{said}-{self._seal(said, person_id)}"

    def read(self, code: str, person_id: int) -> Meant | None:
        """What a code says, None for one that was made up, or made for somebody else."""
        match = _CODE.fullmatch(code)
        if match is None:
            return None
        said, seal = code[: match.start(4) - 1], match[4]
        if not hmac.compare_digest(self._seal(said, person_id), seal):
            return None
        return Meant(int(match[1]), _LETTERS[match[2]], int(match[3] or 0))

    def dressed(self, pending: Pending, reply: Reply) -> Reply:
        """A reply with the buttons that its reader can use."""
        language = as_language(reply.language) or "en"
        return replace(reply, buttons=tuple(self._under(pending, reply, language)))

    def stop(self, pending: Pending, language: Language) -> Button:
        """The button that stops an answer while it is written."""
        return self._button(pending, Meant(pending.id, "stop"), say("button_stop", language))

    def _under(self, pending: Pending, reply: Reply, language: Language) -> Iterator[Button]:
        for source in (*reply.citations, *reply.consulted, *reply.nearest)[:_SOURCES]:
            label = f"[{source.n}] {named(source)}"
            shown = label if len(label) <= _LABEL else f"{label[: _LABEL - 1]}…"
            yield self._button(pending, Meant(pending.id, "source", source.n), shown)
        if reply.model and not reply.error:
            yield self._button(pending, Meant(pending.id, "like"), "👍")
            yield self._button(pending, Meant(pending.id, "dislike"), "👎")
        if reply.model or reply.error:
            yield self._button(pending, Meant(pending.id, "retry"), say("button_retry", language))

    def _button(self, pending: Pending, meant: Meant, label: str) -> Button:
        return Button(meant.action, label, self.code(meant, pending.person.id))

    def _seal(self, said: str, person_id: int) -> str:
        digest = hmac.digest(self._key, f"{said} {person_id}".encode(), hashlib.sha256)
        return urlsafe_b64encode(digest[:12]).decode()
