"""Where a platform pushes its updates: no token of ours opens this route, the platform's own secret does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable
from urllib.parse import urlsplit

from aiohttp import web

from bot.http.body import read_body

if TYPE_CHECKING:
    from adapters.telegram.config import TelegramConfig

_SECRET = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 -- the name of a header


@runtime_checkable
class Pushed(Protocol):
    """A platform that is pushed to."""

    async def accept(self, secret: str | None, body: bytes) -> int:
        """Take an update once it is stored; the HTTP status that says so."""


def webhook_path(config: TelegramConfig) -> str:
    """The path under which Telegram reaches us, as the settings give its address."""
    return urlsplit(config.webhook_url or "").path or "/"


class Webhook:
    """The route of one platform."""

    def __init__(self, platform: object) -> None:
        if not isinstance(platform, Pushed):
            raise TypeError("this platform is not pushed to")
        self._platform = platform

    async def take(self, request: web.BaseRequest) -> web.StreamResponse:
        """`POST` of an update. The platform compares the secret, and answers 200 only for what is committed."""
        body = await read_body(request)
        return web.Response(status=await self._platform.accept(request.headers.get(_SECRET), body))
