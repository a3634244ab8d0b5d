"""What opens doors is never told: not in logs, however much goes wrong, nor in answers, figures or the database."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from pathlib import Path

import aiohttp
import pytest

from tests.bot.test_forget import found_in
from tests.e2e.platforms import ANSWER, BOILER, Street, street
from tests.rigs.discord import Post, Upload
from tests.rigs.telegram.records import Shown

SECRET = "webhook-secret-that-is-not-told"
NOTE = b"# Note\n\nThe boiler in the cellar should have a canarinote pressure.\n"


@pytest.mark.timeout(180)
async def test_nothing_that_opens_a_door_is_told(tmp_path: Path) -> None:
    webhook = f'mode = "webhook"\nwebhook_url = "http://127.0.0.1:1/telegram"\nwebhook_secret = "{SECRET}"\ncall_timeout_s = 2'
    debug = '[daemon]\nlog_level = "debug"\ngrace_s = 1\n'
    async with street(tmp_path, settings=debug, telegram_more=webhook, start=False) as place:
        daemon, telegram, discord = place.daemon, place.telegram, place.discord
        address = f"{daemon.url}/telegram"
        daemon.config.write_text(daemon.config.read_text().replace("http://127.0.0.1:1/telegram", address))
        nora, alice = telegram.person("Nora"), discord.person("Alice")
        await daemon.start(indexed=True)
        await telegram.ledger.until(lambda: telegram.updates.webhook.url, 20)
        for who in (f"telegram:{nora.id}", f"discord:{alice.id}"):
            hello = nora.say("hello") if who.startswith("telegram") else alice.say(alice.dm, "hello")
            shown = await _first(place, hello)
            code, _, err = await daemon.verb("people", "approve", shown.rpartition(": ")[2].strip("` "))
            assert code == 0, err
        await discord.until(lambda: discord.commands, 20)
        pressed = alice.slash("ask", {"question": f"canariwords {BOILER}"}, where=alice.dm)
        await discord.answered(pressed, ANSWER[:20], 30)
        for kind in ("500", "502_after", "drop", "garbage", "429", "400", "hang"):
            telegram.faults.add(kind, retry_after=0.1)
            nora.say(f"canariwords {BOILER}")
        for kind in ("5xx", "drop", "garbage", "429", "refuse", "hang"):
            discord.fault(kind, "message.*")
            alice.say(alice.dm, f"canariwords {BOILER}", files=[Upload("note.md", NOTE, "text/markdown")])
        discord.fault("5xx", "attachment")
        async with aiohttp.ClientSession() as session:
            for headers in ({}, {"X-Telegram-Bot-Api-Secret-Token": "wrong"}, {"X-Telegram-Bot-Api-Secret-Token": SECRET[:-1]}):
                async with session.post(address, json={"update_id": 1}, headers=headers) as response:
                    assert response.status in {401, 403}
        telegram.reset_connections()
        await asyncio.sleep(4)  # for everything to go wrong
        async with asyncio.timeout(20):  # the right to answer goes once the answer is there
            while _stored(daemon.state / "grillon.db", [item.token for item in discord.interactions]):
                await asyncio.sleep(0.2)
        told = await _figures(place)
        telegram.faults.add("401", "getMe", times=None)
        telegram.faults.add("401", times=None)
        discord.revoke()
        async with asyncio.timeout(30):
            while "platform stopped name=discord" not in daemon.log.read_text():
                await asyncio.sleep(0.2)
        told += await _figures(place)
        await daemon.stop()
        secrets = [telegram.token, telegram.token.partition(":")[2], discord.token, SECRET, daemon.token]
        tokens = [item.token for item in discord.interactions]
        log = daemon.log.read_text(errors="replace")
        assert not [one for one in (*secrets, *tokens, "canariwords", "canarinote", "boiler in") if one in log + told]
        assert not re.search(r"/attachments/\d+", log + told)
        assert found_in(daemon.state, tuple(one.lower() for one in (*secrets, *tokens))) == set()


def _stored(database: Path, words: list[str]) -> list[str]:
    """Which of them stand in a message that is kept."""
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        messages = "".join(row[0] for row in connection.execute("SELECT message FROM inbox"))
    finally:
        connection.close()
    return [word for word in words if word in messages]


async def _first(place: Street, hello: Post | Shown) -> str:
    """What is said to a stranger."""
    if isinstance(hello, Shown):
        await place.telegram.ledger.until(lambda: place.telegram.ledger.answers_to(hello), 20)
        return place.telegram.ledger.answers_to(hello)[0].text
    return (await place.discord.answered(hello))[0].content


async def _figures(place: Street) -> str:
    """What status, figures and the doctor say."""
    told = []
    async with aiohttp.ClientSession(headers=place.daemon.headers) as session:
        for path in ("status", "metrics", "readyz", "healthz"):
            async with session.get(f"{place.daemon.url}/{path}") as response:
                told.append(await response.text())
    for words in (("doctor",), ("status",)):
        told += (await place.daemon.verb(*words))[1:]
    return "\n".join(told)
