"""Who is next: each conversation is a lane in strict order, and people take turns, one message each. Pure, without a clock."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bot.inbox_rows import Pending


@dataclass(slots=True)
class _Lane:
    """The messages of one conversation. `busy`: one of them is being answered, delivered, or waits to be tried again."""

    person: int
    waiting: deque[Pending] = field(default_factory=deque)
    busy: bool = False


class Lanes:
    """All that waits. Every operation costs the same however much waits, but `positions` and `drop`."""

    def __init__(self) -> None:
        self._lanes: dict[int, _Lane] = {}
        self._ready: dict[int, deque[int]] = {}
        self._rotation: deque[int] = deque()
        self._suspects: deque[int] = deque()
        self._of_person: Counter[int] = Counter()
        self._by_id: dict[int, Pending] = {}

    def __len__(self) -> int:
        """How many wait."""
        return len(self._by_id)

    def of_person(self, person: int) -> int:
        """How many of this person's wait."""
        return self._of_person[person]

    @property
    def ready(self) -> bool:
        """Whether one could start now."""
        return bool(self._rotation or self._suspects)

    def add(self, pending: Pending) -> None:
        """Put a message at the end of its lane."""
        lane = self._lanes.setdefault(pending.conversation_id, _Lane(pending.person.id))
        lane.waiting.append(pending)
        self._count(pending, 1)
        if not lane.busy and len(lane.waiting) == 1:
            self._offer(pending.conversation_id, lane)

    def hold(self, conversation: int, person: int) -> None:
        """Let nothing of this lane start before `free`."""
        lane = self._lanes.setdefault(conversation, _Lane(person))
        if not lane.busy:
            self._withdraw(conversation, lane)
            lane.busy = True

    def held(self, conversation: int) -> bool:
        """Whether nothing of this lane may start now."""
        lane = self._lanes.get(conversation)
        return lane is not None and lane.busy

    def next(self, *, idle: bool) -> Pending | None:
        """Take the message whose turn it is; its lane is then busy until `free`.

        `idle`: nothing else runs. What the process may have died of goes first, and only then.
        """
        if self._suspects:
            return self._take(self._suspects.popleft()) if idle else None
        if not self._rotation:
            return None
        person = self._rotation.popleft()
        ready = self._ready[person]
        conversation = ready.popleft()
        if ready:
            self._rotation.append(person)
        else:
            del self._ready[person]
        return self._take(conversation)

    def again(self, pending: Pending) -> None:
        """Put a message back at the head of its lane, which stays busy until `free`."""
        self._lanes[pending.conversation_id].waiting.appendleft(pending)
        self._count(pending, 1)

    def free(self, conversation: int) -> None:
        """Let the next message of this lane take its turn."""
        lane = self._lanes[conversation]
        lane.busy = False
        if lane.waiting:
            self._offer(conversation, lane)
        else:
            del self._lanes[conversation]

    def drop(self, id_: int) -> Pending | None:
        """Take a message out of the line, wherever it waits."""
        pending = self._by_id.get(id_)
        if pending is None:
            return None
        lane = self._lanes[pending.conversation_id]
        if not lane.busy and lane.waiting[0] is pending:
            self._withdraw(pending.conversation_id, lane)
        lane.waiting.remove(pending)
        self._count(pending, -1)
        if not lane.busy and not lane.waiting:
            del self._lanes[pending.conversation_id]
        elif not lane.busy and not self._offered(pending.conversation_id, lane):
            self._offer(pending.conversation_id, lane)
        return pending

    def positions(self) -> dict[int, int]:
        """The place of each waiting message, from 1, as if every message took equally long."""
        by_person: dict[int, list[int]] = {person: [] for person in self._rotation}
        for id_ in sorted(self._by_id):
            by_person.setdefault(self._by_id[id_].person.id, []).append(id_)
        places: dict[int, int] = {}
        rounds = [deque(ids) for ids in by_person.values()]
        while rounds:
            for ids in rounds:
                if ids:
                    places[ids.popleft()] = len(places) + 1
            rounds = [ids for ids in rounds if ids]
        return places

    def _take(self, conversation: int) -> Pending:
        lane = self._lanes[conversation]
        lane.busy = True
        pending = lane.waiting.popleft()
        self._count(pending, -1)
        return pending

    def _offer(self, conversation: int, lane: _Lane) -> None:
        if lane.waiting[0].alone:
            self._suspects.append(conversation)
        elif lane.person in self._ready:
            self._ready[lane.person].append(conversation)
        else:
            self._ready[lane.person] = deque([conversation])
            self._rotation.append(lane.person)

    def _offered(self, conversation: int, lane: _Lane) -> bool:
        return conversation in self._suspects or conversation in self._ready.get(lane.person, ())

    def _withdraw(self, conversation: int, lane: _Lane) -> None:
        if conversation in self._suspects:
            self._suspects.remove(conversation)
        elif conversation in self._ready.get(lane.person, ()):
            self._ready[lane.person].remove(conversation)
            if not self._ready[lane.person]:
                del self._ready[lane.person]
                self._rotation.remove(lane.person)

    def _count(self, pending: Pending, by: int) -> None:
        person = pending.person.id
        self._of_person[person] += by
        if by > 0:
            self._by_id[pending.id] = pending
            return
        del self._by_id[pending.id]
        if not self._of_person[person]:
            del self._of_person[person]
