"""Whatever the model server does, whoever asks gets an answer or an honest sentence in time, through every door."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from bot.speech.sentences import say
from tests.e2e.doors import DOORS, Said, by_http, fresh
from tests.rigs.daemon import Daemon, free_port
from tests.rigs.ollama import Ollama
from tests.rigs.ollama_script import FAULTS, Fault

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUESTION = "What pressure should the boiler in the cellar have?"
ANSWER = "The boiler stands in the cellar, behind the freezer. [1]"
HEATING = "The boiler stands in the cellar, behind the freezer. Its pressure should be 1.5 bar."
DEADLINES = "load_s = 1.2\nfirst_token_s = 0.8\nnext_token_s = 0.6\nanswer_s = 2.5\nslots = 8"
DEADLINE_S = 8.0
"""Two tries of an answer (a model that broke is asked once more), and a search without vectors before each."""

EXPECTED: dict[str, set[str | None]] = {
    "400": {"prompt_too_long"},
    "404": {"model_missing"},
    "500": {"model_broken"},
    "503": {"model_busy"},
    "unfit": {"model_unfit"},
    "redirect": {"model_broken"},
    "refuse": {"model_unreachable"},
    "hang": {"model_slow", "model_loading"},
    "stall": {"model_slow"},
    "error_line": {"model_broken"},
    "cut": {"model_broken"},
    "no_last_line": {"model_broken"},
    "garbage": {"model_broken"},
    "list": {"model_broken"},
    "endless": {"model_slow", None},
    "endless_line": {"model_broken", "model_slow"},
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ollama() -> AsyncIterator[Ollama]:
    async with Ollama(slots=8) as rig:
        yield rig


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def daemon(ollama: Ollama, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Daemon]:
    """Its deadlines are short, and its window is larger than the model's own: prompts can be cut in silence.

    Its TZ is of a form that the scheduler does not know.
    """
    folder = tmp_path_factory.mktemp("faults")
    settings = "[limits]\nquestion_chars = 60000\n"
    running = Daemon(folder / "daemon", ollama.address, {"house": documents(folder)}, settings=settings, model=DEADLINES)
    text = running.config.read_text().replace("context_window = 4096", "context_window = 16384")
    running.config.write_text(text.replace("window = 256", "window = 256\ntimeout_s = 1"))
    async with running:
        yield await running.start(indexed=True, TZ="CET-1CEST")
        assert "Traceback" not in running.log.read_text()


@pytest.fixture
def rig(ollama: Ollama) -> Iterator[Ollama]:
    """The model server, with a script of the test's own."""
    before = ollama.script
    ollama.prompts.clear()
    yield ollama
    ollama._house.machine.script = before
    ollama._struck.clear()


def documents(folder: Path) -> Path:
    house = folder / "documents"
    house.mkdir()
    (house / "heating.md").write_text(f"# Heating\n\n{HEATING}\n")
    (house / "wifi.md").write_text("# Wifi\n\nThe router sits behind the bookshelf. Its network is called Cricket.\n")
    return house


async def all_doors(daemon: Daemon, question: str = QUESTION) -> dict[str, Said]:
    """One question at every door at once, each within the deadline."""

    async def one(name: str) -> Said:
        async with asyncio.timeout(DEADLINE_S):
            return await DOORS[name](daemon, question, conversation=fresh())

    return dict(zip(DOORS, await asyncio.gather(*map(one, DOORS)), strict=True))


def honest(said: Said, address: str, expected: set[str | None]) -> None:
    """An answer, or one of the sentences, in full."""
    assert said.error in expected, said
    if said.error is None:
        assert said.text
        return
    sentence = say(said.error, "en", model="smollm2:135m", address=address, detail="\0")
    pattern = re.escape(sentence).replace("\0", ".{5,200}")
    assert re.fullmatch(pattern, said.text), said.text


async def test_hours_that_cannot_be_kept_take_nothing_with_them(daemon: Daemon) -> None:
    """Neither the first index, for which the fixture waited, nor the watcher."""
    assert "background task failed name=schedule" in daemon.log.read_text()
    added = daemon.folder.parent / "documents" / "shed.md"
    added.write_text("# Shed\n\nThe key of the shed hangs under the eaves.\n")
    given: set[str] = set()
    async with asyncio.timeout(15), aiohttp.ClientSession() as session:
        while "shed.md" not in given:
            _, answer = await daemon.ask(session, "Where does the key of the shed hang?")
            given = {one["document"] for one in (*answer["citations"], *answer["consulted"])}


async def test_every_fault_is_expected() -> None:
    assert EXPECTED.keys() == FAULTS.keys()


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_becomes_an_honest_sentence_at_every_door(daemon: Daemon, rig: Ollama, fault: str) -> None:
    rig.set(faults=(Fault(fault, text="http://127.0.0.1:9/api/chat" if fault == "redirect" else ""),))
    told = await all_doors(daemon)
    rig.set(faults=())
    after = await all_doors(daemon)

    for said in told.values():
        honest(said, rig.address, EXPECTED[fault])
    assert all(said.text.startswith(ANSWER) for said in after.values())


