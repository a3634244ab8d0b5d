"""What the settings of every platform have in common."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

Id = Annotated[str, BeforeValidator(lambda value: str(value) if isinstance(value, int) else value)]
"""A platform's own id. In the settings it may stand as a number."""


class PlatformConfig(BaseModel):
    """A platform's table in the settings file. An unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    token: SecretStr | None = Field(default=None, description="the bot's token; without one the platform stays closed")
    allow_users: list[Id] = Field(default=[], description="people who may talk, by the platform's user id")
    allow_chats: list[Id] = Field(default=[], description="chats and channels in which everybody may talk, by id")
    free_chats: list[Id] = Field(default=[], description="chats and channels in which it answers without being mentioned, by id")
    pairing: bool = Field(
        default=True, description="give a stranger a code that the owner can approve; false: turn strangers away"
    )
    file_from_chars: int = Field(
        default=20_000, ge=2000, le=1_000_000, description="characters from which an answer goes as a file with a summary"
    )
    attachment_mb: float = Field(default=20, gt=0, le=20, description="larger attachments are refused before their download")
