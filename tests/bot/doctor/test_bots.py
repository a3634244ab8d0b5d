"""The doctor and the bots: what Telegram and Discord say of them, over sockets, each with its line and its remedy."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import pytest_asyncio

from adapters.types import Status
from bot.doctor.bots import bots, connection
from bot.doctor.installation import Finding
from bot.settings.fields import Settings
from tests.rigs.daemon import free_port
from tests.rigs.discord import Discord
from tests.rigs.telegram import Telegram


@pytest_asyncio.fixture
async def telegram() -> AsyncIterator[Telegram]:
    async with Telegram() as rig:
        yield rig


@pytest_asyncio.fixture
async def discord() -> AsyncIterator[Discord]:
    async with Discord(lifted=True) as rig:
        yield rig


async def on_telegram(rig: Telegram, live: dict[str, Status] | None = None, **more: Any) -> dict[str, Finding]:
    section = {"token": rig.token, "base_url": rig.base_url, "call_timeout_s": 5, **more}
    return by_name(await bots(Settings.model_validate({"telegram": section}), live))


async def on_discord(rig: Discord, live: dict[str, Status] | None = None, **more: Any) -> dict[str, Finding]:
    section = {"token": rig.token, "api_base": rig.api_base, "gateway": rig.gateway_url, **more}
    return by_name(await bots(Settings.model_validate({"discord": section}), live))


def by_name(found: list[Finding]) -> dict[str, Finding]:
    """The findings that say something, without the door that is closed."""
    assert all("\n" not in one.sentence + one.remedy for one in found)
    assert all(one.remedy for one in found if one.state != "fine")
    return {one.about: one for one in found if "this door is closed" not in one.sentence}


async def test_without_tokens_both_doors_are_closed_and_nobody_is_asked() -> None:
    found = await bots(Settings(), None)
    assert [(one.about, one.state) for one in found] == [("telegram", "fine"), ("discord", "fine")]
    assert all("no token" in one.sentence for one in found)


async def test_settings_without_a_token_are_worth_a_warning() -> None:
    settings = Settings.model_validate({"telegram": {"allow_users": [1]}, "discord": {"budgets": {"global_per_s": 40}}})
    found = await bots(settings, None)
    assert [one.state for one in found] == ["warning", "warning"]
    assert "/etc/grillon/telegram.token" in found[0].remedy
    assert "start the service" in found[0].remedy
    assert "start the service" not in (await bots(settings, {}))[0].remedy


async def test_a_sound_bot_on_telegram(telegram: Telegram) -> None:
    found = await on_telegram(telegram)
    assert {one.state for one in found.values()} == {"fine"}
    assert "@grillon_bot" in found["telegram"].sentence
    assert "fetched" in found["telegram delivery"].sentence
    assert "privacy mode is on" in found["telegram groups"].sentence
    assert {call.method for call in telegram.ledger.calls} == {"getMe", "getWebhookInfo"}  # nothing that disturbs who polls


@pytest.mark.parametrize("token", ["110201543:wrong", "no-token-at-all", "110201543:AA\x00hush", "110201543:A A", "é"])
async def test_a_wrong_token_on_telegram(telegram: Telegram, token: str) -> None:
    found = (await on_telegram(telegram, token=token))["telegram"]
    assert found.state == "wrong"
    assert "refused" in found.sentence
    assert "@BotFather" in found.remedy
    assert token not in found.sentence + found.remedy


async def test_a_revoked_token_on_telegram(telegram: Telegram) -> None:
    telegram.faults.add("401", "getMe")
    assert (await on_telegram(telegram))["telegram"].state == "wrong"


@pytest.mark.parametrize("kind", ["500", "502", "drop", "garbage", "429"])
async def test_telegram_that_does_not_answer_is_not_the_tokens_fault(telegram: Telegram, kind: str) -> None:
    telegram.faults.add(kind, "getMe", times=None)
    found = (await on_telegram(telegram))["telegram"]
    assert (found.state, "token is refused" in found.sentence) == ("wrong", False)
    assert "network" in found.remedy
    assert telegram.token not in found.sentence


async def test_telegram_that_is_not_there(telegram: Telegram) -> None:
    async with telegram.offline():
        found = (await on_telegram(telegram))["telegram"]
    assert "127.0.0.1 cannot be asked" in found.sentence
    assert telegram.token not in found.sentence


async def test_a_webhook_while_polling(telegram: Telegram) -> None:
    telegram.updates.set_webhook(webhook(telegram, "/secret-path"))
    alone = (await on_telegram(telegram))["telegram delivery"]
    assert (alone.state, "next start removes" in alone.sentence) == ("warning", True)
    beside = (await on_telegram(telegram, {"telegram": Status("serving", time.time())}))["telegram delivery"]
    assert (beside.state, "secret-path" in beside.sentence) == ("wrong", False)
    assert "/revoke" in beside.remedy


async def test_a_webhook_that_cannot_be_delivered(telegram: Telegram) -> None:
    url = f"http://127.0.0.1:{free_port()}/telegram"
    wanted: dict[str, Any] = {"mode": "webhook", "webhook_url": url, "webhook_secret": "s3cret"}
    assert (await on_telegram(telegram, **wanted))["telegram delivery"].state == "warning"
    telegram.updates.set_webhook(webhook(telegram, url=url))
    assert (await on_telegram(telegram, **wanted))["telegram delivery"].state == "fine"
    telegram.person("Nora").say("hello")
    async with asyncio.timeout(10):
        while telegram.updates.webhook.failure is None:
            await asyncio.sleep(0.02)
    found = (await on_telegram(telegram, **wanted))["telegram delivery"]
    assert (found.state, "POST /telegram" in found.remedy) == ("wrong", True)


def webhook(rig: Telegram, path: str = "", *, url: str = "") -> Any:
    return type(rig.updates.webhook)(url or f"http://127.0.0.1:{free_port()}{path}", None, None)


async def test_free_chats_and_privacy_mode(telegram: Telegram) -> None:
    nora = telegram.person("Nora")
    deaf, heard = telegram.group("Family", nora), telegram.group("Friends", nora)
    heard.promote_bot()
    chats = {"free_chats": [deaf.id, heard.id, nora.id], "allow_chats": [-4_999_999]}
    found = by_about(await bots(telegram_settings(telegram, chats), None))
    privacy, absent = found["telegram groups"]
    assert (privacy.state, str(deaf.id) in privacy.sentence, str(heard.id) in privacy.sentence) == ("warning", True, False)
    assert "/setprivacy" in privacy.remedy
    assert (absent.state, "-4999999" in absent.sentence) == ("warning", True)
    moved = deaf.migrate()
    assert str(deaf.id) in (await on_telegram(telegram, free_chats=[deaf.id]))["telegram groups"].sentence
    moved.promote_bot()
    assert "privacy mode is on" in (await on_telegram(telegram, free_chats=[deaf.id]))["telegram groups"].sentence
    telegram.world.privacy = False
    assert "privacy mode is off" in (await on_telegram(telegram, free_chats=[deaf.id]))["telegram groups"].sentence


async def test_switches_at_botfather(telegram: Telegram) -> None:
    telegram.world.switches = {"can_join_groups": False, "supports_inline_queries": True}
    found = await on_telegram(telegram)
    assert "/setjoingroups" in found["telegram groups"].remedy
    assert "/setinline" in found["telegram inline"].remedy


def telegram_settings(rig: Telegram, more: dict[str, Any]) -> Settings:
    return Settings.model_validate({"telegram": {"token": rig.token, "base_url": rig.base_url, **more}})


def by_about(found: list[Finding]) -> dict[str, list[Finding]]:
    return {about: [one for one in found if one.about == about] for about in {one.about for one in found}}


async def test_a_sound_bot_on_discord(discord: Discord) -> None:
    found = await on_discord(discord)
    assert {one.state for one in found.values()} == {"fine"}
    assert discord.bot.name in found["discord"].sentence
    assert "1000 of 1000" in found["discord sessions"].sentence
    assert discord.identifies == []


async def test_the_links_of_discord_hold_what_is_needed_and_no_more(discord: Discord) -> None:
    found = await on_discord(discord)
    invite = parse_qs(urlsplit(found["discord invite"].sentence.rpartition(" ")[2]).query)
    assert invite["client_id"] == [discord.bot.id]
    assert invite["scope"] == ["bot applications.commands"]
    needed = {"view": 1024, "send": 2048, "attach": 32768, "history": 65536, "threads": 274877906944}
    assert int(invite["permissions"][0]) == sum(needed.values())
    install = parse_qs(urlsplit(found["discord install"].sentence.rpartition(" ")[2]).query)
    assert (install["integration_type"], install["scope"]) == (["1"], ["applications.commands"])
    assert "permissions" not in install


@pytest.mark.parametrize("token", ["wrong", "hush\r\nX: y", "a b", "é"])
async def test_a_wrong_token_on_discord(discord: Discord, token: str) -> None:
    found = (await on_discord(discord, token=token))["discord"]
    assert (found.state, "refused" in found.sentence, "Reset Token" in found.remedy) == ("wrong", True, True)
    assert token not in found.sentence + found.remedy


async def test_a_revoked_token_on_discord(discord: Discord) -> None:
    old = discord.token
    discord.revoke()
    assert "401" in (await on_discord(discord, token=old))["discord"].sentence


@pytest.mark.parametrize("kind", ["5xx", "drop", "garbage", "429"])
async def test_discord_that_does_not_answer_is_not_the_tokens_fault(discord: Discord, kind: str) -> None:
    discord.fault(kind, "application", times=None)
    found = (await on_discord(discord))["discord"]
    assert (found.state, "token is refused" in found.sentence) == ("wrong", False)
    assert discord.token not in found.sentence


async def test_discord_that_is_not_there(discord: Discord) -> None:
    async with discord.outage():
        assert "127.0.0.1 cannot be asked" in (await on_discord(discord))["discord"].sentence


async def test_the_intent_of_discord(discord: Discord) -> None:
    missing = (await on_discord(discord, message_content=True))["discord intents"]
    assert (missing.state, "Message Content Intent" in missing.remedy) == ("wrong", True)
    discord.script.privileged = frozenset({"message_content"})
    assert (await on_discord(discord, message_content=True))["discord intents"].state == "fine"


async def test_switches_of_the_developer_portal(discord: Discord) -> None:
    discord.script.application = {
        "bot_require_code_grant": True,
        "interactions_endpoint_url": "https://elsewhere.example/",
        "integration_types_config": {"0": {}},
        "bot_public": False,
    }
    section = {"token": discord.token, "api_base": discord.api_base}
    found = by_about(await bots(Settings.model_validate({"discord": section}), None))
    assert "Interactions Endpoint URL" in found["discord commands"][0].remedy
    grant, link = found["discord invite"]
    assert (grant.state, "Code Grant" in grant.remedy, "you alone" in link.sentence) == ("wrong", True, True)
    assert "User Install" in found["discord install"][0].sentence


@pytest.mark.parametrize(("starts", "state"), [(0, "wrong"), (1000, "fine")])
async def test_the_sessions_that_are_left(discord: Discord, starts: int, state: str) -> None:
    discord.script.starts = starts
    assert (await on_discord(discord))["discord sessions"].state == state


async def test_places_that_the_bot_does_not_see(discord: Discord) -> None:
    alice = discord.person("Alice")
    seen, unseen = discord.guild("Home", alice).channel("general"), discord.guild("Away", alice, has_bot=False)
    assert seen.guild is not None
    found = await on_discord(discord, allow_chats=[seen.id, 77], allow_guilds=[seen.guild.id, unseen.id])
    assert "it does not see 77, " in found["discord servers"].sentence
    assert found["discord servers"].sentence.endswith(f" {unseen.id}")
    assert "discord servers" not in await on_discord(discord, allow_chats=[seen.id])


@pytest.mark.parametrize(
    ("status", "state", "words"),
    [
        (Status("serving", 0), "warning", "silent"),
        (Status("serving", None), "warning", "not heard of yet"),
        (Status("serving", 9e9), "fine", "serving, last heard of 0 s ago"),
        (Status("serving", 9e9, "Another daemon answers with the same token."), "warning", "Another daemon"),
        (Status("waiting", 9e9, "the connection was lost"), "warning", "the connection was lost"),
        (Status("starting"), "warning", "being made"),
        (Status("stopped", None, "The token is refused."), "wrong", "stopped: The token is refused."),
    ],
)
def test_how_a_daemon_is_connected(status: Status, state: str, words: str) -> None:
    (found,) = connection("discord", {"discord": status})
    assert found.state == state
    assert words in found.sentence
    assert list(connection("discord", None)) == list(connection("discord", {})) == []


async def test_the_verb_checks_both_bots_without_a_daemon(tmp_path: Path, telegram: Telegram, discord: Discord) -> None:
    (tmp_path / "grillon.toml").write_text(
        f'state = "state"\n[telegram]\ntoken = "{telegram.token}"\nbase_url = "{telegram.base_url}"\n'
        f'[discord]\ntoken = "revoked"\napi_base = "{discord.api_base}"\n'
        '[model]\naddress = "http://127.0.0.1:9"\n[embedding]\naddress = "http://127.0.0.1:9"\n'
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot.command_line", "--config", str(tmp_path / "grillon.toml"), "doctor",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=os.environ,
    )  # fmt: skip
    out, err = await asyncio.wait_for(process.communicate(), 60)
    lines = out.decode().splitlines()
    assert process.returncode == 1, err
    assert "ok    telegram: the token is @grillon_bot's: https://t.me/grillon_bot" in lines
    assert any(line.startswith("WRONG discord: the token is refused") for line in lines)
    assert telegram.token not in out.decode() + err.decode()
