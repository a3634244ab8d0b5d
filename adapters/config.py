"""What the settings of every platform have in common."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

_DIGITS = re.compile(r"-?[0-9]{1,20}")


def _id(value: object) -> object:
    """An id in digits, also where it stands as a number. A name would never match what a platform sends."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if isinstance(text, str) and not _DIGITS.fullmatch(text):
        raise ValueError("must be the platform's own id, in digits, not a name")
    return text


Id = Annotated[str, BeforeValidator(_id)]
"""A platform's own id. In the settings it may stand as a number."""


class PlatformConfig(BaseModel):
    """A platform's table in the settings file. An unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    token: SecretStr | None = Field(default=None, description="the bot's token; without one this door stays closed")
    pairing: bool = Field(
        default=True, description="give a stranger a code that the owner may approve; false: turn strangers away"
    )
    allow_users: list[Id] = Field(default=[], description="people who may talk without a code, by user id")
    allow_chats: list[Id] = Field(default=[], description="groups and channels in which everybody may talk, by id")
    free_chats: list[Id] = Field(default=[], description="groups and channels where it answers without being mentioned, by id")
    file_from_chars: int = Field(
        default=20_000, ge=2000, le=1_000_000, description="characters from which an answer comes as a file with a summary"
    )
    attachment_mb: float = Field(
        default=20, gt=0, le=20, description="megabytes of a file that is sent with a question; larger ones are not downloaded"
    )
