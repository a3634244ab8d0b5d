"""Lanes: whatever comes in whatever order, each conversation keeps its order and nobody waits for ever."""

from __future__ import annotations

from collections import defaultdict

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bot.inbox_rows import Pending
from bot.lanes import Lanes, Suspects
from bot.people.people import Person
from tests.bot.house import message

PEOPLE, EACH = 3, 2


def pending(id_: int, person: int, conversation: int, *, alone: bool = False) -> Pending:
    return Pending(id_, message(str(id_)), Person(person, None, owner=False), conversation, "private", 0, 0, alone=alone)


class Model(RuleBasedStateMachine):
    """Lanes against lists."""

    @initialize()
    def start(self) -> None:
        self.lanes = Lanes()
        self.waiting: dict[int, list[int]] = defaultdict(list)
        self.busy: dict[int, Pending | None] = {}
        self.made: dict[int, Pending] = {}
        self.passed: dict[int, int] = defaultdict(int)
        self.dropped: set[int] = set()

    @rule(person=st.integers(0, PEOPLE - 1), lane=st.integers(0, EACH - 1), alone=st.booleans())
    def add(self, person: int, lane: int, alone: bool) -> None:
        added = pending(len(self.made), person, person * EACH + lane, alone=alone and len(self.made) < 3)
        self.made[added.id] = added
        self.lanes.add(added)
        self.waiting[added.conversation_id].append(added.id)

    @rule(mode=st.sampled_from(["first", "last", "never"]))
    def take(self, mode: Suspects) -> None:
        idle = not self.busy
        heads = [self.made[ids[0]] for lane, ids in self.waiting.items() if ids and lane not in self.busy]
        ready = {head.person.id for head in heads if not head.alone}
        suspects = any(head.alone for head in heads)
        taken = self.lanes.next(idle=idle, suspects=mode)
        if taken is None:
            assert not ready or (suspects and mode == "first")
            assert not suspects or not idle or mode == "never"
            return
        if taken.alone:
            assert idle
            assert mode == "first" or (mode == "last" and not ready)
        else:
            assert mode != "first" or not suspects
        assert self.waiting[taken.conversation_id].pop(0) == taken.id
        assert taken.conversation_id not in self.busy
        self.busy[taken.conversation_id] = taken
        for person in ready - {taken.person.id}:
            self.passed[person] += 0 if taken.alone else 1
            assert self.passed[person] <= PEOPLE * EACH + 3, "somebody starves"
        self.passed[taken.person.id] = 0

    @precondition(lambda self: self.busy)
    @rule(data=st.data(), again=st.booleans())
    def end(self, data: st.DataObject, again: bool) -> None:
        lane = data.draw(st.sampled_from(sorted(self.busy)))
        taken = self.busy.pop(lane)
        if again and taken is not None and taken.id not in self.dropped:
            self.lanes.again(taken)
            self.waiting[lane].insert(0, taken.id)
        self.lanes.free(lane)
        if taken is not None:
            self.passed[taken.person.id] = 0

    @rule(lane=st.integers(0, PEOPLE * EACH - 1))
    def hold(self, lane: int) -> None:
        if lane not in self.busy:
            self.lanes.hold(lane, lane // EACH)
            self.busy[lane] = None
        assert self.lanes.held(lane)

    @precondition(lambda self: self.made)
    @rule(data=st.data())
    def drop(self, data: st.DataObject) -> None:
        id_ = data.draw(st.sampled_from(sorted(self.made)))
        ids = self.waiting[self.made[id_].conversation_id]
        assert self.lanes.drop(id_) is (self.made[id_] if id_ in ids else None)
        if id_ in ids:
            ids.remove(id_)

    @invariant()
    def same_counts(self) -> None:
        ids = {id_ for lane in self.waiting.values() for id_ in lane}
        places = self.lanes.positions()
        assert places.keys() == ids
        assert sorted(places.values()) == list(range(1, len(ids) + 1))
        assert {id_: self.lanes.position(id_) for id_ in ids} == places
        assert self.lanes.position(len(self.made)) is None
        assert len(self.lanes) == len(ids)
        for person in range(PEOPLE):
            assert self.lanes.of_person(person) == sum(self.made[id_].person.id == person for id_ in ids)
        assert self.lanes.ready == any(ids and lane not in self.busy for lane, ids in self.waiting.items())


Model.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestLanes = Model.TestCase


def test_people_take_turns_however_many_questions_one_has() -> None:
    lanes = Lanes()
    for n in range(10):
        lanes.add(pending(n, 1, 100 + n))
    lanes.add(pending(10, 2, 200))
    lanes.add(pending(11, 3, 300))
    assert lanes.positions() == {0: 1, 10: 2, 11: 3, **{n: n + 3 for n in range(1, 10)}}
    order = [taken.id for _ in range(12) if (taken := lanes.next(idle=False)) is not None]
    assert order == [0, 10, 11, *range(1, 10)]


def test_what_may_have_killed_the_process_runs_alone() -> None:
    lanes = Lanes()
    lanes.add(pending(0, 1, 1))
    lanes.add(pending(1, 2, 2, alone=True))
    assert lanes.next(idle=False, suspects="first") is None
    other = lanes.next(idle=False)
    assert other is not None
    assert other.id == 0
    assert lanes.next(idle=False) is None
    assert lanes.next(idle=True, suspects="never") is None
    taken = lanes.next(idle=True)
    assert taken is not None
    assert taken.id == 1
