"""The settings of the daemon: `grillon.toml`, then `GRILLON_…` variables, then files of `$CREDENTIALS_DIRECTORY`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from adapters.discord.config import DiscordConfig
from adapters.telegram.config import TelegramConfig
from knowledge.config import (
    ChatModelConfig,
    CollectionConfig,
    EmbeddingConfig,
    ReadingConfig,
    RetrievalConfig,
    Section,
)


class PersonConfig(Section):
    """`[[people]]`: a person declared by the owner, so that collections can name them."""

    name: str = Field(min_length=1, max_length=64, description="the name collections use as a reader", examples=["Ada"])
    owner: bool = Field(default=False, description="may do everything")
    unix_user: str | None = Field(
        default=None,
        description="the account on this machine that asks as this person, through the local socket",
        examples=["ada"],
    )
    identities: list[str] = Field(
        default=[], description="accounts of platforms that are this person's, as telegram:ID or discord:ID"
    )


class HttpConfig(Section):
    """`[http]`: the HTTP door."""

    enabled: bool = Field(default=True, description="open the HTTP door")
    host: str = Field(default="127.0.0.1", description="the address it binds")
    port: int = Field(default=8765, ge=0, le=65535, description="the port it binds; 0: any free one")
    body_kb: int = Field(default=256, ge=1, le=16384, description="the longest request, in KiB")
    events_s: float = Field(default=15, gt=0, description="seconds between two signs of life on an event stream")


class LimitsConfig(Section):
    """`[limits]`: everything is bounded."""

    question_chars: int = Field(default=16_000, ge=100, le=1_000_000, description="characters of one question")
    queue: int = Field(default=500, ge=1, le=100_000, description="questions waiting in all")
    queue_person: int = Field(default=50, ge=1, le=100_000, description="questions of one person waiting")
    attempts: int = Field(default=5, ge=1, le=20, description="tries before a message is set aside")
    expire_h: float = Field(
        default=24, gt=0, description="hours after which a waiting question is not answered any more but said so"
    )
    person_minute: int = Field(
        default=20, ge=1, le=100_000, description="messages of one person in a minute, from Discord and Telegram"
    )
    person_day: int = Field(
        default=500, ge=1, le=100_000, description="messages of one person in a day, from Discord and Telegram"
    )
    person_minute_http: int = Field(
        default=300,
        ge=0,
        le=100_000,
        description="messages of one person in a minute, over HTTP and from the terminal; 0: any number",
    )
    handled_days: float = Field(default=30, gt=0, description="days the ids of handled messages are remembered")


class MemoryConfig(Section):
    """`[memory]`: what is remembered of a conversation."""

    tokens: int = Field(
        default=2048, ge=0, le=100_000, description="tokens of earlier turns in a prompt, at most a third of the window"
    )
    days: float = Field(default=365, gt=0, description="days a turn is remembered")


class SocketConfig(Section):
    """`[socket]`: the local socket of the command-line verbs."""

    path: Path | None = Field(
        default=None,
        description="where; default: $RUNTIME_DIRECTORY, else the state folder",
        examples=["/run/grillon/grillon.sock"],
    )
    group: str | None = Field(
        default=None, description="the group of this machine that may connect and counts as the owner", examples=["grillon"]
    )


class ScheduleConfig(Section):
    """`[schedule]`: what is done at night, as cron lines."""

    backup: str = Field(default="15 4 * * *", description="back the database up")
    check: str = Field(default="30 4 * * 0", description="check the database and the index")
    prune: str = Field(default="45 4 * * *", description="forget what is out of date")
    backups_kept: int = Field(
        default=7, ge=1, le=365, description="nightly backups kept; databases put aside by a restore are kept as many days"
    )
    deadline_s: float = Field(default=14_400, gt=0, description="seconds one job may take")


class DaemonConfig(Section):
    """`[daemon]`: the process itself."""

    language: Literal["fr", "en"] = Field(default="en", description="the language when neither person nor platform says one")
    grace_s: float = Field(default=20, ge=0, le=600, description="seconds an answer being written may take to finish at SIGTERM")
    stall_s: float = Field(default=0.25, ge=0.001, le=5, description="seconds between two looks at the event loop")
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="how much is logged")


class Settings(Section):
    """Everything the daemon is told. `state` is the folder that holds the database and the index."""

    state: Path | None = Field(
        default=None,
        description="the state folder; default: $STATE_DIRECTORY, else the user's data folder",
        examples=["/var/lib/grillon"],
    )
    collections: list[CollectionConfig] = Field(default=[])
    people: list[PersonConfig] = Field(default=[])
    model: ChatModelConfig = ChatModelConfig()
    embedding: EmbeddingConfig = EmbeddingConfig()
    retrieval: RetrievalConfig = RetrievalConfig()
    reading: ReadingConfig = ReadingConfig()
    http: HttpConfig = HttpConfig()
    limits: LimitsConfig = LimitsConfig()
    memory: MemoryConfig = MemoryConfig()
    socket: SocketConfig = SocketConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    daemon: DaemonConfig = DaemonConfig()
    telegram: TelegramConfig = TelegramConfig()
    discord: DiscordConfig = DiscordConfig()
