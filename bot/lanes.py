"""Who is next: each conversation is a lane in strict order, and people take turns, one message each. Pure, without a clock."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from bot.inbox_rows import Pending

Suspects = Literal["first", "last", "never"]


@dataclass(slots=True)
class _Lane:
    """The messages of one conversation. `busy`: one of them is being answered, delivered, or waits to be tried again."""

    person: int
    waiting: deque[Pending] = field(default_factory=deque)
    busy: bool = False


class Lanes:
    """All that waits. Every operation costs next to nothing however much waits, but `positions`."""

    def __init__(self) -> None:
        self._lanes: dict[int, _Lane] = {}
        self._ready: dict[int, deque[int]] = {}
        self._rotation: deque[int] = deque()
        self._suspects: deque[int] = deque()
        self._by_id: dict[int, Pending] = {}
        self._ids: dict[int, list[int]] = {}  # of each person, sorted

    def __len__(self) -> int:
        """How many wait."""
        return len(self._by_id)

    def of_person(self, person: int) -> int:
        """How many of this person's wait."""
        return len(self._ids.get(person, ()))

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

    def next(self, *, idle: bool, suspects: Suspects = "last") -> Pending | None:
        """Take the message whose turn it is; its lane is then busy until `free`.

        `idle`: nothing else runs. What the process may have died of goes only then, and when `suspects` says: before all others,
        when nothing else can start, or never.
        """
        if self._suspects and (suspects == "first" or (suspects == "last" and not self._rotation)):
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

    def waiting(self, id_: int) -> Pending | None:
        """The message of that number, None when it does not wait."""
        return self._by_id.get(id_)

    def all(self) -> list[Pending]:
        """All that wait."""
        return list(self._by_id.values())

    def positions(self) -> dict[int, int]:
        """The place of each waiting message, from 1, as if every message took equally long."""
        rounds = zip_longest(*(self._ids[person] for person in self._order()))
        following = (id_ for round_ in rounds for id_ in round_ if id_ is not None)
        return {id_: place for place, id_ in enumerate(following, 1)}

    def position(self, id_: int) -> int | None:
        """The place of one message, as in `positions`; None when it does not wait."""
        pending = self._by_id.get(id_)
        if pending is None:
            return None
        full_rounds = bisect_left(self._ids[pending.person.id], id_)
        place, rounds = 1, full_rounds + 1  # whoever comes before its person has one round more
        for person in self._order():
            if person == pending.person.id:
                rounds = full_rounds
            place += min(len(self._ids[person]), rounds)
        return place

    def _order(self) -> list[int]:
        """The people who wait, in the order of their turns."""
        return list(dict.fromkeys((*self._rotation, *self._ids)))

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
        if by > 0:
            self._by_id[pending.id] = pending
            insort(self._ids.setdefault(person, []), pending.id)
            return
        del self._by_id[pending.id]
        ids = self._ids[person]
        del ids[bisect_left(ids, pending.id)]
        if not ids:
            del self._ids[person]
