from __future__ import annotations

import asyncio
import math
from collections import defaultdict
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.limits import Budgets, Priority, Rate, Rule, Window
from tests.adapters.virtual_clock import VirtualClock, settle

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Coroutine

Happening = tuple[str, Priority, float, float, float, str]

FINAL, ACTION, LIVE, TYPING = Priority.FINAL, Priority.ACTION, Priority.LIVE, Priority.TYPING
RULES = {
    "private": Rule((Rate(1, 1.0),)),
    "group": Rule((Rate(20, 60.0),), (Rate(1, 3.0),)),
    "channel": Rule((Rate(5, 5.0),)),
    "free": Rule(),
}


class House:
    """Callers of a budget, and what the platform would see of them."""

    def __init__(self, whole: tuple[Rate, ...] = (Rate(30, 1.0),)) -> None:
        self.clock = VirtualClock()
        self.budgets = Budgets(RULES, whole, clock=self.clock)
        self.calls: list[tuple[float, str, str]] = []
        self.open: defaultdict[str, int] = defaultdict(int)
        self.tasks: list[asyncio.Task[None]] = []

    def call(
        self,
        chat: str,
        name: str = "",
        *,
        kind: str = "private",
        priority: Priority = FINAL,
        lasts_s: float = 0.0,
        late_s: float = 0.0,
    ) -> asyncio.Task[None]:
        """Make a call that reaches the platform `late_s` after it began."""
        return self.start(self._call(chat, name, kind, priority, lasts_s, late_s))

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        self.tasks.append(asyncio.create_task(work))
        return self.tasks[-1]

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            return
        done = asyncio.Event()
        self.clock.call_later(seconds, done.set)
        await done.wait()

    async def close(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    def times(self, chat: str) -> list[float]:
        return [round(at - 1000.0, 6) for at, where, _ in self.calls if where == chat]

    def names(self) -> list[str]:
        return [name for _, _, name in self.calls]

    async def _call(self, chat: str, name: str, kind: str, priority: Priority, lasts_s: float, late_s: float) -> None:
        async with self.budgets.turn(chat, kind, priority):
            self.open[chat] += 1
            assert self.open[chat] == 1, "two calls in flight in one chat"
            try:
                await self.sleep(late_s)
                self.calls.append((self.clock.now, chat, name))
                await self.sleep(lasts_s - late_s)
            finally:
                self.open[chat] -= 1


@pytest.fixture
async def house() -> AsyncGenerator[House]:
    house = House()
    yield house
    await house.close()


async def test_a_private_chat_gets_one_call_a_second(house: House) -> None:
    for _ in range(3):
        house.call("a")
    await house.clock.advance(5)
    assert house.times("a") == [0, 1, 2]


async def test_a_channel_gets_five_calls_in_five_seconds_at_once_or_spread(house: House) -> None:
    for _ in range(7):
        house.call("a", kind="channel")
    await house.clock.advance(20)
    assert house.times("a") == [0, 0, 0, 0, 0, 5, 5]


async def test_a_second_call_waits_for_the_first_to_come_back(house: House) -> None:
    house.call("a", kind="free", lasts_s=7)
    house.call("a", kind="free")
    await house.clock.advance(6.9)
    assert house.times("a") == [0]
    await house.clock.advance(0.1)
    assert house.times("a") == [0, 7]


async def test_the_second_counts_from_when_a_call_came_back(house: House) -> None:
    house.call("a", lasts_s=0.8)
    house.call("a")
    await house.clock.advance(5)
    assert house.times("a") == [0, 1.8]


async def test_all_chats_together_keep_to_the_global_rate(house: House) -> None:
    for number in range(65):
        house.call(f"chat {number}")
    await house.clock.advance(10)
    at = [round(at - 1000) for at, _, _ in house.calls]
    assert [at.count(second) for second in range(4)] == [30, 30, 5, 0]


async def test_final_parts_go_before_actions_before_live_edits_before_typing(house: House) -> None:
    house.call("a", "first")
    await settle()
    for name, priority in [("typing", TYPING), ("live", LIVE), ("action", ACTION), ("final", FINAL)]:
        house.call("a", name, priority=priority)
    await house.clock.advance(10)
    assert house.names() == ["first", "final", "action", "live", "typing"]


async def test_the_more_urgent_chat_goes_first_when_the_global_rate_is_spent() -> None:
    house = House((Rate(1, 1.0),))
    house.call("a", "first")
    await settle()
    house.call("b", "live", priority=LIVE)
    house.call("c", "final")
    house.call("d", "later")
    await house.clock.advance(10)
    await house.close()
    assert house.names() == ["first", "final", "later", "live"]


async def test_equals_are_served_in_the_order_in_which_they_came(house: House) -> None:
    for number in range(10):
        house.call("a", str(number))
    await house.clock.advance(20)
    assert house.names() == [str(number) for number in range(10)]


async def test_live_edits_of_a_group_have_their_own_pace(house: House) -> None:
    for _ in range(3):
        house.call("a", kind="group", priority=LIVE)
    house.call("a", kind="group")
    await house.clock.advance(20)
    assert house.times("a") == [0, 0, 3, 6]


async def test_live_edits_never_eat_what_is_reserved_for_final_parts(house: House) -> None:
    house.budgets.reserve("a", 3, holder=1)
    house.budgets.reserve("a", 2, holder=2)
    for _ in range(30):
        house.call("a", kind="group", priority=LIVE)
    await house.clock.advance(50)
    assert len(house.times("a")) == 15
    for _ in range(5):
        house.call("a", "part", kind="group")
    await house.clock.advance(0.1)
    assert house.names()[15:] == ["part"] * 5
    house.budgets.reserve("a", 0, holder=1)
    house.budgets.reserve("a", 0, holder=2)
    await house.clock.advance(9.8)
    assert len(house.times("a")) == 20
    await house.clock.advance(0.2)
    assert len(house.times("a")) == 21


async def test_giving_back_a_reservation_lets_the_next_edit_go_at_once(house: House) -> None:
    house.budgets.reserve("a", 20)
    house.call("a", kind="group", priority=LIVE)
    await house.clock.advance(100)
    assert house.times("a") == []
    house.budgets.reserve("a", 0)
    await settle()
    assert house.times("a") == [100]


async def test_calls_are_not_kept_for_ever_for_parts_that_never_come(house: House) -> None:
    house.budgets.reserve("a", 20, holder="an answer that was erased")
    await house.clock.advance(3601)
    house.call("a", kind="group", priority=LIVE)
    await settle()
    assert house.times("a") == [3601]


async def test_a_pause_stops_one_chat_alone(house: House) -> None:
    house.budgets.pause("a", 30)
    house.call("a")
    house.call("b")
    await house.clock.advance(29.9)
    assert house.times("a") == []
    assert house.times("b") == [0]
    await house.clock.advance(0.2)
    assert house.times("a") == [30]


async def test_a_shorter_pause_does_not_end_a_longer_one(house: House) -> None:
    house.budgets.pause("a", 30)
    house.budgets.pause("a", 1)
    house.call("a")
    await house.clock.advance(40)
    assert house.times("a") == [30]


async def test_a_global_pause_stops_every_chat(house: House) -> None:
    house.budgets.pause_all(10)
    house.call("a")
    house.call("b")
    await house.clock.advance(9.9)
    assert house.calls == []
    await house.clock.advance(1)
    assert house.times("a") == house.times("b") == [10]


async def test_a_pause_reaches_a_turn_that_was_given_and_not_yet_taken(house: House) -> None:
    async with house.budgets.turn("a", "free", FINAL):
        house.call("a", kind="free")
        await settle()
    house.budgets.pause("a", 5)  # the second was given its turn, and has not woken up yet
    await house.clock.advance(4.9)
    assert house.times("a") == []
    await house.clock.advance(0.2)
    assert house.times("a") == [5]


async def test_who_was_cancelled_while_waiting_takes_no_turn(house: House) -> None:
    house.call("a", "first")
    await settle()
    cancelled = house.call("a", "cancelled")
    house.call("a", "third")
    await settle()
    cancelled.cancel()
    await house.clock.advance(10)
    assert house.names() == ["first", "third"]
    assert house.times("a") == [0, 1]


async def test_who_is_cancelled_with_the_turn_already_given_gives_it_back(house: House) -> None:
    async with house.budgets.turn("a", "channel", FINAL):
        cancelled = house.call("a", "cancelled", kind="channel")
        for _ in range(4):
            house.call("a", kind="channel")
        await settle()
    cancelled.cancel()  # it was given its turn, and has not woken up yet
    await house.clock.advance(0.1)
    assert len(house.names()) == 4
    assert "cancelled" not in house.names()


async def test_who_is_cancelled_in_the_moment_the_turn_comes_leaves_it_to_the_next(house: House) -> None:
    async with house.budgets.turn("a", "free", FINAL):
        cancelled = house.call("a", "cancelled", kind="free", priority=LIVE)
        house.call("a", "next", kind="free", priority=LIVE)
        await settle()
        cancelled.cancel()  # it does not run before the turn is given on
    await house.clock.advance(0.1)
    assert house.names() == ["next"]
    assert cancelled.cancelled()


async def test_a_sign_of_life_takes_nothing_but_waits_for_pauses_and_for_what_is_on_its_way(house: House) -> None:
    house.call("a", "first", lasts_s=0.5)
    house.call("a", "sign", priority=Priority.SIGN)
    house.call("a", "words", priority=LIVE)
    await house.clock.advance(2)
    assert house.names() == ["first", "sign", "words"]
    assert house.times("a") == [0, 0.5, 1.5]
    house.budgets.pause("a", 3)
    house.call("a", "later", priority=Priority.SIGN)
    await house.clock.advance(5)
    assert house.times("a")[3:] == [5]


async def test_a_call_that_fails_counts_and_frees_the_chat(house: House) -> None:
    async def fails() -> None:
        async with house.budgets.turn("a", "private", FINAL):
            raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        await fails()
    house.call("a")
    await house.clock.advance(5)
    assert house.times("a") == [1]


async def test_lifted_limits_let_everything_through_at_once() -> None:
    house = House(())
    for number in range(200):
        house.call(f"{number % 3}", kind="free")
    for _ in range(100):
        await settle()
    await house.close()
    assert len(house.calls) == 200
    assert house.clock.now == 1000.0


async def test_idle_chats_are_forgotten_but_never_while_a_pause_lasts(house: House) -> None:
    house.budgets.pause("paused", 1e6)
    for number in range(1000):
        house.call(f"chat {number}")
        await house.clock.advance(0.5)
    assert len(house.budgets) < 200
    house.call("paused")
    await house.clock.advance(1e5)
    assert house.times("paused") == []


async def test_the_running_loop_is_the_clock_when_none_is_given() -> None:
    budgets = Budgets({"chat": Rule((Rate(1, 0.05),))})
    loop = asyncio.get_running_loop()
    began = loop.time()
    for _ in range(3):
        async with budgets.turn("a", "chat", FINAL):
            pass
    assert loop.time() - began >= 0.1


def test_an_unlimited_rate_is_an_empty_rule_and_no_rate_of_zero() -> None:
    with pytest.raises(ValueError, match="one call or more"):
        Rate(0, 1)
    with pytest.raises(ValueError, match="one call or more"):
        Rate(1, 0)


CALLS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from([FINAL, FINAL, ACTION, LIVE, TYPING]),
        st.floats(0, 4),  # seconds until the next thing happens
        st.floats(0, 3),  # seconds that the call lasts
        st.floats(0, 1),  # when within it the platform takes it
        st.sampled_from(["", "", "", "cancel", "pause", "pause all", "reserve"]),
    ),
    min_size=10, max_size=60,
)  # fmt: skip
KINDS = {"a": "private", "b": "channel", "c": "group"}
WHOLE = Rate(4, 2.0)


