"""What the settings say of Telegram."""

from __future__ import annotations

from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from adapters.config import PlatformConfig


class TelegramConfig(PlatformConfig):
    """`[telegram]`: the bot on Telegram. README says how to make it. A budget of 0 lifts it."""

    base_url: str = Field(
        default="https://api.telegram.org/bot",
        description="the Bot API server; the token goes behind it, or where it says {token}",
    )
    base_file_url: str | None = Field(
        default=None,
        description="where files are downloaded; default: /file/bot of the same server",
        examples=["https://api.telegram.org/file/bot"],
    )
    proxy: str | None = Field(
        default=None,
        description="an HTTP proxy for all calls; the variables of the environment do not count",
        examples=["http://127.0.0.1:3128"],
    )
    mode: Literal["polling", "webhook"] = Field(
        default="polling", description="fetch messages, or have Telegram send them to webhook_url"
    )
    webhook_url: str | None = Field(
        default=None,
        description="the https address under which Telegram reaches the HTTP door, through your reverse proxy",
        examples=["https://grillon.example.org/telegram"],
    )
    webhook_secret: SecretStr | None = Field(
        default=None,
        description="what proves that an update comes from Telegram: 1 to 256 letters, digits, _ and -, that you make up",
    )
    poll_timeout_s: int = Field(default=10, ge=1, le=50, description="seconds that one fetch waits for a message")
    call_timeout_s: float = Field(default=20, gt=0, le=300, description="seconds that any other call may take")
    gather_s: float = Field(
        default=0.8, ge=0, le=5, description="seconds in which the pieces of a long paste or an album become one question"
    )
    chat_per_second: float = Field(default=1, ge=0, description="calls to one private chat a second")
    group_per_minute: int = Field(default=20, ge=0, description="calls to one group a minute")
    global_per_second: int = Field(default=30, ge=0, description="calls to all chats a second")

    @field_validator("base_url", "base_file_url", "webhook_url", "proxy")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        if value is not None and not (urlsplit(value).scheme in {"http", "https"} and urlsplit(value).netloc):
            raise ValueError("must be an address such as https://host/path")
        return value

    @field_validator("webhook_secret")
    @classmethod
    def _secret(cls, value: SecretStr | None) -> SecretStr | None:
        """As Telegram's `setWebhook` wants it: an empty one is refused, not taken for none."""
        if value is None:
            return None
        text = value.get_secret_value()
        if not 1 <= len(text) <= 256 or not all(c.isascii() and (c.isalnum() or c in "_-") for c in text):
            raise ValueError("must be 1 to 256 letters, digits, _ and -")
        return value

    @model_validator(mode="after")
    def _webhook(self) -> Self:
        """Whoever sees no token (the service alone sees credentials) cannot see the secret either."""
        if self.mode == "webhook" and (self.webhook_url is None or (self.webhook_secret is None and self.token is not None)):
            raise ValueError("mode = webhook needs webhook_url and webhook_secret")
        return self

    @property
    def api(self) -> str:
        """Where methods are called: the token and the method's name are put behind it."""
        return self.base_url if "{token}" in self.base_url else _ending(self.base_url, "/bot")

    @property
    def files(self) -> str:
        """Where files are: the token and the file's path are put behind it."""
        if self.base_file_url is not None:
            return self.base_file_url if "{token}" in self.base_file_url else _ending(self.base_file_url, "/file/bot")
        if "{token}" in self.base_url:
            return self.base_url.replace("/bot{token}", "/file/bot{token}")
        return self.api.removesuffix("/bot") + "/file/bot"


def _ending(address: str, end: str) -> str:
    address = address.rstrip("/")
    return address if address.endswith(end) else address + end
