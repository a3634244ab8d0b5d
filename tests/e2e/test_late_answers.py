"""Answers that are late or long: past the time of a command, over the end of the daemon, in many messages, as a file."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
import pytest_asyncio

from tests.e2e.platforms import BOILER, Street, street
from tests.rigs.discord import Discord
from tests.rigs.seats import DiscordQuestion, DiscordSeat, Question, Seat, TelegramSeat
from tests.rigs.telegram import Telegram

pytestmark = pytest.mark.asyncio(loop_scope="module")

T = TypeVar("T")
FREEZER = "behind the freezer"
_LIFE_S = 2.0
"""Of a command's token, at the daemon; the stand-in gives it half a second more."""
_ENVIRONMENT: dict[str, Any] = {
    "GRILLON_MODEL__NAME": "qwen3:8b",
    "GRILLON_MODEL__CONTEXT_WINDOW": "16384",
    "GRILLON_MODEL__ANSWER_TOKENS": "8000",
    "GRILLON_DAEMON__GRACE_S": "0",
    "GRILLON_LIMITS__PERSON_MINUTE": "1000",
}


async def until(true: Callable[[], T], timeout_s: float = 30.0) -> T:
    """Wait for something to become true, and return it. Raises `TimeoutError`."""
    async with asyncio.timeout(timeout_s):
        while not (found := true()):
            await asyncio.sleep(0.02)
        return found


class Hall:
    """The street with somebody on each platform; `script` of the model is as it was after each test."""

    def __init__(self, place: Street, ann: DiscordSeat, tom: TelegramSeat) -> None:
        self.place = place
        self.ann = ann
        self.tom = tom

    def violations(self) -> list[object]:
        """What a bot should not do, on either platform. After a restart a command may come again, and be acknowledged again."""
        found = [one for one in self.place.discord.violations if one.kind != "acknowledged twice"]
        return [*found, *self.place.telegram.ledger.violations()]

    def think(self, seconds: float) -> None:
        """Let the model think that long before its first word."""
        self.place.ollama.set(first_token_s=seconds)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opened(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Hall]:
    seats: list[tuple[DiscordSeat, TelegramSeat]] = []

    def invite(telegram: Telegram, discord: Discord) -> None:
        ann, tom = discord.person("Ann"), telegram.person("Tom")
        seats.append((DiscordSeat(discord, ann, ann.dm), TelegramSeat(telegram, tom)))

    more = f"deadlines = {{ interaction_s = {_LIFE_S} }}"
    async with street(
        tmp_path_factory.mktemp("late"), start=False, invite=invite, model="slots = 4", discord_more=more, slots=4
    ) as place:
        place.discord.script.token_s = _LIFE_S + 0.5
        await start(place)
        yield Hall(place, *seats[0])


async def start(place: Street) -> None:
    """Start the daemon, or start it again."""
    await place.daemon.start(indexed=True, **_ENVIRONMENT)
    await place.discord.connected(30)


@pytest.fixture
def hall(opened: Hall) -> Iterator[Hall]:
    yield opened
    opened.place.ollama.set(first_token_s=0.0, tokens=None, tokens_s=0.0, answer=None)
    opened.ann.person.accepts_dms = True


# Commands whose model is slower than their token


async def test_a_command_in_a_server_is_acknowledged_at_once_and_answered_in_the_channel_when_its_time_is_over(
    hall: Hall,
) -> None:
    ann = hall.ann.person
    channel = hall.place.discord.guild("House", ann).channel("hall")
    hall.think(_LIFE_S + 1.5)
    asked = ann.slash("ask", {"question": BOILER}, where=channel)
    posts = await until(lambda: hall.place.discord.ledger.containing(FREEZER, channel))
    assert asked.ack_s is not None
    assert asked.ack_s < 2.0
    assert [post.interaction for post in posts] == [None]
    assert hall.violations() == []


