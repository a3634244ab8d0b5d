"""A person's first hour, as README tells it: from an empty settings file to an answer from both bots."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest

from tests.e2e.platforms import ANSWER, BOILER, DOCUMENTS
from tests.rigs.daemon import Daemon
from tests.rigs.discord import Discord
from tests.rigs.ollama import Ollama
from tests.rigs.telegram import Telegram


def written(example: str, keys: dict[str, str]) -> str:
    """The example with some of its lines uncommented and changed, as somebody does in an editor. Keys are `table.key`."""
    table, lines, left = "", [], dict(keys)
    for line in example.splitlines():
        if header := re.match(r"#?\[+([\w.]+)\]+", line):
            table = header[1]
            line = line.removeprefix("#")
        elif key := re.match(r"#(\w+) = ", line):
            name = f"{table}.{key[1]}".lstrip(".")
            line = f"{key[1]} = {left.pop(name)}" if name in left else line
        lines.append(line)
    assert not left, f"the example has no line for {left}"
    return "\n".join(lines)


@dataclass
class Home:
    """A machine with Grillon installed on it, and the world around it."""

    daemon: Daemon
    telegram: Telegram
    discord: Discord
    credentials: Path

    async def told(self, *words: str) -> str:
        """What a verb prints."""
        code, out, err = await self.daemon.verb(*words)
        assert code == 0, out + err
        return out


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Home]:
    documents, credentials = tmp_path / "documents", tmp_path / "credentials"
    for folder in (documents, credentials):
        folder.mkdir()
    for name, text in DOCUMENTS.items():
        (documents / name).write_text(text, encoding="utf-8")
    async with AsyncExitStack() as stack:
        ollama = await stack.enter_async_context(Ollama())
        telegram = await stack.enter_async_context(Telegram())
        discord = await stack.enter_async_context(Discord(lifted=True, heartbeat_s=2))
        daemon = await stack.enter_async_context(Daemon(tmp_path / "daemon", ollama.address, {}))
        code, example, err = await daemon.verb("config", "example")
        assert code == 0, err
        keys = {
            "state": json.dumps(str(daemon.state)),
            "collections.name": '"house"',
            "collections.folder": json.dumps(str(documents)),
            "collections.readers": '["everyone"]',
            "people.name": '"Ada"',
            "people.owner": "true",
            "model.address": json.dumps(ollama.address),
            "model.name": '"smollm2:135m"',
            "embedding.address": json.dumps(ollama.address),
            "embedding.name": '"all-minilm"',
            "embedding.window": "256",
            "http.port": str(daemon.port),
            "telegram.base_url": json.dumps(telegram.base_url),
            "discord.api_base": json.dumps(discord.api_base),
            "discord.gateway": json.dumps(discord.gateway_url),
        }
        daemon.config.write_text(written(example, keys), encoding="utf-8")
        yield Home(daemon, telegram, discord, credentials)


async def test_from_the_example_to_an_answer_from_both_bots(home: Home) -> None:
    daemon, telegram, discord = home.daemon, home.telegram, home.discord
    assert "telegram.token" in await home.told("config", "check")
    service = await home.told("service")
    for name, token in (("telegram.token", telegram.token), ("discord.token", discord.token)):
        assert f"LoadCredential={name}:/etc/grillon/{name}" in service
        (home.credentials / name).write_text(f"{token}\n")
    await daemon.start(indexed=True, CREDENTIALS_DIRECTORY=str(home.credentials))
    await discord.connected()
    await until_serving(daemon)

    found = await home.told("doctor")
    assert "https://t.me/grillon_bot" in found
    invite = re.search(r"https://discord\.com/oauth2/authorize\S+permissions=\S+", found)
    assert invite is not None
    assert parse_qs(urlsplit(invite[0]).query)["client_id"] == [discord.bot.id]
    assert "WRONG" not in found
    assert telegram.token not in found
    assert discord.token not in found

    ada = telegram.person("Ada")
    code = (await home.told("people", "owner")).strip()
    await told(telegram, ada.say(code))
    assert ANSWER in await told(telegram, ada.say(BOILER))

    bob = discord.person("Bob")
    hello = bob.say(bob.dm, "hello")
    await discord.answered(hello)
    pair = discord.ledger.answers_to(hello)[0].content.rpartition(": ")[2].strip("` ")
    assert f"discord:{bob.id}" in await told(telegram, ada.say(f"/approve {pair}"))
    asked = bob.say(bob.dm, BOILER)
    await discord.answered(asked, "boiler stands in the cellar")

    status = await home.told("status")
    assert re.search(r"telegram +serving, last heard of 20", status)
    assert re.search(r"discord +serving, last heard of 20", status)
    people = await home.told("people")
    assert f"telegram:{ada.id}" in people
    assert f"discord:{bob.id} (approved)" in people
    await look_at_metrics(daemon)
    assert telegram.ledger.violations() == []
    assert discord.violations == []
    log = daemon.log.read_text()
    assert telegram.token not in log
    assert discord.token not in log


async def told(telegram: Telegram, said: object) -> str:
    """The text of the answer to a message."""
    answers = await telegram.ledger.until(lambda: telegram.ledger.answers_to(said), 10)  # type: ignore[arg-type]
    return "\n".join(one.text for one in answers)


async def until_serving(daemon: Daemon) -> None:
    """Wait until `/readyz`, which needs no token, says that both platforms are heard of."""
    async with asyncio.timeout(10), aiohttp.ClientSession() as session:
        while True:
            async with session.get(f"{daemon.url}/readyz") as response:
                parts = (await response.json())["parts"]
            assert set(parts) == {"database", "index", "model", "telegram", "discord"}
            if parts["telegram"] and parts["discord"]:
                return
            await asyncio.sleep(0.05)


async def look_at_metrics(daemon: Daemon) -> None:
    async with aiohttp.ClientSession(headers=daemon.headers) as session, session.get(f"{daemon.url}/metrics") as response:
        page = await response.text()
    for platform in ("telegram", "discord"):
        assert f'grillon_platform_up{{platform="{platform}"}} 1.0' in page
        assert f'grillon_platform_limited{{platform="{platform}"}} 0.0' in page
        assert f'grillon_messages_total{{outcome="stored",platform="{platform}"}}' in page
        assert f'grillon_messages_total{{outcome="said",platform="{platform}"}} 1.0' in page
        assert f'grillon_parts_total{{platform="{platform}",state="sent"}}' in page


async def test_a_daemon_whose_bots_are_refused_says_why(home: Home) -> None:
    (home.credentials / "telegram.token").write_text(home.telegram.token)
    (home.credentials / "discord.token").write_text("revoked")
    conflict = home.telegram.faults.add("409", "getUpdates", times=None)
    await home.daemon.start(CREDENTIALS_DIRECTORY=str(home.credentials))
    async with asyncio.timeout(10):
        while conflict.struck < 3:
            await asyncio.sleep(0.05)
    code, out, _ = await home.daemon.verb("doctor")
    assert code == 1
    lines = out.splitlines()
    stopped = next(line for line in lines if line.startswith("WRONG telegram connection: stopped"))
    assert "two must not use one token" in stopped
    assert any(line.startswith("ok    telegram: the token is @grillon_bot's") for line in lines)
    assert any(line.startswith("WRONG discord: the token is refused") for line in lines)
    assert any(line.startswith("WRONG discord connection: stopped") for line in lines)
    assert "Reset Token" in out
    status = await home.told("status")
    assert re.search(r"discord +stopped: ", status)
    async with aiohttp.ClientSession() as session, session.get(f"{home.daemon.url}/readyz") as response:
        assert response.status == 200  # HTTP and terminal go on
        parts = (await response.json())["parts"]
    assert (parts["telegram"], parts["discord"]) == (False, False)
