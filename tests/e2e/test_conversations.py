"""What people see on Discord and Telegram: buttons, commands, files, languages, places; one daemon, somebody new in each test."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest
import pytest_asyncio

from tests.e2e.doors import database, holding
from tests.e2e.platforms import BINS, BOILER, Street, street
from tests.knowledge.files import pdf
from tests.rigs.discord import Discord, Upload
from tests.rigs.discord.people import Person as DiscordPerson
from tests.rigs.discord.world import EPHEMERAL, Interaction, Post
from tests.rigs.seats import STOP, DiscordQuestion, DiscordSeat, Question, Seat, TelegramQuestion, TelegramSeat
from tests.rigs.telegram import Telegram
from tests.rigs.telegram.people import Person as TelegramPerson
from tests.rigs.telegram.records import Shown

pytestmark = pytest.mark.asyncio(loop_scope="module")

T = TypeVar("T")
FREEZER = "behind the freezer"
_PEOPLE = 24
_PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)
GARDEN = "When are the beans of the garden sown?"
_GARDEN = "# Garden\n\nThe beans of the garden are sown in May, when no frost is to be feared any more. " + " ".join(
    f"In bed {n} grow beans of the kind number {n}, which climb." for n in range(8)
)
both = pytest.mark.parametrize("platform", ["discord", "telegram"])


async def until(true: Callable[[], T], timeout_s: float = 20.0) -> T:
    """Wait for something to become true, and return it. Raises `TimeoutError`."""
    async with asyncio.timeout(timeout_s):
        while not (found := true()):
            await asyncio.sleep(0.02)
        return found


@dataclass
class Visit:
    """The street, and people who may talk and have not talked yet."""

    street: Street
    on_discord: list[DiscordPerson] = field(default_factory=list)
    on_telegram: list[TelegramPerson] = field(default_factory=list)

    @property
    def telegram(self) -> Telegram:
        return self.street.telegram

    @property
    def discord(self) -> Discord:
        return self.street.discord

    def ann(self, locale: str = "en-US") -> DiscordSeat:
        """Somebody in a private chat on Discord."""
        person = self.on_discord.pop()
        person.locale = locale
        return DiscordSeat(self.discord, person, person.dm)

    def tom(self, language: str = "en") -> TelegramSeat:
        """Somebody in a private chat on Telegram."""
        person = self.on_telegram.pop()
        person.user.language = language
        return TelegramSeat(self.telegram, person)

    def seat(self, platform: str, language: str = "en") -> Seat:
        """Somebody in a private chat."""
        return self.ann(language) if platform == "discord" else self.tom(language)

    async def ask(self, seat: Seat, text: str, hears: str = "") -> Question:
        """Say something, and wait for its answer, in which something is heard."""
        return await self.heard(seat.say(text), hears)

    async def heard(self, question: Question, hears: str = "") -> Question:
        """Wait for an answer."""
        await until(lambda: question.settled() and question.answers())
        told = "\n".join(question.answers())
        assert hears in told, told
        return question

    def rows(self, query: str, *values: Any) -> list[Any]:
        """What is in the daemon's database."""
        with database(self.street.daemon) as connection:
            return connection.execute(query, values).fetchall()

    def turns(self, seat: Seat) -> list[tuple[str, str, bool | None]]:
        """What is remembered of a person: questions, answers, what was thought of them."""
        query = """SELECT question, answer, liked FROM turns JOIN conversations ON conversations.id = conversation_id
            JOIN identities USING (person_id) WHERE user = ? ORDER BY turns.id"""
        return self.rows(query, str(seat.person.id))

    def asked(self, text: str) -> list[dict[str, Any]]:
        """The prompts in which something stands."""
        return [one for one in self.street.ollama.prompts if text in json.dumps(one["messages"], ensure_ascii=False)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def visit(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Visit]:
    people: list[tuple[DiscordPerson, TelegramPerson]] = []

    def invite(telegram: Telegram, discord: Discord) -> None:
        people.extend((discord.person(f"Ann {n}"), telegram.person(f"Tom {n}")) for n in range(_PEOPLE))

    async with street(tmp_path_factory.mktemp("visit"), invite=invite, documents={"garden.md": _GARDEN}) as opened:
        yield Visit(opened, [ann for ann, _ in people], [tom for _, tom in people])


def the_post(question: Question) -> Post:
    assert isinstance(question, DiscordQuestion)
    return question.posts()[-1]


def the_message(question: Question) -> Shown:
    assert isinstance(question, TelegramQuestion)
    return question.messages()[-1]


async def brought(pressed: Interaction) -> Post:
    """The message that a press brings."""
    post = await until(lambda: pressed.original if pressed.original is not None and not pressed.original.loading else None)
    assert post is not None
    return post


async def press(seat: Seat, question: Question, label: str) -> str:
    """Press a button under an answer; what it brings for that person alone."""
    if isinstance(seat, DiscordSeat):
        pressed = seat.person.press(the_post(question), label)
        await until(lambda: pressed.ack is not None)
        return pressed.original.content if pressed.original is not None and pressed.original is not pressed.on else ""
    message = the_message(question)
    (words,) = [one for one in message.labels() if label in one]
    return (await seat.person.pressed(message, words)).text or ""


# Sources


async def test_on_discord_a_source_is_shown_to_who_asked_alone_after_a_restart_too(visit: Visit) -> None:
    ann, ben = visit.ann(), visit.ann()
    hall = visit.discord.guild("House", ann.person, ben.person).channel("hall")
    ann.channel = hall
    question = await visit.ask(ann, BOILER, FREEZER)
    for restarted in (False, True):
        if restarted:
            await visit.street.daemon.stop()
            await visit.street.daemon.start()
            await visit.discord.connected()
        shown = await brought(ann.person.press(the_post(question), "[1]"))
        assert "pressure should be 1.5 bar" in shown.content
        assert shown.flags & EPHEMERAL
        assert shown.only_for is ann.person
    told = await brought(ben.person.press(the_post(question), "[1]"))
    assert "1.5 bar" not in told.content
    assert "not for you" in told.content


async def test_on_telegram_a_source_is_a_quote_in_private_and_an_alert_with_a_way_there_in_a_group(visit: Visit) -> None:
    tom = visit.tom()
    question = await visit.ask(tom, BOILER, FREEZER)
    await press(tom, question, "[1]")
    quote = await until(lambda: [one for one in visit.telegram.ledger.by_bot(tom.person.id) if "1.5 bar" in one.text])
    assert [one["type"] for one in quote[0].entities if one["length"] > 20] == ["expandable_blockquote"]

    kim = visit.tom()
    group = visit.telegram.supergroup("Neighbours", kim.person)
    inside = TelegramSeat(visit.telegram, kim.person, group)
    question = await visit.ask(inside, GARDEN, "sown in May")
    message = the_message(question)
    first = await kim.person.pressed(message, 0)
    assert first.alert
    assert first.text is not None
    assert "beans" in first.text
    assert len(first.text.encode("utf-16-le")) // 2 <= 200
    second = await kim.person.pressed(message, 0)
    assert second.url is not None
    assert kim.person.follow(second.url) is not None
    await until(lambda: [one for one in visit.telegram.ledger.by_bot(kim.person.id) if "number 7" in one.text])


# Buttons under and over an answer


@both
async def test_an_opinion_is_stored_with_the_turn_and_a_retry_takes_its_place(visit: Visit, platform: str) -> None:
    seat = visit.seat(platform)
    question = await visit.ask(seat, BOILER, FREEZER)
    assert "noted" in await press(seat, question, "👍")
    assert [liked for *_, liked in visit.turns(seat)] == [1]
    assert "noted" in await press(seat, question, "👎")
    assert [liked for *_, liked in visit.turns(seat)] == [0]
    before = len(visit.asked(BOILER))
    await press(seat, question, "🔄")
    await until(lambda: len(visit.asked(BOILER)) > before and [liked for *_, liked in visit.turns(seat)] == [None])
    assert [text for text, *_ in visit.turns(seat)] == [BOILER]


@both
async def test_the_red_button_stops_an_answer(visit: Visit, platform: str) -> None:
    seat = visit.seat(platform)
    if isinstance(seat, TelegramSeat):  # a draft has no buttons: there it is in groups
        seat.group = visit.telegram.supergroup("Choir", seat.person)
    visit.street.ollama.set(tokens=200, tokens_s=10)
    try:
        question = seat.say(BOILER)
        await until(lambda: question.views() and "word1" in question.views()[-1][1])
        await press(seat, question, STOP)
    finally:
        visit.street.ollama.set(tokens=None, tokens_s=0)
    await visit.heard(question, "Stopped")
    assert visit.turns(seat) == []


async def test_on_discord_a_question_that_is_deleted_is_not_answered(visit: Visit) -> None:
    ann = visit.ann()
    visit.street.ollama.set(first_token_s=2.0)
    before = len(visit.asked(BOILER))
    question = ann.say(BOILER)
    await until(lambda: len(visit.asked(BOILER)) > before)
    closed = visit.street.ollama.counters.closed_early
    ann.person.delete(question.post)
    await until(lambda: visit.street.ollama.counters.closed_early > closed)
    visit.street.ollama.set(first_token_s=0.0)
    await visit.ask(ann, BINS, "mardi soir")
    assert [text for text, *_ in visit.turns(ann)] == [BINS]
    assert not [post for post in visit.discord.ledger.by_bot(ann.channel) if FREEZER in post.content]


# Files


def send(visit: Visit, seat: Seat, text: str, name: str, data: bytes, media_type: str, claimed: int | None = None) -> Question:
    """Send a file with a question."""
    if isinstance(seat, DiscordSeat):
        data = data if claimed is None else bytes(claimed)
        return DiscordQuestion(visit.discord, seat.person.say(seat.channel, text, files=[Upload(name, data, media_type)]))
    sent = seat.person.send_file(name, data, text, media_type=media_type, claimed=claimed)
    return TelegramQuestion(visit.telegram, sent)


@both
@pytest.mark.parametrize("kind", ["md", "pdf"])
async def test_a_file_is_read_for_the_conversation_it_came_with_and_no_other(visit: Visit, platform: str, kind: str) -> None:
    seat, other = visit.seat(platform), visit.seat(platform)
    told = f"The spare key of the {platform} shed hangs under the third flowerpot ({kind})."
    data = pdf([told]) if kind == "pdf" else f"# Keys\n\n{told}\n".encode()
    asked = "Where does the spare key of the shed hang?"
    question = send(visit, seat, asked, f"keys.{kind}", data, "application/pdf" if kind == "pdf" else "text/markdown")
    await visit.heard(question)
    assert visit.asked(f"flowerpot ({kind})")
    count = len(visit.asked(f"{platform} shed"))
    await visit.ask(other, asked)
    assert len(visit.asked(f"{platform} shed")) == count


@both
async def test_a_picture_goes_to_a_model_that_sees_and_is_declined_by_one_that_does_not(visit: Visit, platform: str) -> None:
    seat = visit.seat(platform)
    await visit.heard(send(visit, seat, "What is on this picture?", "cat.png", _PNG, "image/png"), "cannot see")
    assert not [one for one in visit.street.ollama.prompts if any(message.get("images") for message in one["messages"])]
    visit.street.ollama.set(capabilities={"smollm2:135m": ["completion", "vision"]})
    try:
        await visit.heard(send(visit, seat, "What is on this picture?", "cat.png", _PNG, "image/png"))
        seen = [one for one in visit.street.ollama.prompts if any(message.get("images") for message in one["messages"])]
        assert seen
    finally:
        visit.street.ollama.set(capabilities={})
        visit.street.ollama.prompts.clear()


@both
@pytest.mark.parametrize(
    ("name", "media_type", "claimed", "hears"),
    [
        ("song.ogg", "audio/ogg", None, "cannot listen"),
        ("game.exe", "application/octet-stream", None, "cannot read"),
        ("long.pdf", "application/pdf", 20_500_000, "too large"),
    ],
)
async def test_what_cannot_be_read_is_declined_before_it_is_downloaded(
    visit: Visit, platform: str, name: str, media_type: str, claimed: int | None, hears: str
) -> None:
    seat = visit.seat(platform)
    before = len(visit.telegram.ledger.calls_of("getFile"))
    question = send(visit, seat, "What is it?", name, b"x" * 100, media_type, claimed)
    await visit.heard(question, hears)
    assert len(visit.telegram.ledger.calls_of("getFile")) == before
    if isinstance(question, DiscordQuestion):
        assert question.post.files[0].fetched == 0
        question.post.files[0].data = b""
    assert visit.turns(seat) == []


# Oneself


@both
async def test_in_private_mode_nothing_is_left_and_the_buttons_say_so(visit: Visit, platform: str) -> None:
    seat = visit.seat(platform)
    await visit.ask(seat, "/private on", "Private mode is on")
    canary = f"vermilion{platform}"
    question = await visit.ask(seat, f"{BOILER} It is for {canary}.", FREEZER)
    await until(lambda: not visit.rows("SELECT 1 FROM inbox WHERE state != 'sent' LIMIT 1"))
    await until(lambda: not holding(visit.street.daemon.state, canary.encode()))
    if isinstance(seat, DiscordSeat):
        assert "private mode" in await press(seat, question, "[1]")
    else:
        told = await press(seat, question, "[1]")
        assert "private mode" in told


@both
async def test_ones_data_comes_as_a_file_and_is_ones_own(visit: Visit, platform: str) -> None:
    seat, other = visit.seat(platform), visit.seat(platform)
    await visit.ask(other, f"{BOILER} Says somebody else.", FREEZER)
    await visit.ask(seat, BOILER, FREEZER)
    question = await visit.ask(seat, "/mydata")
    if isinstance(question, DiscordQuestion):
        (file,) = the_post(question).files
        data = file.data
    else:
        media = (await until(lambda: [one for one in question.messages() if one.media]))[0].media
        assert media is not None
        data = media.data
    held = json.loads(data)
    assert [turn["question"] for one in held["conversations"] for turn in one["turns"]] == [BOILER]
    assert b"somebody else" not in data


async def test_linked_accounts_are_one_person_with_one_memory(visit: Visit) -> None:
    ann, tom = visit.ann(), visit.tom()
    await visit.ask(ann, BOILER, FREEZER)
    told = (await visit.ask(ann, "/link", "/link")).answers()[0]
    code = told.rpartition("/link ")[2].strip("`* ")
    await visit.ask(tom, f"/link {code}", "yourself")
    await visit.ask(tom, f"/link {code}", "one person now")
    await visit.ask(tom, "Where does it stand?")
    history = [message["content"] for message in visit.street.ollama.prompts[-1]["messages"]]
    assert any(BOILER in text for text in history[:-1])


# Commands and languages


async def test_commands_are_announced_natively_with_their_french_names(visit: Visit) -> None:
    commands = {one["name"]: one for one in await until(lambda: visit.discord.commands)}
    assert commands["retry"]["name_localizations"]["fr"] == "réessayer"
    assert commands["ask"]["description_localizations"]["fr"]
    menus = await until(lambda: visit.telegram.world.commands)
    french = next(menu for (_, language), menu in menus.items() if language == "fr")
    english = next(menu for (_, language), menu in menus.items() if not language)
    assert {one["command"] for one in french} == {one["command"] for one in english} >= {"ask", "retry", "private", "link"}
    assert [one["description"] for one in french] != [one["description"] for one in english]


async def test_a_french_person_uses_the_french_name_and_hears_french(visit: Visit) -> None:
    ann = visit.ann("fr")
    slash = ann.person.slash("recommencer", where=ann.channel)
    answers = await visit.discord.answered(slash)
    assert "nouveau" in answers[0].content.lower() or "zéro" in answers[0].content.lower(), answers[0].content


@both
async def test_sentences_are_in_the_persons_language(visit: Visit, platform: str) -> None:
    seat = visit.seat(platform, "fr")
    if platform == "telegram":  # of a message, Discord does not tell the language of the client
        await visit.ask(seat, "/help", "commande")
    await visit.ask(seat, "/language en", "English")
    await visit.ask(seat, "/help", "use a command")
    await visit.ask(seat, "/language fr", "français")
    await visit.ask(seat, "/sources", "source")


# Places


@pytest.mark.parametrize("place", ["telegram group", "telegram topics", "discord channel", "discord threads"])
async def test_in_a_shared_place_each_person_has_a_conversation_of_their_own(visit: Visit, place: str) -> None:
    one, two, again = _shared(visit, place)
    word = f"Ask of {place.replace(' ', '')}"
    await visit.heard(one(f"{BOILER} {word}."))
    await visit.heard(two("And where does it stand?"))
    history = json.dumps([message["content"] for message in visit.street.ollama.prompts[-1]["messages"][:-1]])
    assert word not in history
    await visit.heard(again("And where does it stand now?"))
    history = json.dumps([message["content"] for message in visit.street.ollama.prompts[-1]["messages"][:-1]])
    assert word in history


def _shared(visit: Visit, place: str) -> tuple[Callable[[str], Question], ...]:
    """Who asks first, who else asks (another person, or the same one in another topic or thread), and the first one again."""
    if place.startswith("discord"):
        ann, ben = visit.ann(), visit.ann()
        hall = visit.discord.guild("House", ann.person, ben.person).channel("hall")
        if place == "discord channel":
            ann.channel = ben.channel = hall
            return ann.say, ben.say, ann.say
        ann.channel = hall.thread("one", ann.person)
        other = DiscordSeat(visit.discord, ann.person, hall.thread("two", ann.person))
        return ann.say, other.say, ann.say
    tom, kim = visit.tom(), visit.tom()
    group = visit.telegram.supergroup("Neighbours", tom.person, kim.person)
    tom.group = kim.group = group
    if place == "telegram group":
        return tom.say, kim.say, tom.say
    bot = visit.telegram.world.bot.username
    topics = [group.topic("one"), group.topic("two")]

    def into(topic: int) -> Callable[[str], Question]:
        return lambda text: TelegramQuestion(visit.telegram, tom.person.say(f"@{bot} {text}", group, thread=topic))

    return into(topics[0]), into(topics[1]), into(topics[0])