@settings(max_examples=60, deadline=None)
@given(CALLS)
def test_whatever_happens_no_window_holds_more_than_the_budget(
    happenings: list[Happening],
) -> None:
    asyncio.run(_play(happenings))


async def _play(happenings: list[Happening]) -> None:
    house = House((WHOLE,))
    pauses: list[tuple[float, float, str]] = []
    cancelled = 0
    for chat, priority, wait_s, lasts_s, share, also in happenings:
        task = house.call(chat, kind=KINDS[chat], priority=priority, lasts_s=lasts_s, late_s=lasts_s * share)
        await asyncio.sleep(0)
        if also == "cancel":
            cancelled += task.cancel()
        elif also == "pause":
            house.budgets.pause(chat, 9)
            pauses.append((house.clock.now, house.clock.now + 9, chat))
        elif also == "pause all":
            house.budgets.pause_all(3)
            pauses += [(house.clock.now, house.clock.now + 3, each) for each in KINDS]
        elif also == "reserve":
            house.budgets.reserve(chat, 1, holder=len(pauses) % 2)
        await house.clock.advance(wait_s)
    for chat in KINDS:
        house.budgets.reserve(chat, 0, holder=0)
        house.budgets.reserve(chat, 0, holder=1)
    await house.clock.advance(3600)
    unanswered = [task for task in house.tasks if not task.done()]
    await house.close()
    assert not unanswered
    assert len(house.calls) >= len(happenings) - cancelled
    for chat, kind in KINDS.items():
        at = [at for at, where, _ in house.calls if where == chat]
        _keeps_to(at, RULES[kind].calls[0])
    _keeps_to([at for at, _, _ in house.calls], WHOLE)


