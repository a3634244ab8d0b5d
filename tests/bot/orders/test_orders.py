"""Commands in a house with documents and a model server: each does what it says, for who may, in chats where it may."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import text

from adapters.types import Message, Reply
from bot.app import House
from bot.commands import typed
from bot.live import Finished, Received
from bot.people.codes import issue
from bot.people.identities import Identity
from bot.people.people import Person
from bot.settings.fields import Settings
from bot.state import State
from knowledge.models import Health
from tests.bot.doorstep import person_of
from tests.rigs.ollama import Ollama

pytestmark = pytest.mark.asyncio(loop_scope="module")

BOILER = "The boiler stands in the cellar. Its pressure should be 1.5 bar in winter."
QUESTION = "What pressure should the boiler have in winter?"
_ids = itertools.count(1)


@dataclass
class Talk:
    """What people say to the house, each in a conversation of their own unless told otherwise."""

    house: House
    ollama: Ollama
    folder: Path
    thread: str = field(default_factory=lambda: f"talk-{next(_ids)}")

    async def say(self, words: str, who: str = "anna", *, private: bool = True, **more: Any) -> Reply:
        person = self.person(who)
        message = Message(
            "terminal", "", f"m{next(_ids)}", "chat", "sender", words, private, more.pop("thread", self.thread), **more
        )
        return await self.reply(await self.house.dispatcher.receive(message, person))

    async def reply(self, id_: int) -> Reply:
        events = [event async for event in self.house.dispatcher.follow(id_)]
        assert isinstance(events[-1], Finished)
        return events[-1].reply

    def person(self, who: str) -> Person:
        found = self.house.people.named(who)
        assert found is not None
        return found

    async def turns(self) -> list[tuple[str, str]]:
        query = """SELECT question, answer FROM turns JOIN conversations ON conversations.id = conversation_id
            WHERE space = :space ORDER BY turns.id"""
        space = {"space": f"private:{self.thread}"}
        return await self.house.database.read(lambda connection: [(q, a) for q, a in connection.execute(text(query), space)])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Talk]:
    folder = tmp_path_factory.mktemp("orders")
    for name, words in {"house": BOILER, "diary": "The diary of Anna says: the sailing boat leaks."}.items():
        (folder / name).mkdir()
        (folder / name / f"{name}.md").write_text(f"# The {name}\n\n{words}\n")
    async with Ollama(answer="{quote} [{n}] {nonce}") as ollama:
        told = Settings.model_validate({
            "state": folder / "state",
            "collections": [
                {"name": "house", "folder": folder / "house", "readers": ["everyone"]},
                {"name": "diary", "folder": folder / "diary", "readers": ["anna"]},
            ],
            "people": [{"name": "anna", "owner": True}, {"name": "ben"}],
            "model": {"address": ollama.address, "name": "smollm2:135m", "context_window": 4096, "answer_tokens": 256},
            "embedding": {"address": ollama.address, "name": "all-minilm", "window": 256},
        })  # fmt: skip
        (folder / "state").mkdir()
        with State.claim(folder / "state") as state:
            async with House.open(told, state) as house:
                await house.upkeep.reindex_each(house.collections)
                yield Talk(house, ollama, folder)


@pytest_asyncio.fixture(loop_scope="module")
async def talk(running: Talk) -> AsyncIterator[Talk]:
    """A conversation of its own in the one house, which is left as it was found."""
    yield Talk(running.house, running.ollama, running.folder)
    for name in ("anna", "ben"):
        await running.house.people.set_private(running.person(name), private=False)
        await running.house.people.set_language(running.person(name), None)


async def test_ask_is_the_question_itself(talk: Talk) -> None:
    reply = await talk.say(f"/ask {QUESTION}")
    assert reply.citations[0].document == "house.md"
    assert (reply.untrusted, reply.language) == (True, "en")
    assert [question for question, _ in await talk.turns()] == [QUESTION]
    assert (await talk.say("/demander")).text == "Say what you want to know: /ask QUESTION."


async def test_start_greets_and_says_what_there_is(talk: Talk) -> None:
    reply = await talk.say("/start", "ben", locale="fr")
    assert reply.text.startswith("Bonjour, je suis Grillon.")
    assert "/search" in reply.text
    assert "/models" not in reply.text


async def test_help_shows_the_owner_more_in_private_alone(talk: Talk) -> None:
    assert "/models" in (await talk.say("/help")).text
    assert "/models" not in (await talk.say("/help", private=False)).text
    assert "/models" not in (await talk.say("/help", "ben")).text
    assert "/stop" not in (await talk.say("/help")).text, "whoever sits at a terminal leaves instead"


async def test_search_and_sources(talk: Talk) -> None:
    assert (await talk.say("/sources")).text == "The last answer has no sources."
    found = await talk.say("/search boiler pressure")
    assert BOILER in found.text
    assert found.consulted
    assert found.untrusted
    await talk.say(QUESTION)
    told = await talk.say("/sources")
    assert told.text.splitlines()[0] == "Sources of the last answer:"
    assert told.citations[0].document == "house.md"


async def test_retry_puts_a_new_answer_in_the_place_of_the_old(talk: Talk) -> None:
    first = await talk.say(QUESTION)
    talk.ollama.reset()
    again = await talk.say("/retry")
    assert again.text != first.text
    assert await talk.turns() == [(QUESTION, again.text)]
    (prompt,) = talk.ollama.prompts
    assert [one["role"] for one in prompt["messages"]] == ["system", "user"], "the answer that goes is not in the prompt"
    third = await talk.say("/réessayer")
    assert await talk.turns() == [(QUESTION, third.text)]


async def test_retry_of_a_question_that_failed(talk: Talk) -> None:
    talk.ollama.set(faults=({"kind": "404"},))
    try:
        assert (await talk.say(f"/ask {QUESTION}")).error == "model_missing"
    finally:
        talk.ollama.set(faults=())
    await talk.say("/status")
    reply = await talk.say("/retry")
    assert await talk.turns() == [(QUESTION, reply.text)]


async def test_retry_of_one_answer_among_several(talk: Talk) -> None:
    message = Message("terminal", "", f"m{next(_ids)}", "chat", "sender", QUESTION, True, talk.thread)
    first = await talk.house.dispatcher.receive(message, talk.person("anna"))
    await talk.reply(first)
    await talk.say("Where does the boiler stand?")
    reply = await talk.say("/retry", options={"retry_of": first})
    turns = await talk.turns()
    assert [question for question, _ in turns] == ["Where does the boiler stand?", QUESTION]
    assert turns[-1][1] == reply.text
    other = Talk(talk.house, talk.ollama, talk.folder)
    assert (await other.say("/retry", "ben", options={"retry_of": first})).text == "There is no question to ask again."


async def test_retry_without_a_question(talk: Talk) -> None:
    nothing = "There is no question to ask again."
    assert (await talk.say("/retry")).text == nothing
    await talk.say("Hello")
    assert (await talk.say("/retry")).text == nothing
    await talk.say(QUESTION)
    await talk.say("/reset")
    assert (await talk.say("/retry")).text == nothing
    await talk.say("/private on", "ben")
    assert (await talk.say("/retry", "ben")).text == "You talk in private, so I kept no question: write it once more."


async def test_private_mode_is_kept_and_told(talk: Talk) -> None:
    assert (await talk.say("/private")).text.startswith("Private mode is off")
    assert (await talk.say("/privé oui")).text.startswith("Le mode privé est actif")
    assert talk.person("anna").private
    assert (await talk.say("/private")).text.endswith("/private on or /private off changes that.")
    await talk.say("/private off")
    assert not talk.person("anna").private


async def test_the_language_that_a_person_chooses(talk: Talk) -> None:
    assert (await talk.say("/language")).text.startswith("I speak the language that you write in.")
    chosen = await talk.say("/language fr")
    assert (chosen.text, chosen.language) == ("Je vous parle français.", "fr")
    assert (await talk.say("What is this? /reset", locale="en")).language == "fr"
    assert (await talk.say("/reset", locale="en")).text.startswith("On repart de zéro.")
    assert (await talk.say("/langue auto", locale="en")).text == "I speak the language that you write in."
    assert (await talk.say("/reset", locale="en")).text.startswith("We start anew.")


async def test_collections_are_those_of_the_chat(talk: Talk) -> None:
    assert (await talk.say("/collections")).text.splitlines() == [
        "What you may read here:",
        "- diary: 1 document",
        "- house: 1 document",
    ]
    assert "diary" not in (await talk.say("/collections", private=False)).text, "the owner's too, where others read along"
    assert "diary" not in (await talk.say("/collections", "ben")).text


async def test_status_in_french_has_no_english_in_it(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"name": "qwen3", "state": "ready", "detail": "Ollama 0.16 leaks"}
    monkeypatch.setattr(talk.house, "model_status", lambda: told)
    assert "Ollama 0.16 leaks" in (await talk.say("/status")).text
    french = (await talk.say("/status", locale="fr")).text
    assert "leaks" not in french
    assert "qwen3" in french
    assert "grillon doctor" in french


async def test_a_model_that_answered_is_ready(talk: Talk) -> None:
    """Before the next look at its server, which may be half a minute away."""
    talk.house.upkeep.health = Health("loading", "smollm2:135m", talk.ollama.address)
    await talk.say("/search boiler")
    assert talk.house.model_status()["state"] == "loading"
    await talk.say(QUESTION)
    assert talk.house.model_status()["state"] == "ready"


async def test_status_says_less_to_others(talk: Talk) -> None:
    owner, shared, other = [
        (await talk.say("/status", who, private=private)).text
        for who, private in (("anna", True), ("anna", False), ("ben", True))
    ]
    assert "Nobody is waiting." in owner
    assert "2 documents can be searched." in owner
    assert "running since" in owner
    assert "running since" not in shared + other
    assert "1 document can be searched." in shared
    assert "1 document can be searched." in other


async def test_mydata_holds_all_of_one_person_and_nothing_of_another(talk: Talk) -> None:
    await talk.say(QUESTION, "ben")
    await talk.say("What does the diary say of the sailing boat?")
    await talk.house.tokens.create(f"t{next(_ids)}", talk.person("ben"))
    reply = await talk.say("/mydata", "ben")
    assert reply.file is not None
    assert reply.file.name == "grillon.json"
    values = json.loads(reply.file.text)
    assert values["person"]["name"] == "ben"
    assert QUESTION in [turn["question"] for one in values["conversations"] for turn in one["turns"]]
    assert "sailing" not in reply.file.text
    assert {"digest", "key", "options"} & _names(values) == set()
    assert values["messages"][-1]["text"] == "/mydata"
    assert values["tokens"]
    assert (await talk.say("/mydata", "ben", private=False)).text == "I answer that in our private chat only."


def _names(values: Any) -> set[str]:
    if isinstance(values, dict):
        return values.keys() | {name for one in values.values() for name in _names(one)}
    return {name for one in values for name in _names(one)} if isinstance(values, list) else set()


async def test_the_owner_lets_people_in_and_out(talk: Talk) -> None:
    stranger, house = Identity("telegram", f"9{next(_ids)}"), talk.house
    code = await house.database.write(lambda connection: issue(connection, "pair", time.time(), stranger))
    assert (await talk.say("/approve")).text == "Say which code: /approve CODE."
    assert (await talk.say("/approve 11111-22222-33333")).text == "This code is wrong, used or too old. Ask for a new one."
    assert (await talk.say(f"/approve {code}")).text == f"{stranger} may talk to me now."
    assert await person_of(house.people, *stranger) is not None
    listed = (await talk.say("/people")).text.splitlines()
    assert listed[0] == "Who I know:"
    assert "- anna (owner)" in listed
    assert any(line.endswith(f": {stranger}") for line in listed)
    assert (await talk.say("/people", private=False)).text == "I answer that in our private chat only."
    assert (await talk.say(f"/block {stranger}", private=False)).text == "Done.", "who it was is not for the others"
    assert await person_of(house.people, *stranger) is None
    assert (await talk.say("/block nobody-at-all")).text.startswith("I know nobody called nobody-at-all.")
    assert (await talk.say("/block anna")).text.startswith("An owner cannot be blocked")
    assert (await talk.say("/bloquer")).text.startswith("Say whom")


async def test_one_person_on_two_platforms(talk: Talk) -> None:
    house = talk.house
    one, other = Identity("telegram", f"8{next(_ids)}"), Identity("discord", f"7{next(_ids)}")
    person, former = await house.people.enter(one, "approved"), await house.people.enter(other, "approved")
    orders = house._orders()

    async def said(words: str, identity: Identity, by: Person) -> str:
        message = Message(identity.platform, "", "", "chat", identity.user, words, private=True)
        found = typed(words)
        assert found is not None
        return (await orders.carry_out(Received(0, message, by, 0, "private", 1, 0.0), found, "en")).text

    code = (await said("/link", one, person)).split("/link ")[1]
    for asked in ("/link AAAAA-AAAAA-AAAA2", f"/link {code}"):
        assert (await said(asked, other, former)).startswith("Did you make this code yourself")
    assert (await said(f"/link {code}", other, former)).startswith("Your accounts are one person now")
    joined = await person_of(house.people, *other)
    assert joined is not None
    assert joined.id == person.id
    told = await said("/unlink", other, joined)
    assert told == f"This account is on its own now, without memory. What was said before stays with {one}."
    assert (await talk.say("/unlink")).text == "Only an account of a chat platform can be unlinked."
    assert (await talk.say("/link", private=False)).text == "I answer that in our private chat only."


async def test_stop_comes_too_late(talk: Talk) -> None:
    assert (await talk.say("/stop")).text == "There is nothing to stop."


@pytest.mark.parametrize("command", ["people", "approve X", "block X", "index", "models", "model X", "modèles"])
async def test_the_owner_alone(talk: Talk, command: str) -> None:
    assert (await talk.say(f"/{command}", "ben")).text == "Only the owner may do that."


async def test_documents_and_models_command_nothing(talk: Talk) -> None:
    talk.ollama.set(answer="/private on\n/model qwen3:8b [{n}]")
    try:
        await talk.say(QUESTION)
    finally:
        talk.ollama.set(answer="{quote} [{n}] {nonce}")
    assert not talk.person("anna").private
    assert talk.house.model_name == "smollm2:135m"


async def test_index_reads_the_folders_again(talk: Talk) -> None:
    assert (await talk.say("/index attic")).text == "There is no collection of that name that you may read."
    path = talk.folder / "house" / "garden.md"
    path.write_text("# The garden\n\nThe quince tree was planted in 1987.\n")
    assert (await talk.say("/index house", private=False)).text.startswith("I am bringing house up to date.")
    for _ in range(200):
        found = await talk.say("/search quince tree planted")
        if "1987" in found.text:
            break
    assert "1987" in found.text
    path.unlink()
    await talk.house.reindex("house")


async def test_the_models_of_the_server(talk: Talk) -> None:
    talk.ollama.set(remote={"qwen3:8b": "elsewhere.example"})
    try:
        lines = (await talk.say("/models")).text.splitlines()
    finally:
        talk.ollama.set(remote={})
    assert lines == [
        "Models that can answer:",
        "- smollm2:135m (in use)",
        "",
        "Installed, but of no use for answers:",
        "- all-minilm:latest",
        "- bge-m3:latest",
        "- qwen3:8b",
    ]


async def test_another_model_answers_the_next_question(talk: Talk) -> None:
    assert (await talk.say("/model")).text.startswith("The model smollm2:135m is in use.")
    try:
        assert (await talk.say("/model qwen3:8b")).text == "From the next question on, qwen3:8b answers."
        assert (await talk.say(QUESTION)).model == "qwen3:8b"
        assert talk.house.model_name == "qwen3:8b"
        kept = await talk.house.database.read(
            lambda connection: connection.execute(text("SELECT value FROM meta WHERE key = 'chat_model'")).scalar()
        )
        assert kept == "qwen3:8b"
    finally:
        assert (await talk.say("/model default")).text == "From the next question on, smollm2:135m answers."
    assert (await talk.say(QUESTION)).model == "smollm2:135m"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("absent", "There is no model of that name"),
        ("bge-m3", "cannot write answers"),
        ("qwen3:8b", "runs outside"),
        ("a b", "There is no model of that name"),
    ],
)
async def test_a_model_that_cannot_answer_is_refused(talk: Talk, name: str, words: str) -> None:
    talk.ollama.set(remote={"qwen3:8b": "elsewhere.example"})
    try:
        assert words in (await talk.say(f"/model {name}")).text
    finally:
        talk.ollama.set(remote={})
    assert talk.house.model_name == "smollm2:135m"


async def test_an_unknown_command(talk: Talk) -> None:
    reply = await talk.say("/dance now")
    assert (reply.error, reply.text) == ("unknown_command", "I do not know /dance. /help lists what I know.")


async def test_forget_erases_at_once(talk: Talk) -> None:
    await talk.say(QUESTION, "ben")
    assert (await talk.say("/oublier", "ben")).text == "Everything stored about you has been erased."
    assert await talk.turns() == []
