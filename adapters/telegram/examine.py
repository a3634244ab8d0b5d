"""What Telegram says of the bot, for whoever sets it up: its token, its switches at @BotFather, its webhook, its groups."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from adapters.telegram.client import CallError, Client

if TYPE_CHECKING:
    from collections.abc import Iterable

    from adapters.telegram.config import TelegramConfig

_MOST_CHATS = 20
_REFUSED = frozenset({401, 404})


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where Telegram sends messages to; `url` is empty when they are fetched. `failure` is its last one, `waiting` counts."""

    url: str = ""
    failure: str = ""
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class Examined:
    """The bot as Telegram knows it. Without `accepted` nothing more is known, and `detail` says why.

    `reads_groups`: privacy mode is off. `absent`: chats of the settings in which the bot is not. `deaf`: free chats in which
    privacy mode keeps it from hearing what does not mention it.
    """

    state: Literal["accepted", "refused", "unreachable"]
    detail: str = ""
    username: str = ""
    joins_groups: bool = True
    reads_groups: bool = False
    inline: bool = False
    webhook: Webhook = field(default_factory=Webhook)
    absent: tuple[str, ...] = ()
    deaf: tuple[str, ...] = ()


async def examine(config: TelegramConfig) -> Examined:
    """Ask Telegram about the bot of these settings, which have a token. Raises nothing; the token is in no text."""
    token = config.token.get_secret_value() if config.token else ""
    if not token.isascii() or not token.isprintable() or " " in token or not token:
        return Examined("refused", "it holds characters that no token has")
    client = Client(config, token)
    await client.open()
    try:
        return await _asked(client, config)
    except CallError as error:
        return Examined("refused" if error.code in _REFUSED else "unreachable", str(error))
    finally:
        await client.close()


async def _asked(client: Client, config: TelegramConfig) -> Examined:
    me = _object(await client.call("getMe"))
    if "id" not in me:
        raise CallError("an answer that is none of the Bot API's")
    hook = _object(await client.call("getWebhookInfo"))
    found = Examined(
        "accepted",
        username=str(me.get("username") or ""),
        joins_groups=bool(me.get("can_join_groups")),
        reads_groups=bool(me.get("can_read_all_group_messages")),
        inline=bool(me.get("supports_inline_queries")),
        webhook=Webhook(
            str(hook.get("url") or ""), str(hook.get("last_error_message") or ""), int(hook.get("pending_update_count") or 0)
        ),
    )
    standing = {chat: await _standing(client, chat, me["id"]) for chat in _groups([*config.free_chats, *config.allow_chats])}
    deaf = [chat for chat in _groups(config.free_chats) if standing.get(chat) == "member"]
    absent = tuple(chat for chat, status in standing.items() if status is None)
    return replace(found, absent=absent, deaf=() if found.reads_groups else tuple(deaf))


def _groups(chats: Iterable[str]) -> list[str]:
    """The shared ones, each once, and not more than can be asked about in a moment."""
    return [chat for chat in dict.fromkeys(chats) if chat.startswith("-")][:_MOST_CHATS]


async def _standing(client: Client, chat: str, me: object) -> str | None:
    """What the bot is in a chat, as `member` or `administrator`; None where it is not."""
    try:
        found = _object(await client.call("getChatMember", {"chat_id": chat, "user_id": me}))
    except CallError as error:
        if error.moved_to is not None and str(error.moved_to) != chat:
            return await _standing(client, str(error.moved_to), me)
        if error.code in {400, 403}:
            return None
        raise
    status = str(found.get("status"))
    return None if status in {"left", "kicked"} else status


def _object(answer: object) -> dict[str, Any]:
    return answer if isinstance(answer, dict) else {}
