"""The one way in, for polling and webhook: each update is taken by the host before the platform is told.

An update that fails is offered again; after five tries it is set aside, and what waits behind it goes on. Its tries are counted
in the ledger: while that cannot be written either (the disk is full), nothing is counted and nothing is set aside.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from adapters.telegram import updates as native
from adapters.telegram.gather import Bundle, Gather

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from adapters.telegram.addressed import Ear
    from adapters.types import Host, Ledger, Message, Pressed, Said

_TRIES = 5
_MOST_JOINED = 200
_AT_ONCE = 16
"""So many chats are received side by side."""

_log = logging.getLogger(__name__)


class Intake:
    """Takes updates. `say` tells what the host answers at once, `show` what a press brings; both return without waiting.

    `seen` is told each message before it is taken.
    """

    def __init__(
        self,
        host: Host,
        ledger: Ledger,
        ear: Ear,
        gather_s: float,
        *,
        say: Callable[[Message, Said], None],
        show: Callable[[native.Tap, Pressed], None],
        seen: Callable[[Message], None] = lambda _: None,
    ) -> None:
        self._host, self._ledger, self._ear = host, ledger, ear
        self._gather = Gather(gather_s)
        self._say, self._show, self._seen = say, show, seen
        self._tries: dict[int, int] = {}
        self._joined: dict[str, Bundle] = {}
        self._room = asyncio.Semaphore(_AT_ONCE)

    async def open(self) -> None:
        """Read what a former process had tried."""
        tries = await self._ledger.all("tries.")
        self._tries = {int(key.removeprefix("tries.")): int(value) for key, value in tries.items()}

    def due_s(self) -> float | None:
        """In how many seconds the next bundle is due, None when none is held."""
        dues = [bundle.due for bundle in self._gather.held()]
        return max(0.0, min(dues) - time.monotonic()) if dues else None

    async def batch(self, updates: Sequence[dict[str, Any]]) -> set[int]:
        """Take updates, those of one chat in their order, and return the numbers of those that are done with.

        The others are held, or failed, or wait behind one that did: they must be offered again.
        """
        chats: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        for update in updates:
            chats[native.chat_of(update)].append(update)
        done = await asyncio.gather(*(self._in_order(chat) for chat in chats.values()))
        return set().union(*done)

    def holds(self, number: int) -> bool:
        """Whether an update is held as a piece of something."""
        return self.bundle_of(number) is not None

    def bundle_of(self, number: int) -> Bundle | None:
        """What an update is a held piece of."""
        return next((bundle for bundle in self._gather.held() if number in bundle.updates), None)

    def due(self) -> list[Bundle]:
        """The bundles that have waited long enough."""
        now = time.monotonic()
        return [bundle for bundle in self._gather.held() if bundle.due <= now]

    async def flush(self, bundle: Bundle) -> set[int]:
        """Take a bundle. Returns the numbers of its updates, none when it failed: they must be offered again."""
        self._gather.release(bundle)
        message = bundle.message()
        if not bundle.heard:
            return set(bundle.updates)
        done = await self._tried(bundle.updates, lambda: self._receive(message))
        if done and len(bundle.pieces) > 1:
            self._joined.update({piece.message.id: bundle for piece in bundle.pieces})
            while len(self._joined) > _MOST_JOINED:
                del self._joined[next(iter(self._joined))]
        return set(bundle.updates) if done else set()

    async def _in_order(self, updates: Sequence[dict[str, Any]]) -> set[int]:
        done: set[int] = set()
        async with self._room:
            for update in updates:
                taken = await self.take(update)
                if taken is None:
                    break
                done |= taken
        return done

    async def take(self, update: dict[str, Any]) -> set[int] | None:
        """Take one update. Returns the numbers that are done with by it: none while it is held; None when it failed."""
        number = native.update_id(update)
        try:
            read = native.read(update, self._ear)
        except native.MalformedError as error:
            _log.warning("telegram: update=%d is left out: %s", number, error)
            return {number}
        if isinstance(read, native.Piece):
            return await self._piece(read, number)
        done = await self._held_before(read)
        if done is None or not await self._tried([number], lambda: self._other(read)):
            return done or None
        return done | {number}

    async def _held_before(self, read: native.Edit | native.Tap | native.Move | None) -> set[int] | None:
        """An edit comes after what it changes, even when that is held. None when that failed."""
        bundle = self._gather.holding(read.message.id) if isinstance(read, native.Edit) else None
        if bundle is None:
            return set()
        return await self.flush(bundle) or None

    async def _piece(self, piece: native.Piece, number: int) -> set[int] | None:
        done: set[int] = set()
        before = self._gather.before(piece)
        if before is not None:
            done |= await self.flush(before)
            if not done:
                return None
        bundle = self._gather.add(piece, number)
        if not bundle.closed:
            return done
        return done | await self.flush(bundle) or None

    async def _receive(self, message: Message) -> None:
        self._seen(message)
        said = await self._host.receive(message)
        if said is not None and not isinstance(said, int):
            self._say(message, said)

    async def _other(self, read: native.Edit | native.Tap | native.Move | None) -> None:
        match read:
            case native.Edit(piece):
                await self._edited(piece)
            case native.Tap(press):
                self._show(read, await self._host.press(press))
            case native.Move(chat, to):
                await self.moved(chat, to)

    async def _edited(self, piece: native.Piece) -> None:
        """An edited message; where it is a piece of several, with the others."""
        bundle = self._joined.get(piece.message.id) or Bundle([piece], [])
        bundle.pieces = [piece if one.message.id == piece.message.id else one for one in bundle.pieces]
        if bundle.heard:
            await self._host.edited(bundle.message())

    async def moved(self, chat: str, to: str) -> None:
        """A group has a new id: remember it, and take its conversations there."""
        if self._ear.moved.get(chat) == to:
            return
        await self._host.moved("telegram", chat, to)
        await self._ledger.put(f"moved.{chat}", to)
        self._ear.moved[chat] = to

    async def _tried(self, numbers: Sequence[int], work: Callable[[], Awaitable[None]]) -> bool:
        """Whether updates are done with: they were taken, or tried so often that they are set aside."""
        try:
            await work()
        except Exception as error:  # noqa: BLE001 -- whatever it is, the update must be offered again, and its chat alone waits
            return await self._failed(numbers[0], error)
        if self._tries.pop(numbers[0], None) is not None:
            await self._ledger.put(f"tries.{numbers[0]}", None)
        return True

    async def _failed(self, number: int, error: Exception) -> bool:
        tries = self._tries.get(number, 0) + 1
        _log.warning("telegram: update=%d failed try=%d error=%s", number, tries, type(error).__name__)
        try:
            await self._ledger.put(f"tries.{number}", None if tries >= _TRIES else str(tries))
        except Exception as refused:  # noqa: BLE001 -- nothing can be stored now: that is not the update's fault
            _log.warning("telegram: update=%d is not counted error=%s", number, type(refused).__name__)
            return False
        if tries >= _TRIES:
            self._tries.pop(number, None)
            _log.error("telegram: update=%d is set aside after tries=%d", number, tries)
            return True
        self._tries[number] = tries
        return False
