"""The rules of the Discord stand-in: what it refuses, limits, times out and breaks, and what it notes of it."""

from __future__ import annotations

import asyncio
import io
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import aiohttp
import discord
import pytest

from tests.rigs.discord import Discord, Limit, Upload
from tests.rigs.discord_bot import Bot, running

if TYPE_CHECKING:
    from tests.rigs.discord import Channel

_NOBODY: dict[str, Any] = {"allowed_mentions": {"parse": []}}
_BUTTON = {"type": 2, "style": 1, "label": "x"}


async def asked(rig: Discord, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    """A call as a bot without any library makes it."""
    headers = {"Authorization": f"Bot {rig.token}"}
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, rig.api_base + path, json=body, headers=headers) as answer,
    ):
        return answer.status, await answer.json(content_type=None) if answer.status != 204 else None


async def said(rig: Discord, channel: Channel, content: str = "hello", **rest: Any) -> tuple[int, Any]:
    return await asked(rig, "POST", f"/channels/{channel.id}/messages", {"content": content, **_NOBODY, **rest})


def _row(*items: dict[str, Any]) -> dict[str, Any]:
    return {"type": 1, "components": list(items)}


@pytest.mark.parametrize(
    ("payload", "path", "noted"),
    [
        ({"content": "😀" * 2001}, "content", "length"),
        ({"nonce": "n" * 26}, "nonce", "nonce"),
        ({"components": [_row({**_BUTTON, "custom_id": str(n)}) for n in range(6)]}, "components", "components"),
        ({"components": [_row(*({**_BUTTON, "custom_id": str(n)} for n in range(6)))]}, "components.0.components", "components"),
        ({"components": [_row({**_BUTTON, "custom_id": "c" * 101})]}, "components.0.components.0.custom_id", "components"),
        (
            {"components": [_row({**_BUTTON, "custom_id": "c", "label": "l" * 81})]},
            "components.0.components.0.label",
            "components",
        ),
        ({"components": [_row({**_BUTTON, "custom_id": "c"}), _row({**_BUTTON, "custom_id": "c"})]}, "components", "components"),
        ({"components": [_row({**_BUTTON, "style": 5, "url": "javascript:x"})]}, "components.0.components.0.url", "components"),
        ({"embeds": [{"description": "d" * 4097}]}, "embeds.0.description", "embeds"),
        ({"embeds": [{"description": "d" * 4000}, {"description": "d" * 4000}]}, "embeds", "embeds"),
    ],
)
async def test_a_payload_that_breaks_a_rule_is_refused_with_its_place_and_noted(payload: Any, path: str, noted: str) -> None:
    async with Discord() as rig:
        hall = rig.guild("Home").channel("hall")
        status, body = await said(rig, hall, **payload)
        assert (status, body["code"]) == (400, 50035)
        node = body["errors"]
        for key in path.split("."):
            node = node[key]
        assert node["_errors"]
        assert [each.kind for each in rig.violations] == [noted]
        assert rig.ledger.by_bot() == []


async def test_what_is_just_within_the_limits_passes() -> None:
    async with Discord() as rig:
        hall = rig.guild("Home").channel("hall")
        rows = [
            _row(*({**_BUTTON, "label": "l" * 80, "custom_id": f"{r}{c}".ljust(100, "_")} for c in range(5))) for r in range(5)
        ]
        status, body = await said(rig, hall, "😀" * 2000, components=rows, nonce="n" * 25)
        assert (status, rig.violations) == (200, [])
        assert body["nonce"] == "n" * 25


@pytest.mark.parametrize("text", ["", " \n\t "])
async def test_an_empty_message_is_refused(text: str) -> None:
    async with Discord() as rig:
        status, body = await said(rig, rig.guild("Home").channel("hall"), text)
        assert (status, body["code"], rig.violations[0].kind) == (400, 50006, "empty")


@pytest.mark.parametrize(
    "allowed", [None, {"parse": ["users"]}, {"parse": [], "users": ["1"]}, {"parse": [], "replied_user": True}]
)
async def test_a_payload_that_could_ping_is_sent_but_noted(allowed: Any) -> None:
    async with Discord() as rig:
        hall = rig.guild("Home").channel("hall")
        _, post = await said(rig, hall)
        status, _ = await asked(
            rig, "PATCH", f"/channels/{hall.id}/messages/{post['id']}", {"content": "@everyone", "allowed_mentions": allowed}
        )
        assert (status, [each.kind for each in rig.violations]) == (200, ["mentions"])
        assert rig.ledger.by_bot()[0].everyone is (allowed is None)