async def test_where_the_app_is_a_persons_own_a_late_answer_comes_in_a_private_message(hall: Hall) -> None:
    ann = hall.ann.person
    channel = hall.place.discord.guild("Elsewhere", ann, has_bot=False).channel("hall")
    hall.think(_LIFE_S + 1.5)
    before = len(hall.place.discord.ledger.by_bot(ann.dm))
    ann.slash("ask", {"question": BOILER}, where=channel, user_install=True)
    posts = await until(lambda: hall.place.discord.ledger.by_bot(ann.dm)[before:])
    assert FREEZER in posts[0].content
    assert hall.place.discord.ledger.containing(FREEZER, channel) == []


@pytest.mark.hours
@pytest.mark.timeout(1800)
async def test_a_model_of_twenty_minutes_answers_commands_of_a_quarter_of_an_hour(tmp_path: Path) -> None:
    """The deadlines are Discord's own, and the settings' for them."""
    environment = _ENVIRONMENT | {"GRILLON_MODEL__FIRST_TOKEN_S": "3000"}

    def invite(_: Telegram, discord: Discord) -> None:
        discord.person("Ann")

    async with street(tmp_path, start=False, invite=invite, model="slots = 4", slots=4) as place:
        ann = next(one for one in place.discord.house.world.people.values() if one.name == "Ann")
        await place.daemon.start(indexed=True, **environment)
        await place.discord.connected(30)
        here = place.discord.guild("House", ann).channel("hall")
        away = place.discord.guild("Elsewhere", ann, has_bot=False).channel("hall")
        place.ollama.set(first_token_s=1200.0)
        commands = [
            ann.slash("ask", {"question": BOILER}, where=here),
            ann.slash("ask", {"question": f"{BOILER} Elsewhere?"}, where=away, user_install=True),
        ]
        for place_ in (here, ann.dm):
            posts = await until(lambda where=place_: place.discord.ledger.containing(FREEZER, where), 1300)  # type: ignore[misc]
            assert [post.interaction for post in posts] == [None]
        assert all(command.ack_s is not None and command.ack_s < 1.0 for command in commands)
        assert place.discord.violations == []


async def test_who_takes_no_private_messages_gets_a_late_answer_with_the_next_command(hall: Hall) -> None:
    ann = hall.ann.person
    ann.accepts_dms = False
    channel = hall.place.discord.guild("Beyond", ann, has_bot=False).channel("hall")
    hall.think(_LIFE_S + 1.5)
    ann.slash("ask", {"question": BOILER}, where=channel, user_install=True)
    refused = len(hall.place.discord.calls)
    await until(lambda: any(call.status == 403 for call in hall.place.discord.calls[refused:]))
    hall.think(0.0)
    visit = ann.slash("help", where=channel, user_install=True)
    posts = await until(lambda: [post for post in visit.followups if FREEZER in post.content])
    assert posts[0].only_for is ann


async def test_what_is_longer_than_one_message_comes_as_a_file_where_no_further_ones_can_be_sent(hall: Hall) -> None:
    ann = hall.ann.person
    channel = hall.place.discord.guild("Far", ann, has_bot=False).channel("hall")
    hall.place.ollama.set(tokens=400)
    asked = ann.slash("ask", {"question": BOILER}, where=channel, user_install=True)
    original = await until(lambda: asked.original if asked.original is not None and asked.original.files else None)
    assert original is not None
    assert re.findall(rb"word(\d+)", original.files[0].data) == [str(n).encode() for n in range(400)]
    assert original.content.startswith("word0 word1")
    assert asked.followups == []


# Long answers


