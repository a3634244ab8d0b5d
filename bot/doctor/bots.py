"""What can be wrong with the bots on Telegram and Discord, and the remedy for each: tokens, switches, links, connections."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bot.doctor.installation import Finding, fine

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from adapters.config import PlatformConfig
    from adapters.discord.config import DiscordConfig
    from adapters.discord.examine import Examined as OnDiscord
    from adapters.telegram.config import TelegramConfig
    from adapters.telegram.examine import Examined as OnTelegram
    from adapters.types import Status
    from bot.settings.fields import Settings

_SILENT_S = 120.0
_FEW = 0.1
_HOUR_S = 3600.0
_PORTAL = "in the developer portal"


async def bots(settings: Settings, live: Mapping[str, Status] | None) -> list[Finding]:
    """What both platforms say of the bots, and how they are connected. `live`: in the running daemon; None without one."""
    found = await asyncio.gather(_telegram(settings.telegram, live), _discord(settings.discord, live))
    return [finding for findings in found for finding in findings]


async def _telegram(config: TelegramConfig, live: Mapping[str, Status] | None) -> list[Finding]:
    if config.token is None:
        return [closed("telegram", config, serving=live is not None)]
    from adapters.telegram.examine import examine

    return [*telegram(config, await examine(config), serving=live is not None), *connection("telegram", live)]


async def _discord(config: DiscordConfig, live: Mapping[str, Status] | None) -> list[Finding]:
    if config.token is None:
        return [closed("discord", config, serving=live is not None)]
    from adapters.discord.examine import examine

    return [*discord(config, await examine(config)), *connection("discord", live)]


def closed(name: str, config: PlatformConfig, *, serving: bool) -> Finding:
    """A platform without a token: nothing wrong, unless something else is set for it. The service alone sees credentials."""
    unseen = "" if serving else ", unless the service has one"
    if config == type(config)():
        return fine(name, f"there is no token: this door is closed{unseen}")
    remedy = f"put it into /etc/grillon/{name}.token; `grillon service` prints how the service gets it"
    return Finding(
        name, "warning", f"there are settings, but no token{unseen}", remedy if serving else f"start the service; else {remedy}"
    )


def connection(name: str, live: Mapping[str, Status] | None) -> Iterator[Finding]:
    """How the daemon is connected."""
    status = (live or {}).get(name)
    if status is None:
        return
    about, heard = f"{name} connection", _heard(status)
    match status.state:
        case "stopped":
            yield Finding(about, "wrong", f"stopped: {status.detail}", "then: systemctl restart grillon")
        case "waiting":
            yield Finding(about, "warning", f"waiting, {heard}: {status.detail}", "it goes on by itself; else mend the network")
        case "starting":
            yield Finding(about, "warning", f"it is being made {status.detail}".strip(), "ask again in a moment")
        case "serving" if status.detail:
            yield Finding(about, "warning", status.detail, "stop the other daemon, or make a bot of its own for it")
        case "serving" if status.good_at is None or time.time() - status.good_at > _SILENT_S:
            yield Finding(
                about, "warning", f"it stands, but is silent, {heard}", "it is made anew by itself; else mend the network"
            )
        case "serving":
            yield fine(about, f"serving, {heard}")


def _heard(status: Status) -> str:
    return "not heard of yet" if status.good_at is None else f"last heard of {max(time.time() - status.good_at, 0):.0f} s ago"


def telegram(config: TelegramConfig, found: OnTelegram, *, serving: bool) -> Iterator[Finding]:
    """The bot on Telegram. `serving`: a daemon is running, which has set or removed the webhook."""
    host = urlsplit(config.base_url).hostname
    match found.state:
        case "refused":
            sentence = f"the token is refused: {found.detail}"
            yield Finding(
                "telegram", "wrong", sentence, "take it from @BotFather: /mybots, your bot, API Token; it is `telegram.token`"
            )
        case "unreachable":
            remedy = "check this machine's network, or `base_url` and `proxy` in [telegram]"
            yield Finding("telegram", "wrong", f"{host} cannot be asked: {found.detail}", remedy)
        case "accepted":
            yield fine("telegram", f"the token is @{found.username}'s: https://t.me/{found.username}")
            yield _webhook(config, found, serving=serving)
            yield from _switches(found)


def _webhook(config: TelegramConfig, found: OnTelegram, *, serving: bool) -> Finding:
    about, hook = "telegram delivery", found.webhook
    host = urlsplit(hook.url).hostname or hook.url
    if config.mode == "polling" and not hook.url:
        return fine(about, "messages are fetched")
    if config.mode == "polling":
        remedy = "stop the program that sets it, or take a new token from @BotFather (/revoke)"
        if serving:
            return Finding(about, "wrong", f"somebody sends the messages to {host} instead, by a webhook", remedy)
        return Finding(
            about, "warning", f"they go to {host} by a webhook, which the next start removes", f"if that is wrong: {remedy}"
        )
    path = urlsplit(config.webhook_url or "").path or "/"
    if hook.url != config.webhook_url:
        remedy = "stop the program that changes it, then: systemctl restart grillon" if serving else "grillon run sets it"
        return Finding(about, "wrong" if serving else "warning", f"the webhook is {host or 'not set'}, not `webhook_url`", remedy)
    if hook.failure and hook.waiting:
        remedy = f"have your reverse proxy pass POST {path} to the HTTP door, with a certificate that Telegram trusts"
        return Finding(about, "wrong", f"{hook.waiting} messages cannot be delivered to {host}: {hook.failure}", remedy)
    return fine(about, f"messages are sent to {host}")


def _switches(found: OnTelegram) -> Iterator[Finding]:
    """What is set at @BotFather, and where the bot was added."""
    if found.deaf:
        sentence = f"privacy mode keeps it from hearing everything in {_list(found.deaf)}"
        remedy = "/setprivacy at @BotFather: Disable, then add the bot to the group anew; or make it an administrator there"
        yield Finding("telegram groups", "warning", sentence, remedy)
    elif found.reads_groups:
        yield fine("telegram groups", "privacy mode is off: it hears everything, and keeps what is meant for it")
    else:
        yield fine("telegram groups", "privacy mode is on: it hears commands, mentions and replies to it")
    if not found.joins_groups:
        yield Finding("telegram groups", "warning", "nobody can add it to a group", "/setjoingroups at @BotFather: Enable")
    if found.absent:
        remedy = "add the bot there, or correct `allow_chats` and `free_chats`: ids of groups begin with -"
        yield Finding("telegram groups", "warning", f"it is not in {_list(found.absent)}", remedy)
    if found.inline:
        yield Finding(
            "telegram inline", "warning", "inline mode is on, where it never answers", "/setinline at @BotFather: turn it off"
        )


def discord(config: DiscordConfig, found: OnDiscord) -> Iterator[Finding]:
    """The bot on Discord."""
    match found.state:
        case "refused":
            sentence = f"the token is refused: {found.detail}"
            yield Finding("discord", "wrong", sentence, f"make one {_PORTAL}, Bot > Reset Token; it is `discord.token`")
        case "unreachable":
            remedy = "check this machine's network, or `api_base` in [discord]"
            yield Finding("discord", "wrong", f"{urlsplit(config.api_base).hostname} cannot be asked: {found.detail}", remedy)
        case "accepted":
            yield fine("discord", f"the token is {found.bot}'s, of the application {found.application}")
            yield _intent(config, found)
            yield _sessions(found)
            yield from _hindrances(found)
            yield from _links(found)


def _intent(config: DiscordConfig, found: OnDiscord) -> Finding:
    about = "discord intents"
    if config.message_content and not found.content:
        remedy = f"turn it on {_PORTAL}, Bot > Message Content Intent; or set `message_content = false` in [discord]"
        return Finding(
            about, "wrong", "the Message Content intent is off: Discord refuses the connection that asks for it", remedy
        )
    if config.message_content:
        return fine(about, "the Message Content intent is on")
    return fine(about, "none is asked for: it reads private chats, mentions and replies to it")


def _sessions(found: OnDiscord) -> Finding:
    about = "discord sessions"
    sentence = f"{found.starts_left} of {found.starts_in_all} new connections are left for {found.starts_reset_s / _HOUR_S:.0f} h"
    if found.starts_left > _FEW * found.starts_in_all:
        return fine(about, sentence)
    remedy = "leave the daemon running; journalctl -u grillon says why it starts so often"
    return Finding(about, "warning" if found.starts_left else "wrong", sentence, remedy)


def _hindrances(found: OnDiscord) -> Iterator[Finding]:
    """Switches of the developer portal that must be off, and places that the bot does not see."""
    if found.elsewhere:
        remedy = f"empty it {_PORTAL}, General Information > Interactions Endpoint URL"
        yield Finding("discord commands", "wrong", "commands and buttons are sent to an address instead of to Grillon", remedy)
    if found.code_grant:
        remedy = f"turn it off {_PORTAL}, Bot > Requires OAuth2 Code Grant"
        yield Finding("discord invite", "wrong", "nobody can let it in: a code grant is required", remedy)
    if found.hidden:
        remedy = "let the bot in by the link below, give it View Channel there, or correct the ids in [discord]"
        yield Finding("discord servers", "warning", f"it does not see {_list(found.hidden)}", remedy)


def _links(found: OnDiscord) -> Iterator[Finding]:
    whoever = "who manages a server lets it in at" if found.public else "you alone, as its maker, let it into servers at"
    yield fine("discord invite", f"{whoever} {found.invite}")
    if found.for_people:
        yield fine("discord install", f"people take it along to any chat at {found.install}")
    else:
        sentence = f"people cannot take it along; to allow it: {_PORTAL}, Installation > User Install"
        yield fine("discord install", sentence)


def _list(ids: Sequence[str]) -> str:
    return ", ".join(ids)
