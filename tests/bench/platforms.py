"""Chat platforms: how far what people see is behind what is written, the first sign and word, messages a second."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from tests.bench.household import Household
from tests.bench.stream import ask
from tests.bench.table import Row, percentile
from tests.e2e.platforms import BOILER, Street, settings_of, street
from tests.rigs.discord import Discord
from tests.rigs.seats import DiscordSeat, Question, Seat, TelegramSeat, crowd, limit_errors
from tests.rigs.streams import Writing, views_of
from tests.rigs.telegram import Telegram

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import aiohttp

_CHATS, _PACE, _WORDS = 20, 30.0, 240
_BEHIND_S, _BEHIND_GROUP_S = 1.3, 5.0
_SIGN_MS, _FIRST_MS = 300, 150
_THINKS_S = 0.6
_CLIENTS = 50
_CONVERSATION = 20
_SHARE = 0.5
_MS = 1000
_PACE_LIFTED = "[limits]\nperson_minute = 100000\nperson_day = 100000\nqueue_person = 500\n"


async def measure(folder: Path) -> list[Row]:
    """All rows about the chat platforms."""
    work = folder / f"platforms-{time.time_ns()}"
    work.mkdir()
    return [*await streaming(work / "streaming"), *await messages(work / "messages")]


async def streaming(folder: Path) -> list[Row]:
    """Twenty chats of each platform at once, then one after the other, within the platforms' own limits."""
    folder.mkdir()
    seats: list[Seat] = []
    script: dict[str, Any] = {"tokens": _WORDS, "tokens_s": _PACE, "first_token_s": _THINKS_S, "slots": _CHATS, "prefix": False}
    async with street(
        folder,
        lifted=False,
        settings=_PACE_LIFTED,
        model=f"slots = {_CHATS}",
        invite=lambda *rigs: seats.extend(crowd(*rigs, each=_CHATS // 2)),
        **script,
    ) as place:
        rows = []
        for platform in ("discord", "telegram"):
            rows += await _together(place, [seat for seat in seats if seat.name.startswith(platform)], platform)
        place.ollama.set(tokens=12)
        for platform in ("discord", "telegram"):
            rows.append(await _alone(place, [seat for seat in seats if seat.name.startswith(platform)], platform))
        errors = limit_errors(place.telegram, place.discord)
        return [*rows, Row("limit errors of both stand-ins meanwhile", f"{len(errors)} {errors[:1] or ''}", "0", "", not errors)]


async def _together(place: Street, seats: Sequence[Seat], platform: str) -> list[Row]:
    """All of them ask at the same moment."""
    asked = [(seat, seat.say(_worded(seat))) for seat in seats]
    for seat, question in asked:
        await _answered(seat, question)
    behind: dict[bool, list[float]] = {False: [], True: []}
    for seat, question in asked:
        behind[seat.slow] += _writing(place, _worded(seat), _WORDS).behind(views_of(question.views()))
    return [
        Row(
            f"{platform}: shown behind written, {len(seats)} chats{', groups' if slow else ''}",
            f"p50 {percentile(found, 0.5):.2f} s, p95 {percentile(found, 0.95):.2f} s",
            f"p95 <= {_BEHIND_GROUP_S if slow else _BEHIND_S} s",
            f"{_PACE:g} tokens/s each",
            percentile(found, 0.95) <= (_BEHIND_GROUP_S if slow else _BEHIND_S),
        )
        for slow, found in behind.items()
        if found
    ]


async def _alone(place: Street, seats: Sequence[Seat], platform: str) -> Row:
    """Each asks when the one before is answered: what we add, without a crowd."""
    signs, firsts = [], []
    for seat in seats:
        text = f"{_worded(seat)} Again."
        question = seat.say(text)
        await _answered(seat, question)
        signs.append(question.sign_s() or 0.0)
        firsts.append(_writing(place, text, 12).first(views_of(question.views())))
    sign, first = percentile(signs, 0.95) * _MS, percentile(firsts, 0.95) * _MS
    return Row(
        f"{platform}: sign of life after a message / first words after the first token",
        f"p95 {sign:.0f} ms / p95 {first:.0f} ms",
        f"<= {_SIGN_MS} / {_FIRST_MS} ms",
        f"p50 {percentile(signs, 0.5) * _MS:.0f} / {percentile(firsts, 0.5) * _MS:.0f} ms",
        sign <= _SIGN_MS and first <= _FIRST_MS,
    )


async def messages(folder: Path, seconds: float = 6, rounds: int = 3) -> list[Row]:
    """Messages a second, instant model, budgets lifted: HTTP, Discord and Telegram in turn."""
    folder.mkdir()
    async with AsyncExitStack() as stack:
        telegram, discord = await stack.enter_async_context(Telegram()), await stack.enter_async_context(Discord(lifted=True))
        sitting = crowd(telegram, discord, each=_CLIENTS)
        settings = _PACE_LIFTED + settings_of(telegram, discord)
        house = await stack.enter_async_context(Household(folder, chunks=1000, settings=settings))
        session = await stack.enter_async_context(house.running())
        await discord.connected()
        await house.rig.set(tokens_s=0, first_token_s=0, tokens=100)
        await house.rig.reset(record=10)
        seats = {
            kind: [seat for seat in sitting if isinstance(seat, kind) and "private" in seat.name]
            for kind in (DiscordSeat, TelegramSeat)
        }
        figures: list[tuple[float, ...]] = []
        for round_ in range(rounds + 1):
            http = await _by_http(house, session, seconds)
            figures.append((http, *[await _by_seats(house, seats[kind], seconds) for kind in seats]))
            print("  http {:.0f}/s, discord {:.0f}/s, telegram {:.0f}/s".format(*figures[-1]), flush=True)
            if not round_:  # every statement and every connection made once
                figures.clear()
    return [_share("Discord", figures, 1), _share("Telegram", figures, 2)]


def _share(name: str, figures: Sequence[tuple[float, ...]], column: int) -> Row:
    shares = sorted(one[column] / one[0] for one in figures)
    share = shares[len(shares) // 2]
    rates = [sorted(one[n] for one in figures)[len(figures) // 2] for n in (column, 0)]
    return Row(
        f"messages/s through {name}, {_CLIENTS} at once",
        f"{100 * share:.0f} % ({rates[0]:.0f}/s)",
        f">= {100 * _SHARE:.0f} %",
        f"the HTTP door {rates[1]:.0f}/s",
        share >= _SHARE,
    )


async def _by_http(house: Household, session: aiohttp.ClientSession, seconds: float) -> float:
    ends = time.perf_counter() + seconds

    async def client(number: int) -> int:
        count, questions = 0, house.questions(seed=time.time_ns() + number)
        while time.perf_counter() < ends:
            await ask(session, house.daemon.url, next(questions), f"client {number}.{count // _CONVERSATION}")
            count += 1
        return count

    return await _rate(client)


async def _by_seats(house: Household, seats: Sequence[Seat], seconds: float) -> float:
    ends = time.perf_counter() + seconds

    async def client(number: int) -> int:
        count, questions = 0, house.questions(seed=time.time_ns() + number)
        while time.perf_counter() < ends:
            if count % _CONVERSATION == _CONVERSATION - 1:
                await _answered(seats[number], seats[number].say("/reset"), 0.01)
            await _answered(seats[number], seats[number].say(next(questions)), 0.01)
            count += 1
        return count

    return await _rate(client)


async def _rate(client: Callable[[int], object]) -> float:
    started = time.perf_counter()
    counts = await asyncio.gather(*(client(n) for n in range(_CLIENTS)))  # type: ignore[call-overload]
    return float(sum(counts) / (time.perf_counter() - started))


async def _answered(seat: Seat, question: Question, look_s: float = 0.05) -> None:
    """Wait for the final text. Raises `AssertionError` when it does not come."""
    ends = time.perf_counter() + 60
    while not question.settled():
        assert time.perf_counter() < ends, f"{seat.name} got no answer: {question.views()[-1:]}"
        await asyncio.sleep(look_s)


def _worded(seat: Seat) -> str:
    return f"{BOILER} ({seat.name} asks.)"


def _writing(place: Street, question: str, words: int) -> Writing:
    prompts: Iterator[dict[str, object]] = iter(place.ollama.prompts)
    begun = [one["at"] for one in prompts if str(one["messages"][-1]["content"]).endswith(question)]  # type: ignore[index]
    assert len(begun) == 1, f"{question} was put to the model {len(begun)} times"
    return Writing(float(begun[0]) + _THINKS_S, _PACE, words)  # type: ignore[arg-type]