def _keeps_to(times: list[float], rate: Rate) -> None:
    ordered = sorted(times)
    for first, last in zip(ordered, ordered[rate.calls :], strict=False):
        assert last - first >= rate.seconds - 1e-6


PAUSES = st.lists(st.tuples(st.sampled_from("abcd"), st.floats(0.1, 30), st.booleans(), st.floats(0, 5)), min_size=5, max_size=40)


@settings(max_examples=60, deadline=None)
@given(PAUSES)
def test_no_call_is_made_to_a_chat_before_its_pause_is_over_and_others_do_not_wait(
    happenings: list[tuple[str, float, bool, float]],
) -> None:
    asyncio.run(_play_pauses(happenings))


async def _play_pauses(happenings: list[tuple[str, float, bool, float]]) -> None:
    """Instant calls, no rates: a call that is not paused is made at once."""
    house = House(())
    until: defaultdict[str, float] = defaultdict(float)
    asked: list[tuple[str, str, float]] = []
    for number, (chat, pause_s, pauses, wait_s) in enumerate(happenings):
        if pauses:
            house.budgets.pause(chat, pause_s)
            until[chat] = max(until[chat], house.clock.now + pause_s)
        asked.append((str(number), chat, max(house.clock.now, until[chat])))
        house.call(chat, str(number), kind="free", priority=LIVE)
        await settle()
        await house.clock.advance(wait_s)
    await house.clock.advance(1000)
    made = {name: at for at, _, name in house.calls}
    await house.close()
    for name, _, earliest in asked:
        assert made[name] >= earliest
    for chat in set("abcd") - {chat for chat, _, pauses, _ in happenings if pauses}:
        assert all(made[name] == earliest for name, where, earliest in asked if where == chat)


