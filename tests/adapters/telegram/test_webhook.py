"""Updates that are sent to our door: the secret, and 200 after the commit alone."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from aiohttp import web
from pydantic import ValidationError

from adapters.telegram.config import TelegramConfig
from tests.adapters.telegram.house import House, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.rigs.telegram import Telegram

SECRET = "s3cret_-"


@asynccontextmanager
async def pushed(rig: Telegram, **settings: Any) -> AsyncIterator[House]:
    """The platform behind a door that the stand-in pushes to."""
    house: House

    async def accept(request: web.Request) -> web.Response:
        secret = request.headers.get("X-Telegram-Bot-Api-Secret-Token")
        return web.Response(status=await house.platform.accept(secret, await request.read()))

    app = web.Application()
    app.router.add_post("/telegram", accept)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/telegram"
    house = House(rig, mode="webhook", webhook_url=url, webhook_secret=SECRET, **settings)
    try:
        async with house:
            await until(lambda: rig.updates.webhook.url)
            yield house
    finally:
        await runner.cleanup()


def update(number: int, text: str, person: int = 7, **fields: Any) -> bytes:
    chat = {"id": person, "type": "private", "first_name": "Nora"}
    sender = {"id": person, "is_bot": False, "first_name": "Nora"}
    message = {"message_id": number, "date": 1_700_000_000, "text": text, "chat": chat, "from": sender, **fields}
    return orjson.dumps({"update_id": number, "message": message})


async def test_a_pushed_message_is_taken(rig: Telegram) -> None:
    async with pushed(rig) as house:
        rig.person("Nora").say("hello")
        await house.host.has(1)
        await until(lambda: not rig.updates.pending())
        assert house.host.texts() == ["hello"]
        assert house.points[:2] == ["fetch", "confirm"]
        assert house.platform.status.state == "serving"


@pytest.mark.parametrize(
    ("secret", "status"), [(None, 401), ("", 401), ("wrong", 403), (SECRET + "x", 403), ("é", 403), (SECRET + "\udcff", 403)]
)
async def test_without_the_secret_nothing_is_read(rig: Telegram, secret: str | None, status: int) -> None:
    async with pushed(rig) as house:
        assert await house.platform.accept(secret, update(1, "hello")) == status
        assert not house.host.tries


@pytest.mark.parametrize("body", [b"", b"no", b"[]", b"{}", b'{"update_id": "x"}', b"\xff\xfe", b"[" * 100_000])
async def test_what_is_no_update_is_refused(rig: Telegram, body: bytes) -> None:
    async with pushed(rig) as house:
        assert await house.platform.accept(SECRET, body) == 400


async def test_it_is_acknowledged_after_the_commit(rig: Telegram) -> None:
    async with pushed(rig) as house:
        house.host.wait_s = 0.2
        task = asyncio.create_task(house.platform.accept(SECRET, update(1, "hello")))
        await asyncio.sleep(0.1)
        assert not task.done()
        assert await task == 200
        assert house.host.texts() == ["hello"]


async def test_what_fails_must_be_sent_again_until_it_is_poison(rig: Telegram) -> None:
    async with pushed(rig) as house:
        house.host.fails = lambda message: message.text == "bad"
        assert [await house.platform.accept(SECRET, update(1, "bad")) for _ in range(5)] == [503] * 4 + [200]
        assert await house.platform.accept(SECRET, update(2, "good")) == 200
        assert house.host.texts() == ["good"]


async def test_the_order_of_a_chat_is_kept_and_doubles_are_one(rig: Telegram) -> None:
    async with pushed(rig) as house:
        house.host.wait_s = 0.01
        bodies = [update(n, str(n)) for n in range(1, 8)]
        statuses = await asyncio.gather(*(house.platform.accept(SECRET, body) for body in bodies for _ in range(2)))
        assert statuses == [200] * 14
        assert house.host.texts() == [str(n) for n in range(1, 8)]
        assert len(house.host.tries) == 7


async def test_the_pieces_of_a_paste_are_one_message_one_after_the_other(rig: Telegram) -> None:
    async with pushed(rig) as house:
        nora = rig.person("Nora")
        words = [f"word{n}" for n in range(1500)]
        nora.paste(" ".join(words))
        nora.album([("a.pdf", b"a"), ("b.pdf", b"b")], "and these")
        first, second = await house.host.has(2)
        assert first.text.split() == words
        assert (second.text, len(second.attachments)) == ("and these", 2)
        await until(lambda: not rig.updates.pending())
        await until(lambda: not [key for key in house.ledger.values if key.startswith("held.")])


async def test_pieces_that_fail_are_tried_again_with_their_tail(rig: Telegram) -> None:
    async with pushed(rig) as house:
        failing = True
        house.host.fails = lambda _: failing
        assert await house.platform.accept(SECRET, update(1, "x" * 4096)) == 200
        assert await house.platform.accept(SECRET, update(2, "y")) == 503
        assert not house.host.messages
        failing = False
        assert await house.platform.accept(SECRET, update(2, "y")) == 200
        assert house.host.texts() == ["x" * 4096 + "y"]
        assert await house.ledger.all("held.") == {}


async def test_pieces_that_nothing_follows_are_tried_again(rig: Telegram) -> None:
    async with pushed(rig, gather_s=0.1) as house:
        house.host.fails = lambda _: len(house.host.tries) < 3
        assert await house.platform.accept(SECRET, update(1, "x" * 4096)) == 200
        await house.host.has(1)
        assert len(house.host.tries) == 3


async def test_a_held_piece_outlives_the_run(rig: Telegram) -> None:
    async with pushed(rig, gather_s=5) as house:
        assert await house.platform.accept(SECRET, update(1, "x" * 4096)) == 200
        await house.stop()
        assert await house.platform.accept(SECRET, update(2, "tail")) == 503
        await house.start()
        await until(lambda: house.platform._webhook)
        assert await house.platform.accept(SECRET, update(1, "x" * 4096)) == 200
        assert await house.platform.accept(SECRET, update(2, "tail")) == 200
        assert house.host.texts() == ["x" * 4096 + "tail"]


async def test_the_talk_of_others_is_not_written_down(rig: Telegram) -> None:
    rig.world.privacy = False
    nora = rig.person("Nora")
    group = rig.supergroup("Home", nora)
    async with pushed(rig, gather_s=0.3) as house:
        nora.paste("private words " * 500, group)
        await until(lambda: not rig.updates.pending())
        assert await house.ledger.all("held.") == {}
        assert not house.host.tries


async def test_a_ledger_that_cannot_be_written_loses_nothing(rig: Telegram) -> None:
    async with pushed(rig) as house:
        house.ledger.broken = True
        with pytest.raises(OSError, match="no space"):
            await house.platform.accept(SECRET, update(1, "x" * 4096))
        house.ledger.broken = False
        assert await house.platform.accept(SECRET, update(1, "x" * 4096)) == 200
        assert await house.platform.accept(SECRET, update(2, "y")) == 200
        assert house.host.texts() == ["x" * 4096 + "y"]


async def test_polling_has_no_webhook(house: House) -> None:
    assert await house.platform.accept(SECRET, update(1, "hello")) == 404


@pytest.mark.parametrize(
    "settings",
    [
        {"mode": "webhook"},
        {"mode": "webhook", "webhook_url": "https://example.org/t", "token": "1:a"},
        {"mode": "webhook", "webhook_url": "https://example.org/t", "webhook_secret": ""},
        {"mode": "webhook", "webhook_url": "https://example.org/t", "webhook_secret": "a b"},
        {"mode": "webhook", "webhook_secret": "abc"},
        {"base_url": "api.telegram.org"},
        {"group_per_minute": -1},
        {"unknown": 1},
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TelegramConfig(**settings)


def test_who_sees_no_token_is_not_asked_for_the_secret() -> None:
    """Both are credentials, which the service alone sees; the same file is read by every verb."""
    assert TelegramConfig(mode="webhook", webhook_url="https://example.org/t").webhook_secret is None


@pytest.mark.parametrize(
    ("settings", "api", "files"),
    [
        ({}, "https://api.telegram.org/bot", "https://api.telegram.org/file/bot"),
        ({"base_url": "http://127.0.0.1:81"}, "http://127.0.0.1:81/bot", "http://127.0.0.1:81/file/bot"),
        ({"base_url": "http://h/bot{token}"}, "http://h/bot{token}", "http://h/file/bot{token}"),
        ({"base_file_url": "http://f/"}, "https://api.telegram.org/bot", "http://f/file/bot"),
    ],
)
def test_addresses(settings: dict[str, str], api: str, files: str) -> None:
    config = TelegramConfig(**settings)  # type: ignore[arg-type]
    assert (config.api, config.files) == (api, files)