def long_answer(chars: int) -> str:
    """Markdown with headings, lists, a table's worth of words and a long fence; each word has its number."""
    blocks: list[str] = []
    number = 0
    while sum(map(len, blocks)) + 2 * len(blocks) < chars:
        words = [f"item{n}" for n in range(number, number + 40)]
        number += 40
        kind = len(blocks) % 4
        if kind == 0:
            blocks.append(f"## {words[0]}\n\n" + " ".join(words[1:]))
        elif kind == 1:
            blocks.append("\n".join(f"- **{word}** {after}" for word, after in zip(words[::2], words[1::2], strict=True)))
        elif kind == 2:
            blocks.append("```python\n" + "\n".join(" ".join(words[n : n + 4]) for n in range(0, 40, 4)) + "\n```")
        else:
            blocks.append(" ".join(words))
    return "\n\n".join(blocks)


def items(texts: list[str]) -> list[int]:
    return [int(number) for text in texts for number in re.findall(r"item(\d+)", text)]


@pytest.mark.parametrize("platform", ["discord", "telegram"])
async def test_twenty_thousand_characters_arrive_whole_and_in_order(hall: Hall, platform: str) -> None:
    answer = long_answer(19_500)
    assert len(answer) < 20_000
    hall.place.ollama.set(answer=answer)
    question: Question = hall.ann.say(BOILER) if platform == "discord" else hall.tom.say(BOILER)
    await until(lambda: items(question.answers())[-1:] == items([answer])[-1:])
    parts = question.answers()
    assert items(parts) == items([answer])
    assert len(parts) > 4
    if platform == "discord":
        assert all(part.count("```") % 2 == 0 and len(part) <= 2000 for part in parts)
    assert hall.violations() == []


@pytest.mark.parametrize("platform", ["discord", "telegram"])
async def test_past_the_setting_it_comes_as_a_file_with_its_beginning(hall: Hall, platform: str) -> None:
    answer = long_answer(20_500)
    hall.place.ollama.set(answer=answer)
    question: Question = hall.ann.say(BOILER) if platform == "discord" else hall.tom.say(BOILER)
    if isinstance(question, DiscordQuestion):
        posts = await until(lambda: [post for post in question.posts() if post.files])
        data = posts[0].files[0].data
        beginning = posts[0].content
    else:
        messages = await until(lambda: [one for one in question.messages() if one.media])
        assert messages[0].media is not None
        data, beginning = messages[0].media.data, question.messages()[0].text
    assert items([data.decode()]) == items([answer])
    assert items([beginning])[:3] == [0, 1, 2]
    assert len(beginning) < 4096


# The end of the daemon


@pytest.mark.parametrize("signal", ["SIGTERM", "SIGKILL"])
async def test_an_answer_in_progress_survives_a_restart_in_its_message(hall: Hall, signal: str) -> None:
    group = hall.place.telegram.supergroup("Choir", hall.tom.person)
    seats: list[Seat] = [hall.ann, hall.tom, TelegramSeat(hall.place.telegram, hall.tom.person, group)]
    hall.place.ollama.set(tokens=120, tokens_s=10)
    asked = [seat.say(f"{BOILER} ({signal})") for seat in seats]
    await until(lambda: all(any("word1" in text for _, text in question.views()) for question in asked))
    before = [message_ids(question) for question in asked]
    assert [len(ids) for ids in before] == [1, 0, 1]  # in a private chat on Telegram it is a draft
    await (hall.place.daemon.stop() if signal == "SIGTERM" else hall.place.daemon.kill())
    assert not any(question.answers() for question in asked)
    hall.place.ollama.set(tokens_s=0.0)
    await start(hall.place)
    await until(lambda: all("word119" in "".join(question.answers()) for question in asked), 60)
    after = [message_ids(question) for question in asked]
    assert [len(ids) for ids in after] == [1, 1, 1]
    assert (after[0], after[2]) == (before[0], before[2])
    assert hall.violations() == []


def message_ids(question: Question) -> list[str]:
    """The ids of the messages that answer it."""
    if isinstance(question, DiscordQuestion):
        return [post.id for post in question.posts()]
    return [str(message.id) for message in question.messages()]
