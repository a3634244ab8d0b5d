"""The pieces of one message: a paste that the client split, or an album. They are held for a moment, then are one message.

Nothing is told to the platform meanwhile: what is held here and lost in a crash is delivered again.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from adapters.telegram.updates import Piece
    from adapters.types import Message

LONGEST = 4096
"""UTF-16 units of a message."""
_LONG = LONGEST // 2
"""A client splits a paste at the best place in the second half of what fits."""
_QUICK_S = 2
"""The pieces of a paste are sent by a program, one right behind the other."""


@dataclass(slots=True)
class Bundle:
    """The pieces that came so far, with the numbers of their updates. `due` is in seconds of the monotonic clock."""

    pieces: list[Piece]
    updates: list[int]
    due: float = 0.0
    closed: bool = field(default=False)

    @property
    def heard(self) -> bool:
        """Whether any of them speaks to us: then all do."""
        return any(piece.heard for piece in self.pieces)

    def message(self) -> Message:
        """All pieces as one message: the id is the first one's."""
        pieces = sorted(self.pieces, key=lambda piece: int(piece.message.options["message_id"]))
        first = pieces[0].message
        text = _joined(pieces)
        if pieces[0].forwarded and text:
            text = f"/ask {text}"  # somebody else's words are a question, never a command
        if len(pieces) == 1:
            return replace(first, text=text)
        ids = [piece.message.options["message_id"] for piece in pieces]
        return replace(
            first,
            text=text,
            attachments=tuple(file for piece in pieces for file in piece.message.attachments),
            reply_to=next((piece.message.reply_to for piece in pieces if piece.message.reply_to), None),
            options={**first.options, "pieces": ids},
        )

    def takes(self, piece: Piece) -> bool:
        """Whether a piece of the same person in the same place belongs here."""
        last = self.pieces[-1]
        if last.album is not None or piece.album is not None:
            return last.album == piece.album
        starts_anew = piece.message.attachments or piece.message.text.startswith("/")
        return last.units >= _LONG and not starts_anew and piece.date - last.date <= _QUICK_S


class Gather:
    """What is held now: at most one bundle of each person in each place."""

    def __init__(self, wait_s: float) -> None:
        self._wait_s = wait_s
        self._open: dict[tuple[str, str | None, str], Bundle] = {}

    def held(self) -> list[Bundle]:
        """All bundles, the longest held first."""
        return list(self._open.values())

    def holding(self, message_id: str) -> Bundle | None:
        """The bundle that holds a message."""
        return next((one for one in self._open.values() if any(piece.message.id == message_id for piece in one.pieces)), None)

    def before(self, piece: Piece) -> Bundle | None:
        """The bundle that a piece does not belong to and must come after: it is held no longer."""
        bundle = self._open.get(_key(piece))
        if bundle is None or bundle.takes(piece):
            return None
        return self.release(bundle)

    def add(self, piece: Piece, update: int) -> Bundle:
        """Put a piece where it belongs. `closed` says that no more can follow."""
        bundle = self._open.setdefault(_key(piece), Bundle([], []))
        bundle.pieces.append(piece)
        bundle.updates.append(update)
        bundle.due = time.monotonic() + self._wait_s
        bundle.closed = self._wait_s == 0 or not (piece.album is not None or piece.units >= _LONG)
        return bundle

    def release(self, bundle: Bundle) -> Bundle:
        """Hold a bundle no longer."""
        for key, held in list(self._open.items()):
            if held is bundle:
                del self._open[key]
        return bundle


def _key(piece: Piece) -> tuple[str, str | None, str]:
    return piece.message.chat, piece.message.thread, piece.message.sender


def _joined(pieces: list[Piece]) -> str:
    """A full piece was cut where it was full; a shorter one at a line or a space, which the platform trimmed."""
    text = ""
    for before, piece in zip([None, *pieces], pieces, strict=False):
        glue = "" if before is None or before.units >= LONGEST or not text or not piece.message.text else "\n"
        text += glue + piece.message.text
    return text
