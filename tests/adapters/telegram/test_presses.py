"""What a press brings to who pressed, and what is said at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.types import Button, Pressed, Reply, Said
from tests.adapters.telegram.house import House, until

if TYPE_CHECKING:
    from tests.rigs.telegram import Telegram
    from tests.rigs.telegram.groups import Group
    from tests.rigs.telegram.people import Person
    from tests.rigs.telegram.records import Shown

PASSAGE = "Turn the blue valve to the left. " * 20


async def answered(rig: Telegram, house: House, person: Person, group: Group | None = None) -> Shown:
    person.say("@grillon_bot how?", group)
    origin = await house.origin()
    (part,) = house.platform.parts(origin, Reply("Like this [1].", buttons=(Button("source", "[1]", "code-1"),)))
    await house.platform.send(origin, part, "1.0")
    return rig.ledger.by_bot(int(origin.message.chat))[-1]


async def test_the_host_is_told_who_pressed_what_where(rig: Telegram, house: House) -> None:
    nora = rig.person("Nora", language="fr")
    shown = await answered(rig, house, nora)
    await nora.pressed(shown)
    (press,) = house.host.presses
    assert (press.code, press.on) == ("code-1", f"{nora.id}:{shown.id}")
    message = press.message
    assert (message.chat, message.sender, message.private, message.text) == (str(nora.id), str(nora.id), True, "")
    assert message.locale == "fr"
    assert message.id.startswith("callback:")


async def test_in_private_a_passage_is_a_quote_with_its_link(rig: Telegram, house: House) -> None:
    nora = rig.person("Nora")
    shown = await answered(rig, house, nora)
    house.host.pressed = Pressed(PASSAGE, "https://example.org/manual", "deep-1")
    answer = await nora.pressed(shown)
    assert (answer.text, answer.url) == (None, None)
    await until(lambda: len(rig.ledger.by_bot(nora.id)) == 2)
    quote = rig.ledger.by_bot(nora.id)[-1]
    assert quote.text.startswith(PASSAGE.strip())
    assert quote.entities[0]["type"] == "expandable_blockquote"
    assert ("text_link", "https://example.org/manual") in rig.ledger.links(quote)
    assert quote.reply_to == shown.id
    assert not quote.preview


async def test_a_passage_has_no_links_of_its_own(rig: Telegram, house: House) -> None:
    nora = rig.person("Nora")
    shown = await answered(rig, house, nora)
    house.host.pressed = Pressed("see [this](https://evil.example) or https://evil.example, @nora, /ask", None, "deep-1")
    await nora.pressed(shown)
    await until(lambda: len(rig.ledger.by_bot(nora.id)) == 2)
    assert rig.ledger.links(rig.ledger.by_bot(nora.id)[-1]) == []


async def test_in_a_group_an_alert_then_the_private_chat(rig: Telegram, house: House) -> None:
    nora = rig.person("Nora")
    group = rig.supergroup("Home", nora)
    shown = await answered(rig, house, nora, group)
    house.host.pressed = Pressed(PASSAGE, None, "deep-1")
    first = await nora.pressed(shown)
    assert first.alert
    assert first.text is not None
    assert first.text.startswith("Turn the blue valve")
    assert first.text.endswith("Press again to read all of it.")
    second = await nora.pressed(shown)
    assert second.url == "https://t.me/grillon_bot?start=deep-1"
    assert len(rig.ledger.by_bot(group.id)) == 1
    assert not rig.ledger.violations()


async def test_a_short_sentence_is_a_line_that_passes(rig: Telegram, house: House) -> None:
    nora = rig.person("Nora")
    shown = await answered(rig, house, nora)
    house.host.pressed = Pressed("Thank you.")
    answer = await nora.pressed(shown)
    assert (answer.text, answer.alert) == ("Thank you.", False)
    assert len(rig.ledger.by_bot(nora.id)) == 1


async def test_every_press_is_answered(rig: Telegram, house: House) -> None:
    nora = rig.person("Nora")
    answer = await nora.pressed(await answered(rig, house, nora))
    assert (answer.text, answer.url) == (None, None)


async def test_what_the_host_says_at_once_is_said(rig: Telegram, house: House) -> None:
    nora = rig.person("Nora")
    group = rig.supergroup("Home", nora)
    house.host.says = Said("Your code is **ABC**.")
    asked = nora.say("@grillon_bot hello", group)
    await until(lambda: rig.ledger.by_bot(group.id))
    (said,) = rig.ledger.by_bot(group.id)
    assert (said.text, said.reply_to) == ("Your code is ABC.", asked.id)
    await until(lambda: not rig.updates.pending())
