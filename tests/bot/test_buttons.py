"""Codes of buttons: whole, for one person, and of one database; anything else says nothing."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.types import Press, Reply, Source
from bot.buttons import Buttons, Meant
from bot.inbox_rows import Pending
from bot.live import NewTurn, Outcome, Received
from bot.memory import Memory
from bot.people.people import Person
from bot.presses import Presses
from bot.replies import refusal, source_of
from knowledge.scope import Scope
from knowledge.types import Passage
from tests.bot.house import Told, message, open_house
from tests.rigs.shelf import Shelf

BUTTONS = Buttons(b"k" * 32)


def pending(id_: int = 5, person: int = 2) -> Pending:
    return Pending(id_, message("1", platform="telegram"), Person(person, None, owner=False), 1, "private", 0, 0)


def source(n: int, title: str = "Heating") -> Source:
    return Source(n, "house", "heating.md", title, "Boiler", None, 0.9, "Every October.")


@given(
    st.integers(1, 10**15),
    st.sampled_from(["source", "like", "dislike", "retry", "stop"]),
    st.integers(0, 999),
    st.integers(1, 10**9),
)
def test_a_code_says_what_was_meant_to_its_person_alone(inbox_id: int, action: str, n: int, person: int) -> None:
    meant = Meant(inbox_id, action, n)  # type: ignore[arg-type]
    code = BUTTONS.code(meant, person)
    assert len(code) <= 60
    assert code.isascii()
    assert BUTTONS.read(code, person) == meant
    assert BUTTONS.read(code, person + 1) is None
    assert Buttons(b"x" * 32).read(code, person) is None


@given(st.data())
def test_a_code_that_was_changed_says_nothing(data: st.DataObject) -> None:
    code = BUTTONS.code(Meant(12, "source", 3), 2)
    place = data.draw(st.integers(0, len(code) - 1))
    letter = data.draw(st.characters(codec="ascii").filter(lambda one: one != code[place]))
    assert BUTTONS.read(code[:place] + letter + code[place + 1 :], 2) is None


@pytest.mark.parametrize("text", ["", "1", "5-s1-", "5-s1-" + "A" * 16, "é", "5-s1-" + "A" * 17, "9" * 400])
def test_what_is_no_code_says_nothing(text: str) -> None:
    assert BUTTONS.read(text, 2) is None


def test_an_answer_has_its_sources_opinions_and_another_try() -> None:
    reply = Reply("text", citations=(source(1),), consulted=(source(2, "x" * 99),), model="qwen3")
    dressed = BUTTONS.dressed(pending(), reply)
    assert [(button.kind, button.label) for button in dressed.buttons] == [
        ("source", "[1] Heating › Boiler"),
        ("source", "[2] " + "x" * 55 + "…"),
        ("like", "👍"),
        ("dislike", "👎"),
        ("retry", "🔄 Again"),
    ]
    assert BUTTONS.read(dressed.buttons[1].code, 2) == Meant(5, "source", 2)


def test_a_sentence_of_ours_has_no_opinions() -> None:
    assert BUTTONS.dressed(pending(), Reply("help")).buttons == ()
    assert [one.kind for one in BUTTONS.dressed(pending(), Reply("no", error="model_slow", language="fr")).buttons] == ["retry"]


async def test_the_key_is_that_of_the_database(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    async with open_house(tmp_path / "a") as one:
        here = await Buttons.of(one.database)
        assert (await Buttons.of(one.database)).read(here.code(Meant(1, "stop"), 2), 2)
    (tmp_path / "b").mkdir()
    async with open_house(tmp_path / "b") as other:
        assert (await Buttons.of(other.database)).read(here.code(Meant(1, "stop"), 2), 2) is None


async def test_a_source_is_shown_only_while_its_words_stand_in_the_house(tmp_path: Path) -> None:
    """Of a search there is no turn; a refusal names what came nearest; both showed the words of a document that was deleted."""
    shelf, passages = Shelf(tmp_path), list[Passage]()
    shelf.readers = {"home": frozenset({"owner"})}
    shelf.write("will.md", "The house goes to Zoe")

    async def answer(received: Received) -> AsyncGenerator[Outcome]:
        if received.message.text == "/search Zoe":
            yield Outcome(Reply("found", consulted=(source_of(1, passages[0]),)), None)
        else:
            reply = refusal(passages, "en")
            yield Outcome(reply, NewTurn("who?", reply.text, frozenset({passages[0].document_id})))

    async with open_house(tmp_path, Told(answer)) as house, AsyncExitStack() as stack:
        library = await shelf.library(house.database)
        stack.push_async_callback(library.close)

        async def loaded() -> Any:
            return SimpleNamespace(library=library)

        async def shown() -> list[bool]:
            codes = [BUTTONS.code(Meant(id_, "source", 1), anna.id) for id_ in ids]
            said = [await presses.carry_out(Press(code, message("press", platform="telegram")), anna) for code in codes]
            return ["goes to Zoe" in (pressed.text or "") for pressed in said]

        await library.reindex("home")
        found = await library.retrieve("Zoe", Scope(frozenset({"home"})))
        passages += found.passages or found.nearest
        anna = house.person("anna")
        presses = Presses(BUTTONS, Memory(house.database), house.people, house.dispatcher, loaded, None, "en")  # type: ignore[arg-type]
        ids = [await house.dispatcher.receive(message(text, text), anna) for text in ("/search Zoe", "who?")]
        for id_ in ids:
            await house.reply(id_)
        assert await shown() == [True, True]
        shelf.write("will.md", "Nothing is settled yet")
        await library.reindex("home")
        assert await shown() == [False, True]
        (shelf.documents / "will.md").unlink()
        await library.reindex("home", prune=True)
        assert await shown() == [False, False]
