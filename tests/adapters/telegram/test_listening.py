"""Where it listens, and what a message is to the host."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from adapters.types import Reply
from tests.adapters.telegram.house import House, until

if TYPE_CHECKING:
    from tests.rigs.telegram import Telegram


async def test_a_private_message_is_taken_as_it_is(rig: Telegram, house: House) -> None:
    nora = rig.person("Nora", language="fr")
    said = nora.say("Où est le robinet ?")
    (message,) = await house.host.has(1)
    assert (message.platform, message.account, message.id) == ("telegram", rig.token.split(":")[0], f"{nora.id}:{said.id}")
    assert (message.chat, message.sender, message.private, message.text) == (
        str(nora.id),
        str(nora.id),
        True,
        "Où est le robinet ?",
    )
    assert (message.locale, message.sender_name, message.thread, message.reply_to) == ("fr", "Nora", None, None)


@pytest.mark.parametrize("payload", ["", "AbC-123"])
async def test_start_is_passed_with_its_code(rig: Telegram, house: House, payload: str) -> None:
    rig.person("Nora").start(payload)
    (message,) = await house.host.has(1)
    assert message.text == f"/start {payload}".strip()


async def test_in_a_group_it_hears_its_name_replies_and_commands_alone(rig: Telegram, house: House) -> None:
    rig.world.privacy = False
    nora, karim = rig.person("Nora"), rig.person("Karim")
    group = rig.supergroup("Home", nora, karim)
    nora.say("just between us", group)
    nora.say("@grillon_bot, where is the key?", group)
    nora.say("Ask @Grillon_Bot about the boiler", group)
    karim.say("/ask@grillon_bot tea", group)
    karim.say("/ask coffee", group)
    karim.say("/ask@other_bot milk", group)
    karim.say("/dance", group)
    karim.say("@grillon_bot2 no", group)
    karim.say("end @grillon_bot", group)
    messages = await house.host.has(5)
    assert house.host.texts() == ["where is the key?", "Ask about the boiler", "/ask tea", "/ask coffee", "end"]
    assert all(not message.private and message.chat == str(group.id) for message in messages)


async def test_a_reply_to_the_bot_is_heard_and_names_what_it_answers(rig: Telegram, house: House) -> None:
    nora = rig.person("Nora")
    group = rig.supergroup("Home", nora)
    nora.say("@grillon_bot hello", group)
    origin = await house.origin()
    sent = await house.platform.send(origin, house.platform.parts(origin, Reply("Hello!"))[0], "1.0")
    (answer,) = rig.ledger.by_bot(group.id)
    nora.say("and then?", group, reply_to=answer)
    messages = await house.host.has(2)
    assert messages[1].text == "and then?"
    assert messages[1].reply_to == sent == f"{group.id}:{answer.id}"


async def test_a_free_chat_is_heard_without_a_name(rig: Telegram) -> None:
    nora = rig.person("Nora")
    rig.world.privacy = False
    free, other = rig.supergroup("Free", nora), rig.supergroup("Other", nora)
    async with House(rig, free_chats=[free.id]) as house:
        nora.say("no", other)
        nora.say("/ask@other_bot no", free)
        nora.say("yes", free)
        await house.host.has(1)
        assert house.host.texts() == ["yes"]


async def test_topics_are_threads_and_talk_in_them_is_no_reply(rig: Telegram, house: House) -> None:
    rig.world.privacy = False
    nora = rig.person("Nora")
    group = rig.supergroup("Home", nora, topics=("Garden",))
    nora.say("nobody asked", group, thread=group.topics["Garden"])
    nora.say("@grillon_bot roses?", group, thread=group.topics["Garden"])
    (message,) = await house.host.has(1)
    assert (message.text, message.thread) == ("roses?", str(group.topics["Garden"]))


async def test_topics_of_a_private_chat_are_threads(rig: Telegram, house: House) -> None:
    rig.world.private_topics = True
    nora = rig.person("Nora")
    topic = nora.topic("Cooking")
    nora.say("soup?", thread=topic)
    (message,) = await house.host.has(1)
    assert (message.private, message.thread) == (True, str(topic))


async def test_an_edit_is_told_as_an_edit(rig: Telegram, house: House) -> None:
    nora = rig.person("Nora")
    said = nora.say("helo")
    await house.host.has(1)
    nora.edit(said, "hello")
    await house.host.until(lambda: house.host.edits)
    assert [(edit.id, edit.text) for edit in house.host.edits] == [(f"{nora.id}:{said.id}", "hello")]
    assert house.host.texts() == ["helo"]


async def test_an_edit_of_what_is_held_comes_after_it(rig: Telegram, house: House) -> None:
    nora = rig.person("Nora")
    said = nora.say("x" * 4000)
    nora.edit(said, "short")
    await house.host.until(lambda: house.host.edits)
    assert house.host.texts() == ["x" * 4000]
    assert house.host.edits[0].id == house.host.messages[0].id
    await until(lambda: not rig.updates.pending())


async def test_an_edit_of_a_piece_keeps_the_others(rig: Telegram, house: House) -> None:
    nora = rig.person("Nora")
    posts = nora.album([("a.pdf", b"a"), ("b.pdf", b"b")], "compare thees")
    await house.host.has(1)
    nora.edit(posts[0], "compare these")
    await house.host.until(lambda: house.host.edits)
    edit = house.host.edits[0]
    assert (edit.id, edit.text) == (house.host.messages[0].id, "compare these")
    assert [file.name for file in edit.attachments] == ["a.pdf", "b.pdf"]
    first, second = nora.paste("word " * 1000)
    await house.host.has(2)
    nora.edit(second, "the end")
    await house.host.until(lambda: len(house.host.edits) == 2)
    assert house.host.edits[1].id == f"{nora.id}:{first.id}"
    assert house.host.edits[1].text.split() == [*first.text.split(), "the", "end"]


async def test_what_is_forwarded_is_a_question_and_no_command(rig: Telegram, house: House) -> None:
    nora, karim = rig.person("Nora"), rig.person("Karim")
    nora.forward("/forget", karim)
    nora.forward("AAAAA-AAAAA-AAAA2", karim)
    await house.host.has(2)
    assert house.host.texts() == ["/ask /forget", "/ask AAAAA-AAAAA-AAAA2"]


async def test_files_come_as_claimed(rig: Telegram, house: House) -> None:
    nora = rig.person("Nora")
    nora.send_file("Bill.PDF", b"%PDF", "what is this?", media_type="application/pdf", claimed=12_345)
    nora.send_voice()
    first, second = await house.host.has(2)
    (bill,) = first.attachments
    assert (first.text, bill.name, bill.size, bill.media_type) == ("what is this?", "Bill.PDF", 12_345, "application/pdf")
    assert second.attachments[0].media_type == "audio/ogg"


@pytest.mark.parametrize("heard", ["private", "group"])
async def test_a_paste_that_the_client_splits_is_one_message(rig: Telegram, house: House, heard: str) -> None:
    rig.world.privacy = False
    nora, karim = rig.person("Nora"), rig.person("Karim")
    group = None if heard == "private" else rig.supergroup("Home", nora, karim)
    words = [f"word{n}" for n in range(1500)]
    pieces = nora.paste(("" if group is None else "@grillon_bot ") + " ".join(words), group)
    if group is not None:
        karim.say("what a long text", group)
    (message,) = await house.host.has(1)
    assert len(pieces) == 4
    assert message.text.split() == words
    assert message.options["pieces"] == [piece.id for piece in pieces]
    nora.say("@grillon_bot short", group)
    await house.host.has(2)
    assert len(house.host.messages) == 2


async def test_an_album_is_one_message(rig: Telegram, house: House) -> None:
    nora = rig.person("Nora")
    nora.album([("a.pdf", b"a"), ("b.pdf", b"b"), ("c.pdf", b"c")], "compare these")
    nora.say("and this")
    first, second = await house.host.has(2)
    assert [file.name for file in first.attachments] == ["a.pdf", "b.pdf", "c.pdf"]
    assert (first.text, second.text) == ("compare these", "and this")


async def test_a_long_paste_of_others_is_not_taken(rig: Telegram, house: House) -> None:
    rig.world.privacy = False
    nora = rig.person("Nora")
    group = rig.supergroup("Home", nora)
    nora.paste("private words " * 500, group)
    await asyncio.sleep(0.5)
    nora.say("@grillon_bot hello", group)
    await house.host.has(1)
    assert house.host.texts() == ["hello"]


async def test_what_is_held_does_not_hold_up_others(rig: Telegram) -> None:
    nora, karim = rig.person("Nora"), rig.person("Karim")
    async with House(rig, gather_s=1.5) as house:
        nora.say("x" * 4096)
        await asyncio.sleep(0.05)
        karim.say("quick")
        await house.host.has(1)
        assert house.host.texts() == ["quick"]
        await house.host.has(2)
        assert house.host.texts() == ["quick", "x" * 4096]


async def test_a_group_that_moves_is_told_once(rig: Telegram, house: House) -> None:
    nora = rig.person("Nora")
    group = rig.group("Home", nora)
    new = group.migrate()
    nora.say("@grillon_bot here?", new)
    await house.host.has(1)
    assert house.host.moves == [(str(group.id), str(new.id))]
    assert house.ledger.values[f"moved.{group.id}"] == str(new.id)