async def test_a_file_that_is_too_big_is_refused() -> None:
    async with Discord(file_bytes=1000) as rig:
        alice = rig.person("Alice")
        async with running(rig) as bot:
            user = await bot.fetch_user(int(alice.id))
            await user.send(file=discord.File(io.BytesIO(b"x" * 1000), "just.txt"))
            with pytest.raises(discord.HTTPException) as refused:
                await user.send(file=discord.File(io.BytesIO(b"x" * 1001), "more.txt"))
            assert (refused.value.status, refused.value.code) == (413, 40005)


async def test_a_nonce_is_known_for_a_while() -> None:
    async with Discord(nonce_s=0.3) as rig:
        hall = rig.guild("Home").channel("hall")
        rig.fault("drop", "message.create", after=True)
        with pytest.raises(aiohttp.ClientError):
            await said(rig, hall, nonce="1.0", enforce_nonce=True)
        _, again = await said(rig, hall, "hello again", nonce="1.0", enforce_nonce=True)
        assert (again["content"], len(rig.ledger.by_bot())) == ("hello", 1)
        await said(rig, hall, nonce="1.0")
        await asyncio.sleep(0.35)
        await said(rig, hall, nonce="1.0", enforce_nonce=True)
        assert len(rig.ledger.by_bot()) == 3


async def test_the_library_waits_when_the_limit_of_a_channel_is_reached_and_other_channels_go_on() -> None:
    async with Discord(limits={"message.create": Limit(2, 0.5)}) as rig:
        alice, bob = rig.person("Alice"), rig.person("Bob")
        async with running(rig) as bot:
            slow, fast = [bot.get_partial_messageable(int(who.dm.id)) for who in (alice, bob)]
            for n in range(3):
                await slow.send(f"{n}")
            await fast.send("at once")
            first, _, third = rig.ledger.by_bot(alice.dm)
            assert third.at - first.at > 0.4
            assert not [call for call in rig.calls if call.status == 429]
            assert rig.invalid_requests == 0


async def test_a_call_before_retry_after_has_passed_is_noted() -> None:
    async with Discord(limits={"message.create": Limit(1, 0.3)}) as rig:
        hall, other = (rig.guild(name).channel("hall") for name in ("Home", "Work"))
        assert (await said(rig, hall))[0] == 200
        status, body = await said(rig, hall)
        assert (status, body["global"], rig.violations) == (429, False, [])
        assert (await said(rig, other))[0] == 200
        assert (await asked(rig, "POST", f"/channels/{hall.id}/typing"))[0] == 204
        assert [(each.kind, each.where) for each in rig.violations] == [("early", "typing")]
        await asyncio.sleep(body["retry_after"] + 0.01)
        assert (await said(rig, hall))[0] == 200
        assert (len(rig.violations), rig.invalid_requests) == (1, 1)


async def test_the_global_limit_counts_all_calls_and_lifting_lifts_it() -> None:
    async with Discord(global_limit=3) as rig:
        statuses = [(await asked(rig, "GET", "/users/@me")) for _ in range(4)]
        assert [status for status, _ in statuses] == [200, 200, 200, 429]
        assert statuses[-1][1]["global"] is True
        rig.script.lifted = True
        assert [(await asked(rig, "GET", "/users/@me"))[0] for _ in range(4)] == [200] * 4


async def test_too_many_invalid_requests_ban_the_address() -> None:
    async with Discord(ban_after=2) as rig:
        rig.fault("refuse", status=401, code=0, times=2)
        assert [(await asked(rig, "GET", "/users/@me"))[0] for _ in range(2)] == [401, 401]
        async with aiohttp.ClientSession() as session, session.get(rig.api_base + "/users/@me") as banned:
            assert (banned.status, "Via" in banned.headers, banned.content_type) == (429, False, "text/plain")


async def test_the_library_tries_again_after_a_429_and_a_502() -> None:
    async with Discord() as rig:
        alice = rig.person("Alice")
        async with running(rig) as bot:
            rig.fault("429", "message.create", alice.dm, retry_after=0.2)
            rig.fault("5xx", "message.create", alice.dm)
            await bot.get_partial_messageable(int(alice.dm.id)).send("hello")
            assert [call.status for call in rig.calls if call.name == "message.create"] == [429, 502, 200]
            assert rig.violations == []


@pytest.mark.parametrize("after", [True, False])
@pytest.mark.parametrize("kind", ["5xx", "drop", "garbage", "hang"])
async def test_a_fault_strikes_before_or_after_what_was_asked_for(kind: str, after: bool) -> None:
    async with Discord() as rig:
        alice = rig.person("Alice")
        fault = rig.fault(kind, "message.*", alice.dm, after=after, status=503 if kind == "5xx" else 0)
        with pytest.raises((TimeoutError, aiohttp.ClientError, ValueError)):
            async with asyncio.timeout(0.3):
                await said(rig, alice.dm)
        assert [call.status for call in rig.calls] == {"5xx": [503], "garbage": [200], "hang": [None], "drop": [499]}[kind]
        assert ([post.content for post in rig.ledger.visible(alice.dm)], fault.struck) == (["hello"] if after else [], 1)
        assert (await said(rig, alice.dm))[0] == 200


