"""Commands, the menu of messages and presses: acknowledged in time, answered where only those see it who should."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from adapters.types import Button, NotSentError, Part, Pressed, Reply, Said
from tests.adapters.discord.house import Home
from tests.rigs.discord import Discord, Interaction, Upload

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.rigs.discord import Channel, Person

BUTTONS = (Button("source", "[1] Manual", "code-1"), Button("retry", "🔄", "code-r"))


@pytest.fixture
async def rig() -> AsyncIterator[Discord]:
    """A stand-in whose bot has no limits and does nothing wrong."""
    async with Discord(lifted=True) as rig:
        yield rig
        assert rig.violations == []


async def slash(
    home: Home, person: Person, name: str, where: Channel, *, user_install: bool = False, **options: object
) -> Interaction:
    """Use a command once it is announced, and wait until it is stored."""
    await home.true(lambda: home.rig.commands)
    before = home.host.tries
    interaction = person.slash(name, options, where=where, user_install=user_install)
    await home.true(lambda: home.host.tries > before)
    return interaction


async def test_commands_are_announced_in_both_languages_and_only_when_they_changed(rig: Discord) -> None:
    home = Home(rig)
    async with home.open():
        await home.true(lambda: rig.commands)
        await home.true(lambda: "commands" in home.ledger.values)
    home.new()
    async with home.open():
        await asyncio.sleep(0.1)
    assert len([call for call in rig.calls if call.name == "commands.put"]) == 1
    by_name = {command["name"]: command for command in rig.commands}
    ask = by_name["ask"]
    assert ask["name_localizations"] == {"fr": "demander"}
    assert (ask["contexts"], ask["integration_types"]) == ([0, 1, 2], [0, 1])
    assert [option["type"] for option in ask["options"]] == [3, 11]
    assert [choice["value"] for choice in by_name["private"]["options"][0]["choices"]] == ["on", "off"]
    assert by_name["people"]["contexts"] == [1]
    menu = by_name["discord_ask_about in en"]
    assert (menu["type"], menu["name_localizations"]) == (3, {"fr": "discord_ask_about in fr"})


async def test_a_command_is_a_message_as_if_typed_and_its_answer_takes_the_place_of_thinking(rig: Discord) -> None:
    alice = rig.person("Alice", locale="fr")
    hall = rig.guild("Hearth", alice).channel("hall")
    home = Home(rig)
    async with home.open():
        it = await slash(home, alice, "demander", hall, question="pourquoi ?", file=Upload("a.txt", b"abc"))
        await home.answer(Reply("Parce que. " * 300, buttons=BUTTONS))
    (message,) = home.host.messages
    assert (message.text, message.locale, message.private) == ("/ask pourquoi ?", "fr", False)
    assert [attachment.name for attachment in message.attachments] == ["a.txt"]
    assert it.ack == 5
    assert it.ack_s is not None
    assert it.ack_s < 1
    first, second = rig.ledger.by_bot(hall)
    assert first is it.original
    assert (first.loading, second.interaction) == (False, None)
    assert home.points[:2] == ["fetch", "confirm"]


async def test_personal_commands_are_for_the_eyes_of_the_asker(rig: Discord) -> None:
    alice, bob = rig.person("Alice"), rig.person("Bob")
    hall = rig.guild("Hearth", alice, bob).channel("hall")
    home = Home(rig)
    async with home.open():
        await slash(home, alice, "sources", hall)
        await home.answer("my source " * 500)
        await slash(home, alice, "sources", alice.dm)
        await home.answer("in private")
    assert rig.ledger.visible(hall, bob) == []
    (seen,) = rig.ledger.visible(hall, alice)
    assert seen.files[0].data.decode().count("my source") == 500
    assert [message.private for message in home.host.messages] == [False, True]


async def test_a_slow_house_is_no_reason_to_be_late(rig: Discord) -> None:
    alice = rig.person("Alice")
    home = Home(rig, deadlines={"defer_s": 0.2})
    home.host.delay_s = 0.8
    async with home.open():
        it = await slash(home, alice, "ask", alice.dm, question="slow")
        await home.true(lambda: home.host.messages)
        assert it.ack_s is not None
        assert it.ack_s < 0.7
        await home.answer("at last")
    assert it.original is not None
    assert it.original.content == "at last"


async def test_the_first_answer_waits_for_the_acknowledgement(rig: Discord) -> None:
    alice = rig.person("Alice")
    home = Home(rig)
    rig.fault("5xx", "callback", times=1)
    async with home.open():
        it = await slash(home, alice, "ask", alice.dm, question="quick")
        await home.true(lambda: home.host.messages)
        await home.answer("quicker than the acknowledgement")
    assert [post.content for post in rig.ledger.by_bot(alice.dm)] == ["quicker than the acknowledgement"]
    assert it.original is not None


async def test_what_is_said_at_once_or_not_at_all_leaves_nothing_thinking(rig: Discord) -> None:
    alice = rig.person("Alice")
    hall = rig.guild("Hearth", alice).channel("hall")
    home = Home(rig, deadlines={"defer_s": 0.1})
    home.host.said = {"/ask who": Said("a stranger"), "/ask nothing": None}
    async with home.open():
        it = await slash(home, alice, "ask", hall, question="who")
        await home.true(lambda: it.original)
        assert it.original is not None
        assert (it.original.content, it.original.only_for) == ("a stranger", alice)
        home.host.delay_s = 0.3
        late = await slash(home, alice, "ask", hall, question="who")
        await home.true(lambda: late.original and late.original.content == "a stranger")
        none = await slash(home, alice, "ask", hall, question="nothing")
        await home.true(lambda: none.original and none.original.deleted_at)


async def test_what_one_person_asks_is_stored_in_its_order(rig: Discord) -> None:
    alice, home = rig.person("Alice"), Home(rig)
    async with home.open():
        await home.true(lambda: rig.commands)
        home.host.failures["/ask first"] = 1
        for question in ("first", "second"):
            alice.slash("ask", {"question": question}, where=alice.dm)
        await home.until(["/ask first", "/ask second"])


async def test_a_command_that_cannot_be_stored_is_tried_again(rig: Discord) -> None:
    alice = rig.person("Alice")
    home = Home(rig)
    home.host.failures["/ask hard"] = 2
    async with home.open():
        it = await slash(home, alice, "ask", alice.dm, question="hard")
        await home.until(["/ask hard"])
        await home.true(lambda: it.ack == 5)


async def test_the_menu_of_a_message_asks_about_it_and_obeys_nothing_in_it(rig: Discord) -> None:
    alice, bob = rig.person("Alice"), rig.person("Bob")
    hall = rig.guild("Hearth", alice, bob).channel("hall")
    home = Home(rig)
    async with home.open():
        await home.true(lambda: rig.commands)
        post = bob.say(hall, "/forget", files=[Upload("bill.pdf", b"%PDF")])
        alice.context_menu("discord_ask_about in en", post)
        await home.until(["/ask /forget"])
    assert home.host.messages[0].sender == alice.id
    assert home.host.messages[0].attachments[0].name == "bill.pdf"


async def test_past_the_tokens_life_the_answer_is_a_message_in_the_channel(rig: Discord) -> None:
    rig.script.token_s = 0.4
    alice = rig.person("Alice")
    hall = rig.guild("Hearth", alice).channel("hall")
    home = Home(rig, deadlines={"interaction_s": 0.3})
    async with home.open():
        it = await slash(home, alice, "ask", hall, question="slow model")
        await home.true(lambda: it.ack)
        await asyncio.sleep(0.5)
        home.new()
    async with home.open():
        await home.answer(Reply("The answer. " * 300))
    texts = [post.content for post in rig.ledger.by_bot(hall) if not post.loading]
    assert "".join(texts).count("The answer.") == 300


async def test_a_token_that_ends_early_is_no_reason_to_lose_the_answer(rig: Discord) -> None:
    rig.script.token_s = 0.2
    alice = rig.person("Alice")
    home = Home(rig)
    async with home.open():
        it = await slash(home, alice, "ask", alice.dm, question="x")
        await home.true(lambda: it.ack)
        await asyncio.sleep(0.3)
        await home.answer("late")
    assert rig.ledger.containing("late", alice.dm)


async def test_never_acknowledged_because_of_a_crash_it_is_answered_all_the_same(rig: Discord) -> None:
    alice = rig.person("Alice")
    hall = rig.guild("Hearth", alice).channel("hall")
    home = Home(rig)
    rig.fault("hang", "callback", times=None)
    async with home.open():
        await slash(home, alice, "ask", hall, question="x")
        await home.true(lambda: home.host.messages)
    home.new()
    async with home.open():
        await home.answer("here you are")
    assert rig.ledger.containing("here you are", hall)


async def test_where_the_bot_may_not_write_a_long_answer_is_one_file(rig: Discord) -> None:
    """Commands work there all the same, and nothing but their own reply does."""
    alice = rig.person("Alice")
    hall = rig.guild("Hearth", alice).channel("hall")
    hall.allow(writes=False)
    home = Home(rig)
    async with home.open():
        it = await slash(home, alice, "ask", hall, question="x")
        await home.answer("long answer " * 400)
    assert it.original is not None
    assert it.original.files[0].data.decode().count("long answer") == 400


async def test_installed_by_a_user_a_long_answer_is_one_file_and_a_late_one_a_private_message(rig: Discord) -> None:
    rig.script.token_s = 0.8
    alice, bob = rig.person("Alice"), rig.person("Bob")
    group = rig.group(alice, bob)
    home = Home(rig, deadlines={"interaction_s": 0.7})
    async with home.open():
        it = await slash(home, alice, "ask", group, user_install=True, question="x")
        assert home.host.messages[0].private is False
        await home.answer("long answer " * 400)
        assert it.original is not None
        assert it.original.files[0].data.decode().count("long answer") == 400
        await slash(home, alice, "ask", group, user_install=True, question="y")
        await asyncio.sleep(0.9)
        await home.answer("late answer")
    assert [post.content for post in rig.ledger.by_bot(alice.dm)] == ["late answer"]


async def test_who_takes_no_private_messages_is_answered_at_the_next_command_unseen_by_others(
    rig: Discord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.discord.answers._VISIT_S", 0.1)
    rig.script.token_s = 0.6
    alice, bob = rig.person("Alice", accepts_dms=False), rig.person("Bob")
    group = rig.group(alice, bob)
    home = Home(rig, deadlines={"interaction_s": 0.5})
    async with home.open():
        await slash(home, alice, "ask", group, user_install=True, question="x")
        await asyncio.sleep(0.7)
        part = Part({"content": "kept for you"})
        with pytest.raises(NotSentError):
            await home.platform.send(home.origin(0), part, "1.0")
        rig.script.token_s = 900
        monkeypatch.setattr("adapters.discord.answers._VISIT_S", 10)
        sending = asyncio.create_task(home.platform.send(home.origin(0), part, "1.0"))
        await slash(home, alice, "ask", group, user_install=True, question="y")
        await sending
        await home.answer("the second answer")
    assert {post.content for post in rig.ledger.visible(group, alice)} >= {"kept for you", "the second answer"}
    assert "kept for you" not in {post.content for post in rig.ledger.visible(group, bob)}


async def test_a_press_shows_the_passage_to_who_pressed_alone(rig: Discord) -> None:
    alice, bob = rig.person("Alice"), rig.person("Bob")
    hall = rig.guild("Hearth", alice, bob).channel("hall")
    home = Home(rig)
    home.host.pressed = Pressed("> the passage https://evil.example/x\n\nManual › p. 4", "https://example.org/manual")
    async with home.open():
        alice.say(hall, "q", mention=True)
        await home.true(lambda: home.host.messages)
        await home.answer(Reply("An answer [1]", buttons=BUTTONS))
        answer = rig.ledger.by_bot(hall)[-1]
        it = bob.press(answer, "Manual")
        await home.true(lambda: it.original)
    (press,) = home.host.presses
    assert (press.code, press.on, press.message.sender, press.message.text) == ("code-1", answer.id, bob.id, "")
    assert it.original is not None
    assert it.original.only_for is bob
    assert "the passage" in it.original.content
    assert "https://example.org/manual" in it.original.content
    assert "https\\://evil.example/x" in it.original.content  # an address in the passage is text


async def test_a_slow_press_is_deferred_and_one_that_shows_nothing_leaves_nothing(rig: Discord) -> None:
    alice = rig.person("Alice")
    home = Home(rig, deadlines={"defer_s": 0.1})
    async with home.open():
        alice.say(alice.dm, "q")
        await home.true(lambda: home.host.messages)
        await home.answer(Reply("An answer [1]", buttons=BUTTONS))
        answer = rig.ledger.by_bot(alice.dm)[-1]
        quiet = alice.press(answer, "🔄")
        await home.true(lambda: quiet.ack)
        assert quiet.ack == 6
        home.host.delay_s, home.host.pressed = 0.4, Pressed("slowly")
        slow = alice.press(answer, "Manual")
        await home.true(lambda: slow.original and slow.original.content == "slowly")
        home.host.pressed = Pressed()
        none = alice.press(answer, "Manual")
        await home.true(lambda: none.original and none.original.deleted_at)
    assert answer.content.startswith("An answer")


async def test_a_reply_to_a_press_is_a_message_of_its_own(rig: Discord) -> None:
    alice = rig.person("Alice")
    hall = rig.guild("Hearth", alice).channel("hall")
    home = Home(rig)
    async with home.open():
        alice.say(hall, "q", mention=True)
        await home.true(lambda: home.host.messages)
        await home.answer(Reply("An answer", buttons=BUTTONS))
        answer = rig.ledger.by_bot(hall)[-1]
        alice.press(answer, "🔄")
        await home.true(lambda: home.host.presses)
        home.host.messages.append(home.host.presses[0].message)
        await home.answer("another answer")
    first, second = rig.ledger.by_bot(hall)
    assert (first.content, second.content) == ("An answer", "another answer")
    assert second.reference is answer


async def test_an_interaction_is_repeated_without_doubling(rig: Discord) -> None:
    alice = rig.person("Alice")
    hall = rig.guild("Hearth", alice).channel("hall")
    home = Home(rig)
    async with home.open():
        await slash(home, alice, "ask", hall, question="x")
        await home.true(lambda: home.host.messages)
        rig.fault("drop", "original.edit", after=True)
        rig.fault("drop", "message.create", after=True)
        await home.answer("part " * 600)
    assert len(rig.ledger.by_bot(hall)) == 2
    assert time.time() < float(home.host.messages[0].options["interaction"]["expires"])
