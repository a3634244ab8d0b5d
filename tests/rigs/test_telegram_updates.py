"""Updates of the Telegram stand-in are polled with an offset or pushed to a webhook, and none is lost on the way."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from telegram import InlineKeyboardButton, InlineKeyboardMarkup
from telegram.error import Conflict

from tests.rigs.conftest import made
from tests.rigs.telegram.updates import Webhook

if TYPE_CHECKING:
    from telegram import Bot

    from tests.rigs.telegram import Telegram

_BUTTONS = InlineKeyboardMarkup([[InlineKeyboardButton("👍", callback_data="like")]])


async def test_an_update_is_gone_once_a_later_offset_is_asked(bot: Bot, rig: Telegram) -> None:
    ann = rig.person("Ann", language="fr")
    said = [ann.say("un"), ann.say("deux")]
    first = await bot.get_updates()
    assert [update.message and update.message.text for update in first] == ["un", "deux"]
    assert [update.update_id for update in first] == [one.update for one in said]
    assert first == await bot.get_updates(offset=first[0].update_id)
    assert [update.update_id for update in await bot.get_updates(offset=first[1].update_id)] == [said[1].update]
    assert not rig.updates.fetchable(first[0].update_id)
    assert rig.updates.fetchable(first[1].update_id)
    assert not await bot.get_updates(offset=first[1].update_id + 1)


async def test_no_more_than_a_hundred_updates_at_once_and_only_the_last_with_a_negative_offset(bot: Bot, rig: Telegram) -> None:
    ann = rig.person("Ann")
    for number in range(105):
        ann.say(str(number))
    assert len(await bot.get_updates()) == 100
    last = await bot.get_updates(offset=-1)
    assert [update.message and update.message.text for update in last] == ["104"]
    assert len(rig.updates.pending()) == 1


async def test_a_long_poll_ends_with_the_first_update_or_its_time(bot: Bot, rig: Telegram) -> None:
    ann = rig.person("Ann")
    assert not await bot.get_updates(timeout=1)
    poll = asyncio.create_task(bot.get_updates(timeout=20))
    await rig.ledger.until(lambda: rig.updates.waiting)
    ann.say("now")
    assert len(await asyncio.wait_for(poll, 5)) == 1


async def test_kinds_that_were_not_asked_for_do_not_come(bot: Bot, rig: Telegram) -> None:
    ann = rig.person("Ann")
    await bot.get_updates(allowed_updates=["callback_query"])
    assert ann.say("unheard").update is None
    shown = await bot.send_message(ann.id, "press", reply_markup=_BUTTONS)
    ann.press(rig.ledger.chats[ann.id][shown.id])
    assert [update.callback_query is not None for update in await bot.get_updates()] == [True]


async def test_the_older_of_two_pollers_is_told_to_end(bot: Bot, rig: Telegram) -> None:
    async with made(rig) as other:
        older = asyncio.create_task(bot.get_updates(timeout=20))
        await rig.ledger.until(lambda: rig.updates.waiting)
        newer = asyncio.create_task(other.get_updates(timeout=20))
        with pytest.raises(Conflict, match=r"(?i)terminated by other getUpdates"):
            await older
        rig.person("Ann").say("for the newer one")
        assert len(await newer) == 1


async def test_a_webhook_is_pushed_to_until_it_takes_the_update(bot: Bot, rig: Telegram) -> None:
    seen: list[tuple[str | None, int]] = []

    async def take(request: web.Request) -> web.Response:
        seen.append((request.headers.get("X-Telegram-Bot-Api-Secret-Token"), (await request.json())["update_id"]))
        return web.Response(status=503 if len(seen) < 3 else 200)

    app = web.Application()
    app.router.add_post("/hook", take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        await bot.set_webhook(f"http://127.0.0.1:{runner.addresses[0][1]}/hook", secret_token="s3cret")
        said = [rig.person("Ann").say(text) for text in ("one", "two")]
        await rig.ledger.until(lambda: not rig.updates.pending())
        assert seen == [("s3cret", said[0].update)] * 3 + [("s3cret", said[1].update)]
        async with rig.offline():
            late = rig.person("Bob").say("nobody hears")
            await asyncio.sleep(0.1)
            assert len(seen) == 4
        await rig.ledger.until(lambda: not rig.updates.pending())
        assert seen[4:] == [("s3cret", late.update)]
        info = await bot.get_webhook_info()
        assert (info.pending_update_count, info.last_error_message) == (
            0,
            "Wrong response from the webhook: 503 Service Unavailable",
        )
        with pytest.raises(Conflict, match=r"(?i)webhook is active"):
            await bot.get_updates()
        await bot.delete_webhook()
        assert not await bot.get_updates()
    finally:
        await runner.cleanup()
    assert rig.updates.webhook == Webhook()
