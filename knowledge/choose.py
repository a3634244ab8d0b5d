"""Chooses the models that the settings name; only the chosen provider's code is imported."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from knowledge.config import ChatModelConfig, EmbeddingConfig
    from knowledge.models import ChatModel, Embedder
    from knowledge.ollama_server import Installed


def chat_model(config: ChatModelConfig) -> ChatModel:
    """The model that writes. Nothing is asked, started or loaded yet."""
    if config.provider == "ollama":
        from knowledge.ollama import OllamaChat

        return OllamaChat(config)
    if config.provider == "openai":
        from knowledge.openai import OpenAIChat

        return OpenAIChat(config)
    from knowledge.embedded import EmbeddedChat

    return EmbeddedChat(config)


async def installed(config: ChatModelConfig) -> list[Installed]:
    """All models of an Ollama server, by name. Raises the `ModelError` family."""
    from knowledge.ollama_server import OllamaServer
    from knowledge.wire import Wire

    wire = Wire(config.address, config.name)
    try:
        return await OllamaServer(wire, config.remote, timeout_s=config.first_token_s).installed()
    finally:
        await wire.close()


def embedder(config: EmbeddingConfig) -> Embedder:
    """The model that turns text into vectors. Nothing is asked, started or loaded yet."""
    if config.provider == "ollama":
        from knowledge.ollama import OllamaEmbedder

        return OllamaEmbedder(config)
    if config.provider == "openai":
        from knowledge.openai import OpenAIEmbedder

        return OpenAIEmbedder(config)
    from knowledge.embedded import EmbeddedEmbedder

    return EmbeddedEmbedder(config)
