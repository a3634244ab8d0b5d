"""Answers that are seen while they are written: twenty chats within the platforms' limits. The figures are the bench's."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from tests.e2e.platforms import BOILER, Street, street
from tests.rigs.seats import Question, Seat, crowd, limit_errors
from tests.rigs.streams import Writing, views_of

_PACE, _WORDS, _FIRST_S = 30.0, 200, 0.4
_EACH = 5


async def until(true: object, timeout_s: float = 30.0) -> None:
    """Wait for something to become true. Raises `TimeoutError`."""
    assert callable(true)
    async with asyncio.timeout(timeout_s):
        while not true():
            await asyncio.sleep(0.05)


def writing_of(place: Street, question: str) -> Writing:
    """When the words of an answer were written."""
    (prompt,) = [one for one in place.ollama.prompts if question in one["messages"][-1]["content"]]
    return Writing(prompt["at"] + _FIRST_S, _PACE, _WORDS)


async def test_twenty_chats_see_their_answers_grow_and_no_limit_is_passed(tmp_path: Path) -> None:
    seats: list[Seat] = []
    more = f"slots = {4 * _EACH}"
    script: dict[str, Any] = {"tokens": _WORDS, "tokens_s": _PACE, "first_token_s": _FIRST_S, "slots": 4 * _EACH, "prefix": False}
    async with street(
        tmp_path, lifted=False, model=more, invite=lambda *rigs: seats.extend(crowd(*rigs, each=_EACH)), **script
    ) as place:
        texts = [f"{BOILER} (asked {n}.)" for n in range(len(seats))]
        asked = [seat.say(text) for seat, text in zip(seats, texts, strict=True)]
        await until(lambda: all(one.answers() for one in asked), 60)
        assert limit_errors(place.telegram, place.discord) == []
        for seat, question, text in zip(seats, asked, texts, strict=True):
            judge(seat, question, writing_of(place, text))


def judge(seat: Seat, question: Question, writing: Writing) -> None:
    """Bounds that a busy machine keeps too; what was shown is always a beginning of the answer."""
    views = views_of(question.views())
    grown = {view.words for view in views if 0 < view.words < writing.total}
    assert len(grown) >= (1 if seat.slow else 3), f"{seat.name}: seen {sorted(grown)}"
    behind = sorted(writing.behind(views))
    assert behind[len(behind) * 95 // 100] < (9.0 if seat.slow else 4.0), f"{seat.name}: {behind[-1]:.1f} s behind"
    sign_s = question.sign_s()
    assert sign_s is not None
    assert sign_s < 3, f"{seat.name}: no sign of life for {sign_s:.1f} s"
