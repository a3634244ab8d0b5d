"""Memory: within the budget, the beginning of the prompt stays the same, and nothing outlives a right to read."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from adapters.types import Reply, Source
from bot.database.database import Database
from bot.inbox import Inbox
from bot.live import NewTurn
from bot.memory import Memory, _cut
from bot.people.people import People, Person
from bot.settings.fields import LimitsConfig, PersonConfig
from tests.bot.house import message

LATER = 2e9


class Talk:
    """Conversations with turns of known size: a question counts as many tokens as it has characters."""

    def __init__(self, database: Database, people: People) -> None:
        self.database = database
        self.people = people
        self.inbox = Inbox(database, LimitsConfig())
        self.memory = Memory(database)
        self.said = 0
        self.counted = 0

    @classmethod
    async def begin(cls, folder: Path) -> Talk:
        database, people = await Database.open(folder / "grillon.db"), None
        people = People(database)
        await people.declare([PersonConfig(name="anna", owner=True), PersonConfig(name="ben")])
        return cls(database, people)

    def person(self, name: str) -> Person:
        found = self.people.named(name)
        assert found is not None
        return found

    async def say(
        self,
        name: str,
        question: str,
        documents: frozenset[int] = frozenset(),
        thread: str | None = None,
        reply: Reply | None = None,
    ) -> int:
        self.said += 1
        arrived = await self.inbox.receive(message(f"m{self.said}", question, thread=thread), self.person(name), LATER)
        await self.inbox.lease(arrived.id)
        await self.inbox.close(arrived.id, "answered", reply or Reply("a"), [], NewTurn(question, "a", documents))
        (conversation,) = await self.database.read(
            lambda connection: (
                connection.exec_driver_sql("SELECT conversation_id FROM inbox WHERE id = ?", (arrived.id,)).scalars().all()
            )
        )
        return int(conversation)

    async def turns(self, name: str, conversation: int, budget: int = 1000, readable: frozenset[int] | None = None) -> list[str]:
        def allowed(_connection: Connection, documents: frozenset[int]) -> frozenset[int]:
            return documents if readable is None else documents & readable

        def count(text: str) -> int:
            self.counted += 1
            return len(text)

        turns = await self.memory.turns(self.person(name).id, conversation, budget_tokens=budget, count=count, readable=allowed)
        return [turn.question for turn in turns]


async def test_turns_in_order_of_their_conversation_alone(tmp_path: Path) -> None:
    talk = await Talk.begin(tmp_path)
    private = await talk.say("anna", "one")
    kitchen = await talk.say("anna", "other", thread="kitchen")
    ben = await talk.say("ben", "secret")
    assert await talk.say("anna", "two") == private
    assert len({private, kitchen, ben}) == 3
    assert await talk.turns("anna", private) == ["one", "two"]
    assert await talk.turns("anna", kitchen) == ["other"]
    assert await talk.turns("ben", ben) == ["secret"]
    await talk.database.close()


async def test_a_conversation_of_another_person_is_empty(tmp_path: Path) -> None:
    talk = await Talk.begin(tmp_path)
    anna, ben = await talk.say("anna", "one"), await talk.say("ben", "secret")
    assert await talk.turns("anna", ben) == await talk.turns("ben", anna) == []
    await talk.memory.reset(talk.person("ben").id, anna)
    assert await talk.turns("anna", anna) == ["one"]

    def everything(_connection: Connection, documents: frozenset[int]) -> frozenset[int]:
        return documents

    assert await talk.memory.last_reply(talk.person("ben").id, anna, readable=everything) is None
    await talk.database.close()


async def test_a_turn_is_remembered_only_while_all_its_documents_are_readable(tmp_path: Path) -> None:
    talk = await Talk.begin(tmp_path)
    for question, documents in (("none", ()), ("both", (1, 2)), ("one", (1,)), ("three", (3,))):
        conversation = await talk.say("anna", question, frozenset(documents))
    assert await talk.turns("anna", conversation, readable=frozenset({1, 2, 3})) == ["none", "both", "one", "three"]
    assert await talk.turns("anna", conversation, readable=frozenset({1, 3})) == ["none", "one", "three"]
    assert await talk.turns("anna", conversation, readable=frozenset()) == ["none"]
    assert await talk.turns("anna", conversation, readable=frozenset({1, 2, 3})) == ["none", "both", "one", "three"]
    await talk.database.close()


async def test_a_turn_whose_text_was_erased_is_skipped(tmp_path: Path) -> None:
    talk = await Talk.begin(tmp_path)
    for question in ("one", "two"):
        conversation = await talk.say("anna", question)
    await talk.database.write(
        lambda connection: connection.exec_driver_sql("UPDATE turns SET answer = '' WHERE question = 'one'")
    )
    assert await talk.turns("anna", conversation) == ["two"]
    await talk.database.close()


async def test_reset_starts_anew(tmp_path: Path) -> None:
    talk = await Talk.begin(tmp_path)
    private, kitchen = await talk.say("anna", "one"), await talk.say("anna", "other", thread="kitchen")
    await talk.memory.reset(talk.person("anna").id, private)
    assert await talk.turns("anna", private) == []
    assert await talk.turns("anna", kitchen) == ["other"]
    await talk.say("anna", "two")
    assert await talk.turns("anna", private) == ["two"]
    await talk.database.close()


async def test_the_beginning_stays_the_same_until_it_is_cut_by_half(tmp_path: Path) -> None:
    talk = await Talk.begin(tmp_path)
    cuts, before = 0, [""][:0]
    for n in range(60):
        conversation = await talk.say("anna", f"{n:09d}")  # ten tokens with its answer
        now = await talk.turns("anna", conversation, budget=100)
        assert len(now) <= 10
        assert await talk.turns("anna", conversation, budget=100) == now
        if now[: len(before)] != before:
            cuts += 1
            assert now == [f"{m:09d}" for m in range(n - 4, n + 1)]
        before = now
    assert cuts == 9
    await talk.database.close()


async def test_a_cut_survives_a_restart(tmp_path: Path) -> None:
    talk = await Talk.begin(tmp_path)
    for n in range(11):
        conversation = await talk.say("anna", f"{n:09d}")
    now = await talk.turns("anna", conversation, budget=100)
    assert len(now) == 5
    talk.memory = Memory(talk.database)
    assert await talk.turns("anna", conversation, budget=1000) == now
    await talk.database.close()


async def test_tokens_are_counted_once(tmp_path: Path) -> None:
    talk = await Talk.begin(tmp_path)
    conversation = await talk.say("anna", "one")
    for _ in range(3):
        await talk.turns("anna", conversation)
    assert talk.counted == 2
    await talk.database.close()


async def test_without_a_budget_nothing_is_remembered(tmp_path: Path) -> None:
    talk = await Talk.begin(tmp_path)
    conversation = await talk.say("anna", "one")
    assert await talk.turns("anna", conversation, budget=0) == []
    assert await talk.turns("anna", 777) == []
    await talk.database.close()


@settings(deadline=None)
@given(st.lists(st.integers(0, 50), max_size=30), st.integers(0, 200))
def test_what_is_cut(sizes: list[int], budget: int) -> None:
    cut = _cut(sizes, budget, full=False)
    kept = sizes[cut:]
    assert sum(kept) <= budget or not kept
    assert (cut == 0) == (sum(sizes) <= budget)
    if cut and kept:
        assert sum(kept) <= budget // 2 or len(kept) == 1
        assert sum(sizes[cut - 1 :]) > budget // 2
    if cut and not kept:
        assert sizes[-1] > budget
    assert _cut([1] * 200, 100_000, full=True) == 100


async def test_the_sources_of_the_last_reply(tmp_path: Path) -> None:
    talk = await Talk.begin(tmp_path)
    source = Source(1, "c", "d.md", "D", None, None, 0.9, "excerpt")
    first, second = Reply("one"), Reply("two", citations=(source,))
    conversation = await talk.say("anna", "q1", reply=first)
    await talk.say("anna", "q2", frozenset({1}), reply=second)
    anna = talk.person("anna").id

    def all_of(_connection: Connection, documents: frozenset[int]) -> frozenset[int]:
        return documents

    def none_of(_connection: Connection, _documents: frozenset[int]) -> frozenset[int]:
        return frozenset()

    assert await talk.memory.last_reply(anna, conversation, readable=all_of) == second
    assert await talk.memory.last_reply(anna, conversation, readable=none_of) is None
    await talk.memory.reset(anna, conversation)
    assert await talk.memory.last_reply(anna, conversation, readable=all_of) is None
    await talk.database.close()


def test_there_is_no_call_without_person_and_conversation() -> None:
    for method in (Memory.turns, Memory.reset, Memory.last_reply):
        with pytest.raises(TypeError):
            method(Memory(None), 1)  # type: ignore[arg-type, call-arg]
