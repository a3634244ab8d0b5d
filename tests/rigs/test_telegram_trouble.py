"""Each fault and limit of the Telegram stand-in arrives as the error of python-telegram-bot that it should be."""

from __future__ import annotations

import asyncio
import datetime as dtm
import time
from typing import TYPE_CHECKING

import pytest
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TelegramError,
    TimedOut,
)

from tests.rigs.telegram import Limits

if TYPE_CHECKING:
    from telegram import Bot

    from tests.rigs.telegram import Telegram

_SURELY_NOT = {
    "429": RetryAfter,
    "500": NetworkError,
    "502": NetworkError,
    "drop": NetworkError,
    "hang": TimedOut,
    "garbage": TelegramError,
    "blocked": Forbidden,
    "kicked": Forbidden,
    "no_right": BadRequest,
    "401": InvalidToken,
    "409": Conflict,
    "entities": BadRequest,
    "400": BadRequest,
}
_DONE = {
    "500_after": NetworkError,
    "502_after": NetworkError,
    "drop_after": NetworkError,
    "hang_after": TimedOut,
    "garbage_after": TelegramError,
}


@pytest.mark.parametrize("kind", [*_SURELY_NOT, *_DONE])
async def test_a_fault_is_the_error_it_should_be_and_is_before_or_after_the_effect(bot: Bot, rig: Telegram, kind: str) -> None:
    ann = rig.person("Ann")
    fault = rig.faults.add(kind, "sendMessage")
    with pytest.raises(TelegramError) as caught:
        await bot.send_message(ann.id, "once", read_timeout=0.2)
    assert type(caught.value) is (_SURELY_NOT | _DONE)[kind]
    assert [one.text for one in rig.ledger.by_bot(ann.id)] == (["once"] if kind in _DONE else [])
    assert (fault.struck, rig.ledger.calls_of("sendMessage")[0].fault) == (1, kind)
    rig.budget.forgive()
    assert (await bot.send_message(ann.id, "then")).text == "then"


async def test_a_group_can_migrate_in_the_middle_of_a_call(bot: Bot, rig: Telegram) -> None:
    rig.faults.add("migrated", "sendMessage", migrate_to=-1001)
    with pytest.raises(ChatMigrated) as caught:
        await bot.send_message(rig.group("Family").id, "hm")
    assert caught.value.new_chat_id == -1001


async def test_a_slow_answer_is_an_answer(bot: Bot, rig: Telegram) -> None:
    rig.faults.add("slow", "sendMessage", delay_s=0.2)
    begun = time.monotonic()
    assert (await bot.send_message(rig.person("Ann").id, "late")).text == "late"
    assert time.monotonic() - begun >= 0.2


async def test_faults_hit_the_method_the_chat_and_the_share_they_are_for(bot: Bot, rig: Telegram) -> None:
    ann, bob = rig.person("Ann"), rig.person("Bob")
    rig.faults.add("500", "sendMessage", chat=ann.id, skip=1)
    await bot.send_message(bob.id, "unharmed")
    await bot.send_message(ann.id, "spared")
    assert await bot.send_chat_action(ann.id, "typing")
    with pytest.raises(NetworkError):
        await bot.send_message(ann.id, "hit")
    share = rig.faults.add("500", "sendChatAction", times=None, probability=0.3)
    for _ in range(40):
        try:
            await bot.send_chat_action(bob.id, "typing")
        except NetworkError:
            continue
    assert 2 <= share.struck <= 25
    await bot.get_updates()  # polls are struck only when a fault names them
    rig.faults.add("409", "getUpdates")
    with pytest.raises(Conflict):
        await bot.get_updates()


async def test_a_chat_wants_to_be_left_alone_until_retry_after_and_the_others_do_not(bot: Bot, rig: Telegram) -> None:
    ann, bob = rig.person("Ann"), rig.person("Bob")
    rig.faults.add("429", "sendMessage", chat=ann.id, retry_after=1)
    with pytest.raises(RetryAfter) as caught:
        await bot.send_message(ann.id, "too many")
    assert caught.value.retry_after == dtm.timedelta(seconds=1)
    await bot.send_message(bob.id, "unharmed")
    assert not rig.ledger.violations()
    with pytest.raises(RetryAfter):
        await bot.send_chat_action(ann.id, "typing")
    assert [(one.kind, one.method, one.chat) for one in rig.ledger.violations()] == [("impatient", "sendChatAction", ann.id)]
    await asyncio.sleep(1.05)
    await bot.send_message(ann.id, "patient")
    assert len(rig.ledger.violations()) == 1