async def test_faults_with_a_probability_repeat_with_the_seed() -> None:
    async def drawn(seed: int) -> list[int]:
        async with Discord(seed=seed, lifted=True) as rig:
            rig.fault("5xx", probability=0.5, times=None)
            for _ in range(12):
                with suppress(ValueError):
                    await asked(rig, "GET", "/users/@me")
            return [call.status or 0 for call in rig.calls]

    first, again, other = await drawn(1), await drawn(1), await drawn(2)
    assert first == again != other


async def test_rights_that_are_missing_are_refused() -> None:
    async with Discord() as rig:
        alice = rig.person("Alice", accepts_dms=False)
        home, far = rig.guild("Home", alice).channel("hall"), rig.guild("Far", alice, has_bot=False).channel("hall")
        home.allow(writes=False)
        assert [(await said(rig, place))[1]["code"] for place in (home, far, alice.dm)] == [50013, 50001, 50007]
        theirs = alice.say(home, "mine")
        assert (await asked(rig, "PATCH", f"/channels/{home.id}/messages/{theirs.id}", {"content": "x"}))[1]["code"] == 50005
        assert (await asked(rig, "GET", f"/channels/{home.id}/messages/1"))[1]["code"] == 10008


async def test_the_history_is_paged_in_all_directions() -> None:
    async with Discord(lifted=True) as rig:
        alice = rig.person("Alice")
        posts = alice.paste(alice.dm, *(str(n) for n in range(120)))
        alice.delete(posts[60])

        async def page(**query: Any) -> list[int]:
            words = "&".join(f"{key}={value}" for key, value in query.items())
            return [int(each["content"]) for each in (await asked(rig, "GET", f"/channels/{alice.dm.id}/messages?{words}"))[1]]

        assert await page() == list(range(119, 69, -1))
        assert await page(after=posts[57].id, limit=4) == [62, 61, 59, 58]
        assert await page(before=posts[3].id, limit=100) == [2, 1, 0]
        assert await page(around=posts[10].id, limit=4) == [11, 10, 9, 8]
        assert (await asked(rig, "GET", f"/channels/{alice.dm.id}/messages?limit=101"))[0] == 400
        async with running(rig) as bot:
            channel = bot.get_partial_messageable(int(alice.dm.id))
            later = [message.content async for message in channel.history(after=discord.Object(int(posts[0].id)), limit=None)]
            assert later == [str(n) for n in range(1, 120) if n != 60]


async def test_the_deadlines_of_an_interaction_are_enforced() -> None:
    async with Discord(first_response_s=0.2, token_s=0.5) as rig:
        alice = rig.person("Alice")
        async with running(rig):
            asking = alice.slash("ask", {"question": "why"}, where=alice.dm)
            [answer] = await rig.answered(asking, "why")
        late = alice.press(answer, "Source")
        callback = f"/interactions/{late.id}/{late.token}/callback"
        assert (await asked(rig, "GET", f"/webhooks/{rig.bot.id}/{late.token}/messages/@original"))[1]["code"] == 10015
        await asyncio.sleep(0.25)
        assert (await asked(rig, "POST", callback, {"type": 6}))[1]["code"] == 10062
        again = f"/interactions/{asking.id}/{asking.token}/callback"
        assert (await asked(rig, "POST", again, {"type": 6}))[1]["code"] == 40060
        await asyncio.sleep(0.3)
        status, body = await asked(
            rig, "PATCH", f"/webhooks/{rig.bot.id}/{asking.token}/messages/@original", {"content": "x", **_NOBODY}
        )
        assert (status, body["code"], rig.violations[0].kind) == (401, 50027, "late")
        assert [item is late and waited is None for item, waited in rig.ledger.acks()] == [False, True]


async def test_a_user_installed_app_has_five_follow_ups_after_the_first_answer() -> None:
    async with Discord(lifted=True) as rig:
        alice = rig.person("Alice")
        far = rig.guild("Far", alice, has_bot=False).channel("hall")
        async with running(rig):
            asking = alice.slash("ask", {"question": "why"}, where=far, user_install=True)
            await rig.answered(asking, "why")
        hook = f"/webhooks/{rig.bot.id}/{asking.token}"
        codes = [(await asked(rig, "POST", hook, {"content": str(n), **_NOBODY}))[1].get("code") for n in range(6)]
        assert codes == [None] * 5 + [40094]
        assert [post.content for post in rig.ledger.answers_to(asking)][1:] == ["0", "1", "2", "3", "4"]


