"""The connection: what can be mended by waiting is, what cannot is told in a sentence, and nothing brings a ban."""

from __future__ import annotations

import asyncio
import json
import time

import pytest

from adapters.types import Live, StoppedError
from tests.adapters.discord.house import Home
from tests.rigs.discord import Discord


async def test_a_wrong_token_stops_with_a_sentence_that_says_what_to_do() -> None:
    async with Discord() as rig:
        home = Home(rig, token="wrong")
        with pytest.raises(StoppedError, match=r"discord\.token"):
            await home.platform.run(home.host)
        assert home.platform.status.state == "stopped"
        assert "discord.token" in home.platform.status.detail
        assert rig.identifies == []


async def test_a_token_that_is_changed_stops_it_and_the_new_one_serves() -> None:
    async with Discord() as rig:
        home = Home(rig)
        running = asyncio.create_task(home.platform.run(home.host))
        await home.true(lambda: home.platform.status.state == "serving")
        rig.revoke()
        with pytest.raises(StoppedError, match="Reset Token"):
            await running
        home.new()
        async with home.open():
            assert home.platform.status.state == "serving"


async def test_a_refused_intent_names_the_switch() -> None:
    async with Discord() as rig:
        home = Home(rig, message_content=True)
        with pytest.raises(StoppedError, match="Message Content Intent"):
            await home.platform.run(home.host)


@pytest.mark.parametrize("code", [1000, 4000, 4007, 4008, 4009, 4010, 4013])
async def test_every_other_close_is_followed_by_a_new_connection(code: int) -> None:
    async with Discord(lifted=True) as rig:
        alice = rig.person("Alice")
        home = Home(rig)
        async with home.open():
            alice.say(alice.dm, "before")
            await home.until(["before"])
            rig.gateway.close(code)
            alice.say(alice.dm, "while it was away")
            await home.until(["before", "while it was away"])
            await home.true(lambda: home.platform.status.state == "serving")


async def test_the_network_is_gone_and_comes_back() -> None:
    async with Discord(lifted=True) as rig:
        alice = rig.person("Alice")
        home = Home(rig)
        async with home.open():
            async with rig.outage():
                await home.true(lambda: home.platform.status.state == "waiting")
                assert "tried again" in home.platform.status.detail
                await asyncio.sleep(1)
                alice.say(alice.dm, "meanwhile")
            back = time.monotonic()
            await home.until(["meanwhile"], 15)
            assert time.monotonic() - back < 15
        assert len(rig.identifies) == 1


async def test_a_server_that_is_not_there_yet_is_waited_for() -> None:
    async with Discord(lifted=True) as rig:
        home = Home(rig)
        await rig.cut()
        running = asyncio.create_task(_again(home))
        await asyncio.sleep(0.3)
        before = home.platform.status.state
        assert before == "waiting"
        await rig.mend()
        await home.true(lambda: home.platform.status.state == "serving")
        running.cancel()
        await asyncio.wait({running})


async def test_a_silent_gateway_is_left_for_a_new_connection() -> None:
    async with Discord(lifted=True, heartbeat_s=0.1) as rig:
        alice = rig.person("Alice")
        home = Home(rig, deadlines={"silence_s": 0.5})
        async with home.open():
            good_at = home.platform.status.good_at
            assert good_at is not None
            await home.true(lambda: (home.platform.status.good_at or 0) > good_at + 0.2)
            rig.gateway.freeze()
            alice.say(alice.dm, "in the silence")
            await asyncio.sleep(1)
            rig.gateway.thaw()
            await home.until(["in the silence"])


async def test_identifies_are_counted_before_they_are_made_and_never_exceed_the_limit() -> None:
    async with Discord(lifted=True, starts=8) as rig:
        home = Home(rig, budgets={"identifies_per_day": 5})
        for _ in range(12):
            home.ledger.values.pop("session", None)
            home.ledger.values.pop("starts", None)
            home.new()
            running = asyncio.create_task(_again(home))
            await home.true(
                lambda: home.platform.status.state == "serving" or "sessions were begun" in home.platform.status.detail
            )
            running.cancel()
            await asyncio.wait({running})
        assert len(rig.identifies) == 5
        assert rig.violations == []
        assert home.platform.status.state == "waiting"


async def test_starts_in_a_row_are_spaced_over_restarts_too() -> None:
    async with Discord(lifted=True) as rig:
        home = Home(rig)
        for _ in range(3):
            home.new()
            async with home.open():
                pass
        home.new()
        running = asyncio.create_task(home.platform.run(home.host))
        await home.true(lambda: "in a row" in home.platform.status.detail)
        assert home.platform.status.state == "waiting"
        running.cancel()
        await asyncio.wait({running})
        home.settings["deadlines"] = {"restarts_s": 0}
        home.new()
        async with home.open():
            assert json.loads(home.ledger.values["starts"])[0] == 4  # the one that only waited does not make the next wait longer


async def test_a_process_that_dies_soon_costs_no_further_session() -> None:
    async with Discord(lifted=True) as rig:
        home = Home(rig)
        async with home.open():
            await home.true(lambda: "session" in home.ledger.values, 1.0)
            kept = dict(home.ledger.values)
        home.ledger.values = kept  # what it wrote while it left was never written
        home.new()
        async with home.open():
            pass
        assert (len(rig.identifies), len(rig.resumes)) == (1, 1)


async def test_invalid_requests_stop_before_the_ban_and_a_restart_does_not_forget_them() -> None:
    async with Discord(lifted=True, ban_after=40) as rig:
        alice = rig.person("Alice")
        home = Home(rig, budgets={"invalid_per_10_min": 20})
        rig.fault("refuse", "typing", times=None)
        async with home.open():
            alice.say(alice.dm, "q")
            await home.true(lambda: home.host.messages)
            for _ in range(30):
                home.platform._lives._typed.clear()
                await home.platform.show(home.origin(), Live)
            assert rig.invalid_requests == 20
        assert "invalid" in home.ledger.values
        home.new()
        await home.platform._invalid.load(home.ledger)
        assert home.platform._invalid._window.count(time.time()) == 20


async def test_a_gateway_that_closes_at_once_is_not_hammered() -> None:
    async with Discord(lifted=True, on_identify=4000) as rig:
        home = Home(rig, deadlines={"reconnect_s": 0.2})
        running = asyncio.create_task(_again(home))
        await asyncio.sleep(1.0)
        assert 1 <= len(rig.identifies) <= 5
        rig.script.on_identify = None
        await home.true(lambda: home.platform.status.state == "serving")
        running.cancel()
        await asyncio.wait({running})


async def _again(home: Home) -> None:
    await home._supervised()
