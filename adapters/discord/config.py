"""The settings of Discord: how to reach it, who may talk, and how much may be asked of it."""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

from adapters.config import Id, PlatformConfig

API_BASE = "https://discord.com/api/v10"
GATEWAY = "wss://gateway.discord.gg/"


class DiscordBudgets(BaseModel):
    """`[discord.budgets]`: how many calls are made. A budget of 0 is lifted, where it may be 0."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    channel_per_5_s: int = Field(default=8, ge=0, le=500, description="calls in one channel in any 5 s")
    edit_every_s: float = Field(default=1.0, ge=0, le=60, description="seconds between two views of an answer that is written")
    global_per_s: int = Field(default=45, ge=0, le=1000, description="calls a second over all channels; Discord allows 50")
    identifies_per_day: int = Field(
        default=900, ge=1, le=1000, description="new sessions in 24 h; at 1,000 Discord resets the token"
    )
    invalid_per_10_min: int = Field(
        default=5000, ge=10, le=9500, description="calls answered 401, 403 or 429 in 10 min; at 10,000 Discord bans the address"
    )


class DiscordDeadlines(BaseModel):
    """`[discord.deadlines]`: how long things may take, in seconds. Discord's own limits do not change with them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    interaction_s: float = Field(default=870, gt=0, le=890, description="how long a command's own reply can be edited")
    defer_s: float = Field(default=1.0, gt=0, le=2.5, description="a command is acknowledged at the latest after that long")
    nonce_s: float = Field(default=120, gt=0, le=300, description="how long a message that is sent twice is known to Discord")
    request_s: float = Field(default=15, gt=0, le=120, description="how long one call may take")
    download_s: float = Field(default=120, gt=0, le=600, description="how long one attachment may take")
    silence_s: float = Field(default=60.0, gt=0, le=300, description="a connection that says nothing for so long is given up")
    reconnect_s: float = Field(default=1.0, gt=0, le=60, description="the first wait before a new connection; it doubles")
    reidentify_s: float = Field(default=5.0, gt=0, le=60, description="the wait before a new session when the old one is void")
    restarts_s: float = Field(default=300, ge=0, le=300, description="the longest wait before a connection in a crash loop")
    paste_s: float = Field(default=1.2, ge=0, le=5, description="how long the second half of a split paste is waited for")


class DiscordConfig(PlatformConfig):
    """`[discord]`: the bot on Discord. README says how to make it."""

    api_base: str = Field(default=API_BASE, description="the address of the REST interface")
    gateway: str = Field(default=GATEWAY, description="the address of the gateway")
    allow_roles: list[Id] = Field(default=[], description="roles whose members may talk, by id")
    allow_guilds: list[Id] = Field(default=[], description="servers in which everybody may talk, by id")
    message_content: bool = Field(
        default=False,
        description="ask for the privileged Message Content intent: free_chats need it, and pastes that are cut in servers",
    )
    history_limit: int = Field(default=200, ge=0, le=5000, description="messages read in each channel after a gap")
    history_hours: float = Field(default=24, ge=0, le=336, description="how far back a gap is read")
    budgets: DiscordBudgets = Field(default=DiscordBudgets(), description="how much is asked of Discord")
    deadlines: DiscordDeadlines = Field(default=DiscordDeadlines(), description="how long is waited")

    @field_validator("api_base")
    @classmethod
    def _interface(cls, value: str) -> str:
        return _address(value, {"http", "https"}, API_BASE).rstrip("/")

    @field_validator("gateway")
    @classmethod
    def _socket(cls, value: str) -> str:
        return _address(value, {"ws", "wss"}, GATEWAY)


def _address(value: str, schemes: set[str], example: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in schemes or not parts.netloc:
        raise ValueError(f"must be an address such as {example}")
    return value
