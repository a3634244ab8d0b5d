"""From the inbox to the reply: each message in its lane, then its turn at the model, fair between people, and cancellable.

Everything here happens on the event loop and is woken by events. What lasts is in `bot.inbox`; what is here can be lost at any
moment, and `run` builds it again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from contextlib import aclosing
from typing import TYPE_CHECKING

from bot.attempts import Attempts
from bot.delivery import RETRY_S, Delivery
from bot.doors import PullDoor
from bot.errors import DatabaseError, told
from bot.follow import Lives
from bot.inbox import LEASE_S
from bot.lanes import Lanes, Suspects
from bot.live import Event, Finished
from bot.reception import Reception
from bot.showing import Showing
from bot.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence

    from adapters.types import Button, Message
    from bot.attempts import Answerer, Dress
    from bot.doors import Door
    from bot.inbox import Inbox
    from bot.inbox_rows import Pending
    from bot.people.people import Person
    from bot.settings.fields import LimitsConfig
    from bot.speech.sentences import Language

    Stop = Callable[[Pending, Language], Button | None]
    Sent = Callable[[str, str], None]

_PATIENCE_S = 60.0
"""What the process may have died of lets the others go first for that long."""

_log = logging.getLogger(__name__)


class Dispatcher:
    """The line. `slots`: how many answers are written at the same time; `settled` returns once the daemon has loaded all."""

    def __init__(
        self,
        inbox: Inbox,
        answerer: Answerer,
        doors: Mapping[str, Door],
        limits: LimitsConfig,
        slots: int,
        *,
        language: Language = "en",
        retry_s: Sequence[float] = RETRY_S,
        settled: Callable[[], Awaitable[object]] | None = None,
        dress: Dress | None = None,
        stop: Stop | None = None,
        sent: Sent | None = None,
    ) -> None:
        self._inbox = inbox
        self._doors = doors
        self._slots = slots
        self._retry_s = retry_s
        self._attempts = Attempts(inbox, answerer, doors, most=limits.attempts, retry_s=retry_s, language=language, dress=dress)
        self._delivery = Delivery(inbox.outbox, retry_s, language=language, sent=sent)
        self._showing = Showing(self.follow, inbox.shown, stop or _no_button, language)
        self._lanes = Lanes()
        self._reception = Reception(
            inbox, self._lanes, limits, {name for name, door in doors.items() if isinstance(door, PullDoor)}
        )
        self._live = Lives(self._lanes)
        self._answering: dict[int, Pending] = {}
        self._tasks = Tasks()
        self._recovered, self._quiet = asyncio.Event(), asyncio.Event()
        self._settled = settled
        self._settled_at: float | None = None
        self._draining = False

    async def receive(self, message: Message, person: Person, mark: tuple[str, str] | None = None) -> int:
        """Store a message and put it in its lane; return its inbox id, the same however often it is delivered.

        0: it was answered once, then forgotten. `mark` goes into its platform's ledger in the same transaction. Raises
        `RejectedError`, and `DatabaseError`: then nothing is stored.
        """
        await self._recovered.wait()
        # A caller that goes away leaves what it sent to be taken: it may be in the database already.
        return await asyncio.shield(self._tasks.work(self._arrive(message, person, mark), "receive"))

    async def follow(self, inbox_id: int) -> AsyncGenerator[Event]:
        """The present state of a message (its place, its words so far), then every change; ends with `Finished`.

        Works for finished ones too. Raises `DatabaseError` while the disk refuses; the message is answered when there is room.
        """
        await self._recovered.wait()
        live = self._live.of(inbox_id)
        if live is None:
            yield Finished(await self._inbox.reply(inbox_id) or self._attempts.said("forgotten", None))
            return
        async with aclosing(live.follow()) as events:
            async for event in events:
                yield event

    async def cancel(self, inbox_id: int, *, withdrawn: bool = False) -> bool:
        """Stop a message that waits or is being answered: the model's request closes. False: too late, or unknown.

        `withdrawn`: the question itself was deleted.
        """
        pending = self._lanes.drop(inbox_id)
        if pending is None:
            if withdrawn and inbox_id in self._answering:
                self._answering[inbox_id].end = "withdrawn"
            return self._attempts.interrupt(inbox_id)
        pending.end = "withdrawn" if withdrawn else pending.end
        self._note()
        await asyncio.shield(self._tasks.work(self._stopped(pending), f"cancel {inbox_id}"))
        return True

    async def stop(self, person: Person, space: str) -> int:
        """Stop all that waits or is being answered in a conversation; how many that were."""
        on_their_way = [*self._lanes.all(), *self._answering.values()]
        theirs = [pending.id for pending in on_their_way if (pending.person.id, pending.space) == (person.id, space)]
        return sum(await asyncio.gather(*(self.cancel(id_) for id_ in theirs)))

    async def edit(self, message: Message) -> None:
        """A message says something else now: one that waits is replaced, one being answered is offered again."""
        inbox_id = await self._inbox.replace(message)
        if inbox_id is None:
            return
        pending = self._lanes.waiting(inbox_id) or self._answering.get(inbox_id)
        if pending is not None:
            before, pending.message = pending.message, message
            if _asked(before) != _asked(message):  # else the platform only added a preview of its links
                self._attempts.again(inbox_id)

    async def withdraw(self, platform: str, account: str, message_id: str) -> None:
        """A message was deleted: it is not answered any more."""
        inbox_id = await self._inbox.find(platform, account, message_id)
        if inbox_id is not None:
            await self._take_back(inbox_id)

    async def silence(self, person: Person) -> None:
        """A person may talk no more: what waits or is being answered of theirs, anywhere, is not answered any more."""
        on_their_way = [*self._lanes.all(), *self._answering.values()]
        await asyncio.gather(*(self._take_back(pending.id) for pending in on_their_way if pending.person.id == person.id))

    def waiting(self) -> int:
        """How many messages wait for their turn."""
        return len(self._lanes)

    def answering(self) -> int:
        """How many messages are being answered."""
        return len(self._answering)

    def position(self, inbox_id: int) -> int | None:
        """The place of a message in the line, from 1; None when it does not wait."""
        return self._lanes.position(inbox_id)

    async def idle(self) -> None:
        """Return once nobody waits for an answer (a message whose next try is minutes away does not count)."""
        await self._quiet.wait()

    async def run(self) -> None:
        """Take up what a former process left, then serve until cancelled."""
        await self._recover()
        try:
            while True:
                await asyncio.sleep(LEASE_S / 3)
                await self._attempts.beat()
        finally:
            await self.drain(0)

    async def drain(self, grace_s: float) -> None:
        """Start nothing more, let what is being written finish within `grace_s`, give back the rest: the next start goes on."""
        self._draining = True
        self._live.stop()
        await self._tasks.finish(grace_s)
        await self._showing.stop()
        interrupted = list(self._answering)
        await self._tasks.cancel()
        if interrupted:
            try:
                await self._inbox.give_back(interrupted)
            except DatabaseError as error:
                _log.warning("interrupted attempts will count: %s", error)

    async def _arrive(self, message: Message, person: Person, mark: tuple[str, str] | None) -> int:
        taken = await self._reception.take(message, person, mark)
        if isinstance(taken, int):
            return taken
        self._live.begin(taken.id)
        self._lanes.add(taken)
        self._fill()
        self._show(taken)
        return taken.id

    async def _take_back(self, inbox_id: int) -> None:
        await self._showing.end(inbox_id, withdrawn=True)
        await self.cancel(inbox_id, withdrawn=True)

    def _show(self, pending: Pending) -> None:
        door = self._doors.get(pending.message.platform)
        if door is not None and not isinstance(door, PullDoor):
            self._showing.begin(pending, door)

    def _fill(self) -> None:
        """Start what may start now."""
        while not self._draining and len(self._answering) < self._slots:
            alone = any(pending.alone for pending in self._answering.values())
            pending = None if alone else self._lanes.next(idle=not self._answering, suspects=self._suspects())
            if pending is None:
                break
            self._answering[pending.id] = pending
            self._tasks.work(self._serve(pending), f"message {pending.id}")
        self._note()

    async def _serve(self, pending: Pending) -> None:
        """One attempt, holding a slot; then, still holding the lane, the delivery or the wait for the next attempt."""
        try:
            retry_s = await self._attempts.make(pending, self._live.begin(pending.id))
        except Exception as error:  # noqa: BLE001 -- logged: a fault of ours must not stop the lane for ever
            _log.error("message failed id=%d error=%s", pending.id, told(error))
            retry_s = self._retry_s[-1]
        finally:
            del self._answering[pending.id]
            self._fill()
        if retry_s is None:
            self._live.end(pending.id)
            await self._deliver_and_free(pending.conversation_id, [pending])
        else:
            self._lanes.again(pending)
            self._tasks.wait(self._free_after(retry_s, pending.conversation_id), f"wait {pending.id}")

    async def _stopped(self, pending: Pending) -> None:
        """Close a message that was cancelled while it waited. Who cancelled it need not wait for its delivery."""
        live = self._live.end(pending.id)
        await self._attempts.close(pending, live, pending.end, self._attempts.said("cancelled", pending.message, pending.person))
        self._tasks.work(self._deliver([pending]), f"deliver {pending.id}")

    async def _deliver(self, answered: list[Pending]) -> None:
        for pending in answered:
            await self._showing.end(pending.id)
            door = self._doors.get(pending.message.platform)
            if door is not None and not isinstance(door, PullDoor):
                await self._delivery.deliver(pending, door)

    async def _deliver_and_free(self, conversation: int, answered: list[Pending]) -> None:
        """Send what is answered, by a former process too; its lane goes on behind it."""
        try:
            await self._deliver(answered)
        finally:
            self._free(conversation)

    async def _free_after(self, wait_s: float, conversation: int) -> None:
        await asyncio.sleep(wait_s)
        self._free(conversation)

    def _free(self, conversation: int) -> None:
        self._lanes.free(conversation)
        self._fill()

    async def _recover(self) -> None:
        left = await self._inbox.recover()
        answered: defaultdict[int, list[Pending]] = defaultdict(list)
        for pending in left:
            if pending.reply is not None:
                answered[pending.conversation_id].append(pending)
                self._lanes.hold(pending.conversation_id, pending.person.id)
        for pending in left:
            if pending.reply is None:
                self._take_up(pending)
        for conversation, ready in answered.items():
            self._tasks.work(self._deliver_and_free(conversation, ready), f"deliver {conversation}")
        _log.info("recovered messages=%d", len(left))
        self._recovered.set()
        self._fill()
        self._tasks.wait(self._settle(), "settle")

    def _take_up(self, pending: Pending) -> None:
        self._live.begin(pending.id)
        if pending.message.options.get("ephemeral"):  # nobody waits for it: who asked was connected to the former process
            self._tasks.work(self._stopped(pending), f"drop {pending.id}")
            return
        wait_s = min(pending.due_at - time.time(), self._retry_s[-1])  # no longer, though the clock was set back meanwhile
        if wait_s > 0 and not self._lanes.held(pending.conversation_id):
            self._lanes.hold(pending.conversation_id, pending.person.id)
            self._tasks.wait(self._free_after(wait_s, pending.conversation_id), f"wait {pending.id}")
        self._lanes.add(pending)
        self._show(pending)

    def _suspects(self) -> Suspects:
        """What the process may have died of waits until all is loaded, then lets the others go first, for a while."""
        if self._settled_at is None:
            return "never"
        return "first" if time.monotonic() - self._settled_at > _PATIENCE_S else "last"

    async def _settle(self) -> None:
        if self._settled is not None:
            await asyncio.gather(self._settled(), return_exceptions=True)  # a part that cannot be loaded has its own sentence
        self._settled_at = time.monotonic()
        self._fill()

    def _note(self) -> None:
        """Something waits, runs or ended."""
        (self._quiet.clear if self._answering or self._lanes.ready else self._quiet.set)()
        if not self._draining:
            self._live.show_places()


def _no_button(_pending: Pending, _language: Language) -> None:
    return None


def _asked(message: Message) -> tuple[str, list[str]]:
    """What a message asks, and about which files."""
    return message.text, [file.id for file in message.attachments]
