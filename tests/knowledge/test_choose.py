"""The settings name a provider, and only its code is imported."""

from __future__ import annotations

import subprocess
import sys

import pytest

from knowledge.choose import chat_model, embedder
from knowledge.config import ChatModelConfig, EmbeddingConfig


@pytest.mark.parametrize(("provider", "kind"), [("ollama", "Ollama"), ("openai", "OpenAI"), ("embedded", "Embedded")])
async def test_each_provider_has_its_models(provider: str, kind: str) -> None:
    model = chat_model(ChatModelConfig.model_validate({"provider": provider, "name": "smollm2", "context_window": 2048}))
    vectors = embedder(EmbeddingConfig.model_validate({"provider": provider}))
    assert (type(model).__name__, type(vectors).__name__) == (f"{kind}Chat", f"{kind}Embedder")
    assert (model.name, model.window, vectors.window) == ("smollm2", 2048, 512)
    assert model.count("hello") >= 1
    assert vectors.count("hello") >= 1
    await model.close()
    await vectors.close()


def test_nothing_is_imported_before_a_model_is_chosen() -> None:
    heavy = {"llama_index", "aiohttp", "numpy"}
    code = f"import knowledge.choose, sys; sys.exit(any(name.split('.')[0] in {heavy} for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