async def test_limits_count_sends_edits_and_drafts_of_a_chat_together(bot: Bot, rig: Telegram) -> None:
    ann, bob = rig.person("Ann"), rig.person("Bob")
    group = rig.group("Family", ann, bob)
    rig.limits = Limits(private=(3, 60.0), group=(2, 60.0))
    sent = await bot.send_message(ann.id, "one")
    await sent.edit_text("two")
    await bot.send_message_draft(ann.id, 1, "three")
    await bot.send_chat_action(ann.id, "typing")
    with pytest.raises(RetryAfter) as caught:
        await sent.edit_text("four")
    assert dtm.timedelta(seconds=55) < caught.value.retry_after <= dtm.timedelta(seconds=60)  # type: ignore[operator]
    for _ in range(2):
        await bot.send_message(group.id, "hello")
    with pytest.raises(RetryAfter):
        await bot.send_message(group.id, "one too many")
    await bot.send_message(bob.id, "another chat")
    assert [(one.kind, one.chat) for one in rig.ledger.violations()] == [("limit", ann.id), ("limit", group.id)]
    rig.limits = Limits(overall=(2, 60.0))
    await bot.send_message(ann.id, "one")
    await bot.send_message(bob.id, "two")
    with pytest.raises(RetryAfter):
        await bot.send_message(group.id, "three")


async def test_a_group_that_became_a_supergroup_says_its_new_id(bot: Bot, rig: Telegram) -> None:
    group = rig.group("Family", rig.person("Ann"))
    new = group.migrate()
    told = [update.message for update in await bot.get_updates() if update.message]
    assert [(one.migrate_to_chat_id, one.migrate_from_chat_id) for one in told] == [(new.id, None), (None, group.id)]
    with pytest.raises(ChatMigrated) as caught:
        await bot.send_message(group.id, "still there?")
    assert caught.value.new_chat_id == new.id
    assert (await bot.send_message(new.id, "here")).chat.type == "supergroup"


async def test_blocked_muted_and_thrown_out(bot: Bot, rig: Telegram) -> None:
    ann = rig.person("Ann")
    group = rig.supergroup("Family", ann)
    ann.block()
    group.mute_bot()
    with pytest.raises(Forbidden, match=r"(?i)blocked by the user"):
        await bot.send_message(ann.id, "hm")
    with pytest.raises(BadRequest, match=r"(?i)not enough rights"):
        await bot.send_message(group.id, "hm")
    group.kick_bot()
    with pytest.raises(Forbidden, match=r"(?i)kicked"):
        await bot.send_message(group.id, "hm")
    assert ann.say("/help", group).update is None
    ann.unblock()
    group.add_bot()
    await bot.send_message(ann.id, "again")
    await bot.send_message(group.id, "again")
    changes = [update.my_chat_member for update in await bot.get_updates() if update.my_chat_member]
    assert [one.new_chat_member.status for one in changes] == ["kicked", "kicked", "member", "member"]


async def test_the_network_goes_and_comes_back_on_the_same_port_with_all_it_knew(bot: Bot, rig: Telegram) -> None:
    ann = rig.person("Ann")
    said = ann.say("before")
    port = rig.port
    assert await bot.get_updates(offset=said.update)
    poll = asyncio.create_task(bot.get_updates(offset=(said.update or 0) + 1, timeout=20))
    await rig.ledger.until(lambda: rig.updates.waiting)
    async with rig.offline():
        with pytest.raises(NetworkError):
            await poll
        with pytest.raises(NetworkError, match=r"(?i)Connect"):
            await bot.send_message(ann.id, "nobody hears")
        meanwhile = ann.say("meanwhile")
    assert rig.port == port
    assert [update.update_id for update in await bot.get_updates()] == [meanwhile.update]
    await bot.send_message(ann.id, "back")
    assert [one.text for one in rig.ledger.visible(ann.id)] == ["before", "meanwhile", "back"]


async def test_a_poller_that_was_killed_loses_nothing_and_conflicts_with_nobody(bot: Bot, rig: Telegram) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.port)
    writer.write(f"GET /bot{rig.token}/getUpdates?timeout=20 HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    await rig.ledger.until(lambda: rig.updates.waiting)
    writer.transport.abort()
    await rig.ledger.until(lambda: not rig.updates.waiting)
    said = rig.person("Ann").say("still to be fetched")
    assert [update.update_id for update in await bot.get_updates(timeout=5)] == [said.update]
    assert await reader.read() == b""
