"""Which chat model answers: the one of the settings, or the one that the owner chose among those that are installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, select
from sqlalchemy.dialects.sqlite import insert

from bot.tables import meta
from knowledge.choose import chat_model, installed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sqlalchemy import Connection

    from bot.loading import Loaded
    from knowledge.config import ChatModelConfig
    from knowledge.models import Health
    from knowledge.ollama_server import Installed
    from knowledge.types import Sql

_KEY = "chat_model"
_CHOSEN = select(meta.c.value).where(meta.c.key == _KEY)
_FIT = frozenset({"loading", "ready"})


async def chosen_model(config: ChatModelConfig, sql: Sql) -> ChatModelConfig:
    """The settings of the chat model that answers. A choice counts as long as an Ollama server is asked."""
    name = await sql.read(lambda connection: connection.execute(_CHOSEN).scalar())
    return config.model_copy(update={"name": name}) if name and can_choose(config) else config


def can_choose(config: ChatModelConfig) -> bool:
    """Whether the owner may choose: only Ollama has models side by side, and says what each is good for."""
    return config.provider == "ollama"


class ChosenModel:
    """Changes the chat model while the daemon runs. `config` is what the settings say."""

    def __init__(self, config: ChatModelConfig, sql: Sql, loaded: Callable[[], Awaitable[Loaded]]) -> None:
        self.config = config
        self._sql = sql
        self._loaded = loaded

    @property
    def possible(self) -> bool:
        """Whether there is a choice."""
        return can_choose(self.config)

    async def name(self) -> str:
        """The model that answers now."""
        return (await self._loaded()).model.name

    async def installed(self) -> list[Installed]:
        """The models of the server. Raises the `ModelError` family."""
        return await installed(self.config)

    async def choose(self, name: str | None) -> Health:
        """Let a model answer from the next question on; None: the one of the settings, whatever its state is.

        A model that is not fit to answer changes nothing: the health says why. Raises `DatabaseError`.
        """
        model = chat_model(self.config.model_copy(update={"name": name or self.config.name}))
        try:
            health = await model.check()
        except BaseException:
            await model.close()
            raise
        if name is not None and health.state not in _FIT:
            await model.close()
            return health
        await self._sql.write(lambda connection: _keep(connection, name))
        (await self._loaded()).use(model)
        return health


def _keep(connection: Connection, name: str | None) -> None:
    if name is None:
        connection.execute(delete(meta).where(meta.c.key == _KEY))
        return
    kept = insert(meta).values(key=_KEY, value=name)
    connection.execute(kept.on_conflict_do_update(index_elements=["key"], set_={"value": name}))