@pytest.mark.parametrize("fault", ["error_line", "cut", "500", "no_last_line"])
async def test_a_model_that_broke_once_is_asked_again(daemon: Daemon, rig: Ollama, fault: str) -> None:
    rig.set(faults=(Fault(fault, times=1),))
    said = await DOORS["stream"](daemon, QUESTION, conversation=fresh())

    assert (said.error, said.text, said.streamed) == (None, ANSWER, ANSWER)


@pytest.mark.parametrize("fault", ["404", "500", "503", "refuse", "hang", "redirect", "unfit"])
async def test_without_vectors_full_text_finds_the_answer(daemon: Daemon, rig: Ollama, fault: str) -> None:
    rig.set(faults=(Fault(fault, route="embed"),))
    told = await all_doors(daemon)

    assert all(said.text.startswith(ANSWER) for said in told.values())


@pytest.mark.parametrize("fault", ["500", "hang", "404"])
async def test_a_server_that_does_not_know_its_models_is_no_answer_for_ever(daemon: Daemon, rig: Ollama, fault: str) -> None:
    rig.set(faults=(Fault("500", times=1), Fault(fault, route="show")))
    told = await all_doors(daemon)
    rig.set(faults=())

    for said in told.values():
        honest(said, rig.address, {None, "model_broken", "model_slow", "model_missing"})
    assert (await by_http(daemon, QUESTION, conversation=fresh())).text == ANSWER


async def test_a_model_that_still_loads_is_said_to(daemon: Daemon, rig: Ollama) -> None:
    rig.set(faults=(Fault("500"),))
    await by_http(daemon, QUESTION, conversation=fresh())
    rig.reset()
    rig.set(load_s=6.0, faults=())
    told = await all_doors(daemon)
    rig.set(load_s=0.0)
    rig.reset()

    for said in told.values():
        honest(said, rig.address, {"model_loading"})


async def test_a_missing_model_comes_with_the_command_that_installs_it(daemon: Daemon, rig: Ollama) -> None:
    rig.set(installed=("all-minilm:latest",))
    code, out, err = await daemon.verb("ask", QUESTION)

    assert (code, err) == (1, "")
    assert out.strip() == say("model_missing", "en", model="smollm2:135m")
    assert "ollama pull smollm2:135m" in out


async def test_a_model_that_runs_elsewhere_gets_no_word_of_the_house(daemon: Daemon, rig: Ollama) -> None:
    rig.set(remote={"smollm2:135m": "https://ollama.com:443"}, faults=(Fault("500", times=1),))
    first = await by_http(daemon, QUESTION, conversation=fresh())
    rig.prompts.clear()
    told = await all_doors(daemon)

    for said in (first, *told.values()):
        honest(said, rig.address, {"model_unfit"})
        assert "ollama.com" in said.text
    assert not rig.prompts


@pytest.mark.parametrize("silent", [True, False])
async def test_a_prompt_over_the_window_is_no_silent_cut(daemon: Daemon, rig: Ollama, *, silent: bool) -> None:
    rig.set(cuts_silently=silent)
    question = f"{QUESTION} " + "and the boiler pressure " * 1700
    told = await all_doors(daemon, question)

    for said in told.values():
        honest(said, rig.address, {"prompt_too_long"})
    assert (await by_http(daemon, QUESTION, conversation=fresh())).text == ANSWER


async def test_it_starts_without_a_model_server_and_mends_itself(tmp_path: Path) -> None:
    rig = Ollama(port=free_port())
    async with Daemon(tmp_path / "daemon", rig.address, {"house": documents(tmp_path)}, model=DEADLINES) as daemon:
        await daemon.start(indexed=True)
        told = await all_doors(daemon)
        ready = await readiness(daemon)
        async with rig:
            begun = time.monotonic()
            while (said := await by_http(daemon, QUESTION, conversation=fresh())).text != ANSWER:
                assert time.monotonic() < begun + 20, said
                await asyncio.sleep(0.2)
            code, out, _ = await daemon.verb("db", "check")
            assert code == 0, out
            assert rig.counters.embedded >= 2

    assert ready == {"database": True, "index": True, "model": False}
    for said in told.values():
        honest(said, rig.address, {"index_unavailable"})  # nothing could be embedded: "nothing found" would be a lie


async def test_documents_wait_for_the_embedding_model_and_no_longer(daemon: Daemon, rig: Ollama) -> None:
    path = daemon.folder.parent / "documents" / "bees.md"
    rig.set(faults=(Fault("503", route="embed"),))
    path.write_text("# Bees\n\nThe beekeeper Ysolde comes in May.\n")
    async with asyncio.timeout(10):
        while not await waiting(daemon):
            await asyncio.sleep(0.1)
    rig.set(faults=())
    async with asyncio.timeout(45):
        while (await by_http(daemon, "Who is the beekeeper Ysolde?", conversation=fresh())).cited != ["bees.md"]:
            await asyncio.sleep(0.2)
    path.unlink()


async def waiting(daemon: Daemon) -> int:
    async with aiohttp.ClientSession(headers=daemon.headers) as session, session.get(f"{daemon.url}/status") as response:
        return int((await response.json())["collections"][0]["report"]["not_embedded"])


async def readiness(daemon: Daemon) -> dict[str, bool]:
    async with aiohttp.ClientSession() as session, session.get(f"{daemon.url}/readyz") as response:
        parts: dict[str, bool] = json.loads(await response.read())["parts"]
        return parts