def test_a_window_counts_and_says_when() -> None:
    window = Window(3, 600)
    assert window.may(0)
    for now in (0, 5, 100):
        window.add(now)
    assert not window.may(100)
    assert window.when(100) == 610  # the slot of 0 to 10 s has left the window
    assert not window.may(609.9)
    assert window.may(610)
    assert window.count(610) == 1


def test_a_window_lasts_over_a_restart() -> None:
    window = Window(1000, 86_400)
    for number in range(999):
        window.add(1_790_000_000.0 + number * 80)
    stored = window.dump()
    assert len(stored) < 1300
    again = Window(1000, 86_400, stored)
    now = 1_790_000_000.0 + 999 * 80
    assert again.may(now)
    again.add(now)
    assert not again.may(now)
    assert again.when(now) > now


def test_a_clock_that_was_set_back_neither_frees_nor_blocks_for_ever() -> None:
    window = Window(2, 60)
    window.add(5000)
    window.add(5000)
    assert not window.may(100)
    assert window.when(100) <= 100 + 62
    assert window.may(162)


def test_a_window_of_another_length_keeps_what_was_counted() -> None:
    stored = Window(5, 600)
    stored.add(1000)
    stored.add(1000)
    window = Window(2, 60, stored.dump())
    assert not window.may(1000)


def test_what_is_no_stored_window_is_refused() -> None:
    for stored in ("", "[]", "{}", '{"slot_s":1,"counts":[1]}', "null"):
        with pytest.raises(ValueError, match="window"):
            Window(1, 60, stored)


def test_never_is_infinite() -> None:
    assert math.isinf(Window(0, 60).when(0))


@given(st.lists(st.floats(0, 300), min_size=1, max_size=80), st.integers(1, 10))
def test_no_span_holds_more_than_a_window_allows(gaps: list[float], limit: int) -> None:
    window, now, times = Window(limit, 600), 1e9, []
    for gap in gaps:
        now += gap
        if window.may(now):
            window.add(now)
            times.append(now)
            window = Window(limit, 600, window.dump())
        else:
            assert window.when(now) > now
            assert window.may(window.when(now))
            window = Window(limit, 600, window.dump())
    _keeps_to(times, Rate(limit, 600))


async def test_a_turn_within_a_stack_is_left_with_it(house: House) -> None:
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(house.budgets.turn("a", "private", FINAL))
        house.call("a")
        await house.clock.advance(10)
        assert house.times("a") == []
    await house.clock.advance(1)
    assert house.times("a") == [11]


async def test_a_turn_that_comes_to_who_was_just_cancelled_goes_to_the_next(house: House) -> None:
    async with house.budgets.turn("a", "free", FINAL):
        leaving, waiting = house.call("a", "leaving", kind="free"), house.call("a", "waiting", kind="free")
        await settle()
        leaving.cancel()  # and the turn is over before it can leave
    await settle()

    assert waiting.done()
    assert house.names() == ["waiting"]
