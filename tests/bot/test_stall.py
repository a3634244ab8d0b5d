"""The watch over the event loop: it sees a freeze, and nothing where there is none."""

import asyncio
import time

from bot.stall import StallWatch


async def test_a_freeze_of_the_loop_is_measured() -> None:
    watch = StallWatch(0.005)
    watch.start()
    await asyncio.sleep(0.05)
    time.sleep(0.3)
    await asyncio.sleep(0.05)
    watch.stop()
    assert 0.25 <= watch.longest_s <= 1.0
    assert watch.stalled_s >= 0.25


async def test_the_last_answer_is_recent_while_the_loop_turns() -> None:
    watch = StallWatch(0.005)
    watch.start()
    await asyncio.sleep(0.1)
    watch.stop()
    assert time.monotonic() - watch.answered_at < 0.5


async def test_stopping_ends_the_thread_at_once() -> None:
    watch = StallWatch(60)
    watch.start()
    await asyncio.sleep(0.02)
    started = time.monotonic()
    await asyncio.to_thread(watch.stop)
    assert time.monotonic() - started < 5


async def test_what_was_late_before_is_forgotten_and_a_listener_hears_of_the_rest() -> None:
    watch = StallWatch(0.005)
    heard: list[float] = []
    watch.listener = heard.append
    watch.start()
    await asyncio.sleep(0.02)
    time.sleep(0.2)
    await asyncio.sleep(0.05)
    watch.forget()
    assert watch.longest_s < 0.15
    assert watch.stalled_s == 0
    watch.stop()
    assert max(heard) >= 0.15