async def test_the_first_follow_up_takes_the_place_of_what_is_loading() -> None:
    async with Discord() as rig:
        alice = rig.person("Alice")
        async with running(rig, Bot()) as bot:
            bot.tree.clear_commands(guild=None)
            asking = alice.slash("ask", {"question": "why"}, where=alice.dm)
        await asked(rig, "POST", f"/interactions/{asking.id}/{asking.token}/callback", {"type": 5, "data": {"flags": 64}})
        await asked(rig, "POST", f"/webhooks/{rig.bot.id}/{asking.token}", {"content": "here", **_NOBODY})
        [answer] = rig.ledger.answers_to(asking)
        assert (answer.content, answer.only_for, answer.loading) == ("here", alice, False)


@pytest.mark.parametrize(
    ("command", "path"),
    [
        ({"name": "Ask", "description": "d"}, ("name",)),
        ({"name": "ask", "description": "d" * 101}, ("description",)),
        (
            {"name": "ask", "description": "d", "description_localizations": {"fr": "d" * 101}},
            ("description_localizations", "fr"),
        ),
        ({"name": "ask", "description": "d", "name_localizations": {"french": "x"}}, ("name_localizations",)),
        ({"name": "ask", "description": "d", "contexts": [3]}, ("contexts",)),
        (
            {"name": "ask", "description": "d", "options": [{"type": 3, "name": "a b", "description": "d"}]},
            ("options", "0", "name"),
        ),
        ({"type": 3, "name": "m" * 33}, ("name",)),
    ],
)
async def test_commands_that_break_a_rule_are_refused(command: Any, path: tuple[str, ...]) -> None:
    async with Discord() as rig:
        status, body = await asked(rig, "PUT", f"/applications/{rig.bot.id}/commands", [command])
        node = body["errors"]["0"]
        for key in path:
            node = node[key]
        assert (status, bool(node["_errors"]), rig.commands) == (400, True, [])


async def test_a_restart_keeps_everything() -> None:
    async with Discord() as rig:
        alice = rig.person("Alice")
        for n in range(2):
            async with running(rig):
                await rig.answered(alice.say(alice.dm, f"echo {n}"), str(n))
            await rig.stop()
            await rig.start()
        assert [post.content for post in rig.ledger.visible(alice.dm)] == ["echo 0", "0", "echo 1", "1"]
        assert len(rig.identifies) == 2


async def test_the_ledger_tells_parts_from_the_next_answer() -> None:
    async with Discord() as rig:
        alice = rig.person("Alice")
        hall = rig.guild("Home", alice).channel("hall")
        first, second = alice.say(hall, "one"), alice.say(hall, "two")
        for question, part in ((first, "a"), (None, "b"), (second, "c"), (None, "d")):
            reference = {} if question is None else {"message_reference": {"message_id": question.id, "channel_id": hall.id}}
            await said(rig, hall, part, **reference)
        assert [[post.content for post in rig.ledger.answers_to(each)] for each in (first, second)] == [["a", "b"], ["c", "d"]]
        assert [post.content for post in rig.ledger.answers_to(first, following=False)] == ["a"]
        private = alice.say(alice.dm, "three")
        for part in "ef":
            await said(rig, alice.dm, part)
        alice.say(alice.dm, "four")
        await said(rig, alice.dm, "g")
        assert [post.content for post in rig.ledger.answers_to(private)] == ["e", "f"]


async def test_a_download_can_fail() -> None:
    async with Discord() as rig:
        alice = rig.person("Alice")
        asking = alice.say(alice.dm, "read", files=[Upload("é 1.txt", b"x" * 1000, "text/plain")])
        async with running(rig) as bot:
            got = await bot.get_partial_messageable(int(alice.dm.id)).fetch_message(int(asking.id))
            assert (got.attachments[0].filename, len(await got.attachments[0].read())) == ("é 1.txt", 1000)
            rig.fault("5xx", "attachment")
            with pytest.raises(discord.HTTPException):
                await got.attachments[0].read()
        assert asking.files[0].fetched == 1


async def test_many_chats_at_once_are_each_answered_once() -> None:
    async with Discord(lifted=True) as rig:
        people = [rig.person(f"P{n}") for n in range(40)]
        hall = rig.guild("Home", *people).channel("hall")
        async with running(rig):
            asked_ = [who.say(place, f"echo {who.name}", mention=True) for who in people for place in (who.dm, hall)]
            await rig.until(lambda: len(rig.ledger.by_bot()) == len(asked_))
        found = [[post.content for post in rig.ledger.answers_to(each, following=False)] for each in asked_]
        assert found == [[post.author.name] for post in asked_]
        assert all((rig.ledger.first_shown(each, each.author.name) or 0) > 0 for each in asked_)


async def test_a_socket_without_heartbeats_is_closed() -> None:
    async with Discord(heartbeat_s=60, heartbeat_limit_s=0.2) as rig, running(rig):
        await rig.until(lambda: rig.resumes)
