"""Messages that came while nobody listened, or that could not be stored: none is lost, none comes twice, each in its place."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from tests.adapters.discord.house import Home
from tests.rigs.discord import Discord, message_payloads

if TYPE_CHECKING:
    import pytest


async def test_a_fresh_install_replays_nothing() -> None:
    async with Discord(lifted=True) as rig:
        alice = rig.person("Alice")
        hall = rig.guild("Hearth", alice).channel("hall")
        alice.say(hall, "long ago", mention=True)
        alice.say(alice.dm, "long ago too")
        await asyncio.sleep(0.01)
        home = Home(rig)
        async with home.open():
            alice.say(alice.dm, "now")
            alice.say(hall, "and now", mention=True)
            await home.true(lambda: len(home.host.messages) == 2)
            await asyncio.sleep(0.1)
        assert home.host.texts == ["now", "and now"]
        assert not [call for call in rig.calls if call.name == "history"]


async def test_after_a_restart_what_was_missed_comes_first_in_order_in_each_channel() -> None:
    async with Discord(lifted=True) as rig:
        alice, bob = rig.person("Alice"), rig.person("Bob")
        guild = rig.guild("Hearth", alice, bob)
        hall, never = guild.channel("hall"), guild.channel("never used")
        home = Home(rig)
        async with home.open():
            alice.say(alice.dm, "dm 1")
            alice.say(hall, "hall 1", mention=True)
            await home.true(lambda: len(home.host.messages) == 2)
        rig.house.sessions.alive.clear()
        for n in range(2, 130):
            alice.say(alice.dm, f"dm {n}")
        bob.say(hall, "talk")
        alice.say(hall, "hall 2", mention=True)
        bob.say(never, "first here", mention=True)
        home.new()
        async with home.open():
            alice.say(alice.dm, "dm 130")
            alice.say(hall, "hall 3", mention=True)
            await home.true(lambda: len(home.host.messages) == 134)
            await asyncio.sleep(0.2)
        of_dm = [text for text in home.host.texts if text.startswith("dm")]
        assert of_dm == [f"dm {n}" for n in range(1, 131)]
        assert [text for text in home.host.texts if text.startswith("hall")] == ["hall 1", "hall 2", "hall 3"]
        assert home.host.texts.count("first here") == 1
        assert len(home.host.messages) == 134


async def test_a_gap_is_read_within_its_bound() -> None:
    async with Discord(lifted=True) as rig:
        alice = rig.person("Alice")
        home = Home(rig, history_limit=10)
        async with home.open():
            alice.say(alice.dm, "first")
            await home.until(["first"])
        rig.house.sessions.alive.clear()
        for n in range(30):
            alice.say(alice.dm, f"missed {n}")
        home.new()
        async with home.open():
            await home.until(["first", *(f"missed {n}" for n in range(10))])


async def test_a_killed_process_resumes_its_session_and_what_it_had_not_stored_comes_again() -> None:
    async with Discord(lifted=True) as rig:
        alice = rig.person("Alice")
        home = Home(rig)
        async with home.open():
            alice.say(alice.dm, "one")
            await home.until(["one"])
        home.host.delay_s = 30
        home.new()
        async with home.open():
            alice.say(alice.dm, "two")
            await home.true(lambda: home.host.tries == 2)
        home.host.delay_s = 0
        home.new()
        async with home.open():
            await home.until(["one", "two"])
        assert len(rig.identifies) == 1
        assert len(rig.resumes) == 2


async def test_a_first_message_in_private_is_not_lost_when_it_was_told_before_a_kill() -> None:
    async with Discord(lifted=True) as rig:
        alice = rig.person("Alice")
        home = Home(rig)
        async with home.open():
            home.host.delay_s = 30
            alice.say(alice.dm, "my very first")
            await home.true(lambda: home.host.tries == 1)
        rig.house.sessions.alive.clear()
        home.host.delay_s = 0
        home.new()
        async with home.open():
            await home.until(["my very first"])


async def test_a_lost_socket_resumes_and_a_void_session_reads_the_history() -> None:
    async with Discord(lifted=True) as rig:
        alice = rig.person("Alice")
        hall = rig.guild("Hearth", alice).channel("hall")
        home = Home(rig)
        async with home.open():
            alice.say(hall, "0", mention=True)
            await home.until(["0"])
            rig.gateway.drop()
            alice.say(hall, "1", mention=True)
            await home.until(["0", "1"])
            assert len(rig.identifies) == 1
            rig.gateway.invalidate()
            alice.say(hall, "2", mention=True)
            await home.until(["0", "1", "2"])
            assert len(rig.identifies) == 2
            rig.gateway.reconnect()
            alice.say(hall, "3", mention=True)
            await home.until(["0", "1", "2", "3"])
            async with rig.outage():
                alice.say(hall, "4", mention=True)
                await asyncio.sleep(0.3)
            await home.until(["0", "1", "2", "3", "4"])
            rig.house.sessions.alive.clear()
            async with rig.outage():
                alice.say(hall, "5", mention=True)
            alice.say(hall, "6", mention=True)
            await home.until(["0", "1", "2", "3", "4", "5", "6"])


async def test_what_cannot_be_stored_is_kept_and_what_comes_after_it_waits() -> None:
    async with Discord(lifted=True) as rig:
        alice, bob = rig.person("Alice"), rig.person("Bob")
        home = Home(rig)
        home.host.failures["one"] = 2
        async with home.open():
            alice.say(alice.dm, "one")
            alice.say(alice.dm, "two")
            bob.say(bob.dm, "other channel")
            await home.until(["other channel", "one", "two"])
        assert not [key for key in home.ledger.values if key.startswith("aside")]


async def test_a_poison_message_is_set_aside_after_five_tries_over_restarts(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("adapters.discord.lane._RETRY_S", (0.01,))
    async with Discord(lifted=True) as rig:
        alice = rig.person("Alice")
        home = Home(rig)
        home.host.failures["poison"] = 100
        monkeypatch.setattr("adapters.discord.lane._RETRY_S", (30.0,))
        async with home.open():
            post = alice.say(alice.dm, "poison")
            alice.say(alice.dm, "after it")
            await home.true(lambda: home.host.tries == 1)
            await home.true(lambda: home.ledger.values.get(f"poison:{post.id}") == "1")
        monkeypatch.setattr("adapters.discord.lane._RETRY_S", (0.01,))
        home.new()
        async with home.open():
            await home.until(["after it"])
        assert home.host.failures["poison"] == 95
        assert home.ledger.values[f"aside:{post.id}"] == alice.dm.id
        assert "poison" not in caplog.text.replace(f"poison:{post.id}", "")
        rig.house.sessions.alive.clear()
        home.new()
        async with home.open():
            alice.say(alice.dm, "later")
            await home.until(["after it", "later"])


async def test_a_full_disk_sets_nothing_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.discord.lane._RETRY_S", (0.01,))
    async with Discord(lifted=True) as rig:
        alice = rig.person("Alice")
        home = Home(rig)
        async with home.open():
            home.ledger.broken = True
            alice.say(alice.dm, "kept")
            await asyncio.sleep(0.5)
            assert home.host.messages == []
            home.ledger.broken = False
            await home.until(["kept"])


async def test_a_history_that_cannot_be_read_is_asked_for_again_and_one_that_may_not_be_is_left() -> None:
    async with Discord(lifted=True) as rig:
        alice = rig.person("Alice")
        hall = rig.guild("Hearth", alice).channel("hall")
        home = Home(rig)
        async with home.open():
            alice.say(hall, "1", mention=True)
            alice.say(alice.dm, "a")
            await home.true(lambda: len(home.host.messages) == 2)
        rig.house.sessions.alive.clear()
        alice.say(alice.dm, "b")
        alice.say(hall, "2", mention=True)
        rig.fault("5xx", "history", channel=alice.dm, times=1)
        rig.fault("429", "history", channel=alice.dm, times=1, retry_after=0.2)
        rig.fault("refuse", "history", channel=hall, times=None)
        home.new()
        async with home.open():
            alice.say(hall, "3", mention=True)
            await home.true(lambda: len(home.host.messages) == 4)
        assert sorted(home.host.texts) == ["1", "3", "a", "b"]


async def test_a_malformed_event_costs_that_event_alone() -> None:
    async with Discord(lifted=True) as rig:
        alice = rig.person("Alice")
        home = Home(rig)
        async with home.open():
            rig.house.tell("MESSAGE_CREATE", 0, {"id": "x", "nonsense": True})
            rig.house.tell("INTERACTION_CREATE", 0, {"type": 2})
            rig.house.tell("GUILD_CREATE", 0, {"id": None, "channels": [{}]})
            alice.say(alice.dm, "still there")
            await home.until(["still there"])
        assert len(rig.identifies) == 1


async def test_a_message_of_the_wrong_kinds_holds_nobody_up() -> None:
    async with Discord(lifted=True) as rig:
        alice = rig.person("Alice")
        home = Home(rig)
        async with home.open():
            first = alice.say(alice.dm, "one")
            await home.until(["one"])
            whole = message_payloads.message(first, full=True) | {"channel_id": alice.dm.id}
            file = {"id": "1", "filename": 7, "size": "many", "content_type": 5, "url": ["x"]}
            wrongs: list[dict[str, Any]] = [
                {"attachments": [file]},
                {"attachments": [3]},
                {"content": 4},
                {"message_reference": "x"},
            ]
            for n, wrong in enumerate(wrongs):
                rig.house.tell("MESSAGE_CREATE", 0, whole | {"id": str(int(first.id) + 1 + n)} | wrong)
            alice.say(alice.dm, "two")
            await home.true(lambda: "two" in home.host.texts)
        (sent,) = [one for one in home.host.messages if one.attachments]
        assert (sent.attachments[0].media_type, sent.attachments[0].url, sent.attachments[0].size) == (None, None, 0)


async def test_after_a_resume_a_thread_of_a_free_channel_is_known_and_others_are_not_heard() -> None:
    async with Discord(lifted=True, privileged=frozenset({"message_content"})) as rig:
        alice = rig.person("Alice")
        guild = rig.guild("Hearth", alice)
        free, other = guild.channel("free"), guild.channel("other")
        inside, outside = free.thread("inside"), other.thread("outside")
        home = Home(rig, free_chats=[free.id], message_content=True)
        async with home.open():
            alice.say(alice.dm, "one")
            await home.until(["one"])
        home.new()
        async with home.open():
            assert len(rig.resumes) == 1
            alice.say(outside, "not heard")
            alice.say(inside, "heard")
            await home.until(["one", "heard"])
            alice.say(outside, "not heard either")
            await asyncio.sleep(0.1)
        assert home.host.texts == ["one", "heard"]
        assert home.host.messages[1].chat == free.id
