"""The Ollama embedder against the stand-in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from knowledge.config import EmbeddingConfig
from knowledge.errors import (
    ModelBrokenError,
    ModelError,
    ModelMissingError,
    ModelUnfitError,
    ModelUnreachableError,
    PromptTooLongError,
)
from knowledge.ollama import OllamaEmbedder
from tests.rigs.ollama import Ollama
from tests.rigs.ollama_script import Fault

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def rig() -> AsyncIterator[Ollama]:
    async with Ollama() as rig:
        yield rig


def settings(rig: Ollama, **values: Any) -> EmbeddingConfig:
    return EmbeddingConfig(**{"address": rig.address, "name": "all-minilm", **values})


@pytest.fixture
async def embedder(rig: Ollama) -> AsyncIterator[OllamaEmbedder]:
    embedder = OllamaEmbedder(settings(rig, batch=4, timeout_s=1))
    yield embedder
    await embedder.close()


async def test_vectors_have_length_one_and_near_texts_are_near(embedder: OllamaEmbedder) -> None:
    rows = await embedder.passages(["The boiler is in the cellar.", "Bins go out on Tuesday."])
    question = await embedder.query("Where is the boiler?")
    assert (rows.shape, question.shape) == ((2, 384), (384,))
    assert rows.dtype == np.float32
    assert np.linalg.norm(rows, axis=1) == pytest.approx([1, 1], abs=1e-5)
    assert rows[0] @ question > rows[1] @ question + 0.2


async def test_passages_go_in_batches_in_order(rig: Ollama, embedder: OllamaEmbedder) -> None:
    texts = [f"passage number {n} about topic {n * 7}" for n in range(10)]
    rows = await embedder.passages(texts)
    assert (rig.counters.requests["embed"], rig.counters.embedded) == (1 + 3, 11)
    assert np.allclose(rows[9], (await embedder.passages([texts[9]]))[0], atol=1e-5)
    assert (await embedder.passages([])).shape == (0, 384)


async def test_a_call_stays_small_enough_to_be_read_between_two_words(rig: Ollama) -> None:
    rig.set(dimension=1024)
    embedder = OllamaEmbedder(settings(rig, batch=512))
    await embedder.passages(["x"] * 128)
    assert rig.counters.requests["embed"] == 1 + 2
    await embedder.close()


async def test_prefixes_are_put_before_the_texts(rig: Ollama, embedder: OllamaEmbedder) -> None:
    prefixed = OllamaEmbedder(settings(rig, query_prefix="search query ", passage_prefix="search document "))
    assert np.allclose(await prefixed.query("boiler"), await embedder.query("search query boiler"), atol=1e-5)
    assert np.allclose(await prefixed.passages(["boiler"]), await embedder.passages(["search document boiler"]), atol=1e-5)
    assert (await prefixed.fingerprint()).key != (await embedder.fingerprint()).key
    await prefixed.close()


async def test_the_fingerprint_is_asked_once_and_follows_the_model(rig: Ollama, embedder: OllamaEmbedder) -> None:
    print_ = await embedder.fingerprint()
    await embedder.fingerprint()
    assert rig.counters.requests == {"tags": 1, "show": 1, "embed": 1}
    assert (print_.model, print_.dimension, len(print_.digest)) == ("all-minilm", 384, 64)
    rig.set(digests={"all-minilm:latest": "0" * 64})
    again = OllamaEmbedder(settings(rig))
    assert (await again.fingerprint()).key != print_.key
    await again.close()


async def test_a_model_exchanged_under_the_same_name_is_noticed(rig: Ollama, embedder: OllamaEmbedder) -> None:
    before = await embedder.fingerprint()
    assert await embedder.fingerprint(anew=True) == before
    assert rig.counters.requests["embed"] == 1, "its name in a list is enough"
    rig.set(digests={"all-minilm:latest": "0" * 64})
    assert await embedder.fingerprint() == before
    assert (await embedder.fingerprint(anew=True)).digest == "0" * 64
    rig.set(dimension=512)
    with pytest.raises(ModelBrokenError, match="another model"):
        await embedder.query("boiler")
    assert (await embedder.fingerprint()).dimension == 512
    assert (await embedder.query("boiler")).shape == (512,)


async def test_a_text_over_the_window_is_refused_and_not_cut(embedder: OllamaEmbedder) -> None:
    with pytest.raises(PromptTooLongError):
        await embedder.passages(["word " * 3000])


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault("500", route="embed"), ModelBrokenError),
        (Fault("404", route="embed"), ModelMissingError),
        (Fault("hang", route="embed"), ModelError),
        (Fault("refuse", route="embed"), ModelUnreachableError),
    ],
    ids=lambda value: value.kind if isinstance(value, Fault) else "",
)
async def test_each_fault_has_its_error(rig: Ollama, embedder: OllamaEmbedder, fault: Fault, error: type[ModelError]) -> None:
    rig.set(faults=[fault])
    with pytest.raises(error):
        await embedder.query("boiler")
    rig.set(faults=[])
    assert (await embedder.query("boiler")).shape == (384,)


async def test_a_chat_model_does_not_embed(rig: Ollama) -> None:
    embedder = OllamaEmbedder(settings(rig, name="smollm2:135m"))
    with pytest.raises(ModelUnfitError, match="embedding"):
        await embedder.query("boiler")
    assert (await embedder.check()).state == "unfit"
    await embedder.close()


@pytest.mark.parametrize("vectors", [[[1.0, 2.0], [1.0]], [[1.0]], [[0.0, 0.0]] * 2, [[float("nan")]] * 2, None, [["a"]] * 2])
def test_vectors_that_are_none_are_no_vectors(vectors: object) -> None:
    embedder = OllamaEmbedder(EmbeddingConfig())
    with pytest.raises(ModelBrokenError):
        embedder._units(vectors, 2)


async def test_it_is_a_llamaindex_embedding(embedder: OllamaEmbedder) -> None:
    vectors = await embedder.aget_text_embedding_batch([f"text {n}" for n in range(5)])
    assert (len(vectors), len(vectors[0])) == (5, 384)
    assert await embedder.aget_text_embedding("text 3") == pytest.approx(vectors[3], abs=1e-5)
    assert len(await embedder.aget_query_embedding("text")) == 384
    with pytest.raises(NotImplementedError):
        embedder.get_query_embedding("text")
