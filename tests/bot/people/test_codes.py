"""One-time codes: what each does, once, for whom it was made, while it lasts; and how accounts become one person."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from adapters.types import Said
from bot.errors import CannotError
from bot.people.codes import GUESSES, VALID_S, code_in, digest_of, normalised
from bot.people.identities import Identity
from bot.people.people import Person
from bot.settings.fields import PersonConfig
from tests.bot.doorstep import ANNA, BEN, Doorstep, code_of, message, opened

DISCORD: dict[str, Any] = {"platform": "discord"}


async def refused(door: Doorstep, code: str, user: str, person: Person | None, **more: Any) -> str:
    """Why a code does nothing."""
    with pytest.raises(CannotError) as caught:
        await door.codes.redeem(code, message(user, **more), person)
    return caught.value.key


def test_codes_are_read_however_they_are_typed() -> None:
    assert normalised("k7qd3-mxp9t-wa2fh") == normalised(" K7QD3 MXP9T–WA2FH\n") == "K7QD3MXP9TWA2FH"
    assert digest_of("O0lI1-AAAAA-AAAAA") == digest_of("00111 aaaaa aaaaa")
    for text in ("K7QD3-MXP9T-WA2FH", "/start k7qd3 mxp9t wa2fh", "k7qd3mxp9twa2fh", "Ｋ7QD3—MXP9T—WA2FH"):
        assert code_in(text) == "K7QD3MXP9TWA2FH"
    for text in ("", "hello", "uncopyrightable", "K7QD3-MXP9T", "what is K7QD3-MXP9T-WA2FH", "K7QD3-MXP9T-WA2FH" * 9, "é2" * 8):
        assert code_in(text) is None


async def test_every_code_is_another_and_none_is_stored(tmp_path: Path) -> None:
    async with opened(tmp_path) as door:
        made = {await door.codes.owner() for _ in range(200)}
        assert len(made) == 200
        assert all(code_in(code) for code in made)
        assert await door.rows("SELECT count(*) FROM codes") == [(1,)]  # a new one ends the one before
    data = (tmp_path / "grillon.db").read_bytes()
    assert not any(code.encode() in data or normalised(code).encode() in data for code in made)


@pytest.mark.parametrize("purpose", ["owner", "link", "pair"])
async def test_a_code_expires(tmp_path: Path, purpose: str) -> None:
    async with opened(tmp_path) as door:
        guest = await door.paired("9")
        if purpose == "pair":
            code = code_of(await door.says("10"))
        else:
            code = await (door.codes.owner() if purpose == "owner" else door.codes.link(message("9"), guest))
        door.clock.now += VALID_S[purpose] + 1  # type: ignore[index]
        if purpose == "pair":
            with pytest.raises(CannotError):
                await door.codes.approve(code, "owner")
        else:
            assert await refused(door, code, "10", None) == "code_wrong"
        assert await door.owner_of("10") is None


async def test_a_code_is_good_for_what_it_was_made_for_alone(tmp_path: Path) -> None:
    async with opened(tmp_path) as door:
        guest = await door.paired("9")
        pair, link, owner = code_of(await door.says("10")), await door.codes.link(message("9"), guest), await door.codes.owner()
        assert await refused(door, pair, "11", None) == "code_wrong"
        for code in (link, owner):
            with pytest.raises(CannotError):
                await door.codes.approve(code, "owner")
        assert await door.rows("SELECT count(*) FROM codes") == [(3,)]  # each is still good
        await door.codes.approve(pair, "owner")
        with pytest.raises(CannotError):
            await door.codes.approve(pair, "owner")


async def test_of_many_who_send_one_code_at_once_one_gets_in(tmp_path: Path) -> None:
    async with opened(tmp_path) as door:
        code = await door.codes.owner()
        await asyncio.gather(*(door.says(str(user), code) for user in range(20)))
        assert await door.rows("SELECT count(*) FROM identities WHERE person_id = ?", door.people.owner.id) == [(1,)]


async def test_wrong_codes_are_counted_for_each_account(tmp_path: Path) -> None:
    async with opened(tmp_path) as door:
        guest, code = await door.paired("9"), await door.codes.owner()
        for _ in range(GUESSES):
            assert await refused(door, "AAAAA-AAAAA-AAAA2", "9", guest) == "code_wrong"
        assert await refused(door, code, "9", guest) == "code_tired"
        assert (await door.codes.redeem(code, message("10"), None)).person == door.people.owner


async def test_two_platforms_become_one_person(tmp_path: Path) -> None:
    async with opened(tmp_path) as door:
        here, there = await door.paired("9"), await door.paired("77", **DISCORD)
        for person, user, platform in ((here, "9", "telegram"), (there, "77", "discord")):
            await door.stored(person, "in private", user=user, platform=platform)
            await door.stored(person, "in a group", user=user, platform=platform, private=False, chat="-1")
        code = await door.codes.link(message("9"), here)
        redeemed = await door.codes.redeem(code, message("77", **DISCORD), there)
        assert (redeemed.purpose, redeemed.person) == ("link", here)
        assert list(map(str, redeemed.identities)) == ["discord:77", "telegram:9"]
        assert await door.person("77", **DISCORD) == here
        spaces = await door.rows(
            "SELECT person_id, space, (SELECT count(*) FROM inbox WHERE conversation_id = c.id) FROM conversations c"
        )
        assert sorted(spaces) == [(here.id, "discord:-1", 1), (here.id, "private", 2), (here.id, "telegram:-1", 1)]
        assert await door.rows("SELECT DISTINCT person_id FROM inbox") == [(here.id,)]
        assert await door.rows("SELECT count(*) FROM people WHERE id = ?", there.id) == [(0,)]
        assert await refused(door, code, "77", here, **DISCORD) == "code_wrong"


async def test_linking_lets_in_whom_the_owner_let_in_elsewhere(tmp_path: Path) -> None:
    async with opened(tmp_path) as door:
        guest = await door.paired("9")
        said = await door.says("77", f"/link {await door.codes.link(message('9'), guest)}", **DISCORD)
        assert isinstance(said, Said)
        assert "discord:77" in said.text
        assert await door.person("77", **DISCORD) == guest
        await door.people.block("telegram:9")
        assert await door.says("77", **DISCORD) is None


async def test_an_allow_list_vouches_for_nobody_else(tmp_path: Path) -> None:
    async with opened(tmp_path, allow_users=["5"]) as door:
        inside = await door.person("5")
        code = await door.codes.link(message("5"), inside)
        assert await refused(door, code, "77", None, **DISCORD) == "link_unknown"
        assert isinstance(await door.says("77", **DISCORD), Said)
        assert await door.owner_of("77", "discord") is None


async def test_two_that_an_allow_list_let_in_are_looked_up_each(tmp_path: Path) -> None:
    async with opened(tmp_path, allow_users=["5"], allow_roles=["1"]) as door:
        here, there = await door.person("5"), await door.person("77", roles=("1",), **DISCORD)
        await door.codes.redeem(await door.codes.link(message("5"), here), message("77", **DISCORD), there)
        assert await door.person("77", roles=("1",), **DISCORD) == here
        assert isinstance(await door.says("77", **DISCORD), Said)


async def test_whoever_is_vouched_for_by_one_account_may_talk_by_each(tmp_path: Path) -> None:
    async with opened(tmp_path, allow_users=["5"], allow_roles=["1"]) as door:
        here, there = await door.person("5"), await door.person("77", roles=("1",), **DISCORD)
        await door.codes.redeem(await door.codes.link(message("5"), here), message("77", **DISCORD), there)
        await door.people.enter(Identity("telegram", "5"), "approved")
        assert await door.person("77", **DISCORD) == here


async def test_people_of_the_settings_are_never_joined(tmp_path: Path) -> None:
    ben = PersonConfig(name="ben", identities=["discord:77"])
    async with opened(tmp_path, [PersonConfig(name="anna", owner=True, identities=["telegram:1"]), ben]) as door:
        anna = await door.person("1")
        for code in (await door.codes.link(message("1"), anna), await door.codes.owner()):
            assert await refused(door, code, "77", door.named("ben"), **DISCORD) == "link_declared"
        assert (await door.person("77", **DISCORD)).name == "ben"
        assert await door.rows("SELECT count(*) FROM codes") == [(2,)]  # the codes are still good


async def test_a_declared_person_keeps_name_and_rights(tmp_path: Path) -> None:
    async with opened(tmp_path, [PersonConfig(name="anna", owner=True, identities=["telegram:1"]), BEN]) as door:
        anna, guest = await door.person("1"), await door.paired("77", **DISCORD)
        await door.stored(guest, "before", user="77", **DISCORD)
        redeemed = await door.codes.redeem(await door.codes.link(message("1"), anna), message("77", **DISCORD), guest)
        assert redeemed.person == anna
        assert await door.person("77", **DISCORD) == anna
        assert await door.rows("SELECT person_id FROM inbox") == [(anna.id,)]


async def test_who_makes_a_code_does_not_become_the_one_who_is_talked_into_sending_it(tmp_path: Path) -> None:
    async with opened(tmp_path, [PersonConfig(name="anna", owner=True, identities=["telegram:1"]), BEN]) as door:
        mallory, ann, dora = await door.paired("66"), await door.person("1"), await door.paired("7")
        code = await door.codes.link(message("66"), mallory)
        assert await refused(door, code, "1", ann) == "link_named"
        for victim, person in (("1", ann), ("7", dora)):
            for sent in (code, f"/start {code}"):
                assert await door.says(victim, sent) == person
        assert isinstance(await door.says("8", f"/start {code}"), Said)
        assert await door.owner_of("8") is None
        assert await door.person("66") == mallory
        assert await door.person("7") == dora


async def test_from_the_terminal_too(tmp_path: Path) -> None:
    async with opened(tmp_path) as door:
        anna, terminal = door.named("anna"), message("1000", platform="terminal")
        assert isinstance(await door.says("9", f"/link {await door.codes.link(terminal, anna)}"), Said)
        assert await door.person("9") == anna
        code = await door.codes.link(message("10"), await door.paired("10"))
        with pytest.raises(CannotError) as caught:
            await door.codes.redeem(code, terminal, anna)
        assert caught.value.key == "link_named"


async def test_who_has_another_account_takes_one_along_and_leaves_the_memory(tmp_path: Path) -> None:
    async with opened(tmp_path) as door:
        both = await door.paired("9")
        await door.people.link("discord", "77", both)
        await door.stored(both, "of both")
        other = await door.paired("11")
        await door.codes.redeem(await door.codes.link(message("11"), other), message("77", **DISCORD), both)
        assert await door.person("77", **DISCORD) == other
        assert await door.person("9") == both
        assert await door.rows("SELECT person_id FROM inbox") == [(both.id,)]


async def test_a_code_of_somebody_blocked_or_changed_is_void(tmp_path: Path) -> None:
    async with opened(tmp_path) as door:
        guest = await door.paired("9")
        code = await door.codes.link(message("9"), guest)
        await door.people.block("telegram:9")
        assert await refused(door, code, "77", None, **DISCORD) == "code_wrong"
        await door.people.unblock("telegram:9")
        code = await door.codes.link(message("9"), guest)
        await door.people.link("telegram", "9", door.named("ben"))
        assert await refused(door, code, "77", None, **DISCORD) == "code_wrong"
        pair = code_of(await door.says("10"))
        await door.people.block("telegram:10")
        with pytest.raises(CannotError) as caught:
            await door.codes.approve(pair, "owner")
        assert caught.value.key == "code_wrong"


async def test_codes_are_for_private_chats(tmp_path: Path) -> None:
    async with opened(tmp_path) as door:
        guest = await door.paired("9")
        shared = message("9", private=False, chat="-1")
        with pytest.raises(CannotError) as caught:
            await door.codes.link(shared, guest)
        assert caught.value.key == "code_private"
        code = await door.codes.link(message("9"), guest)
        assert await refused(door, code, "77", None, private=False, chat="-1") == "code_shared"
        assert await refused(door, code, "77", None, **DISCORD) == "code_wrong"


async def test_unlinked_they_are_two_again_and_the_memory_stays(tmp_path: Path) -> None:
    async with opened(tmp_path) as door:
        guest = await door.paired("9")
        await door.stored(guest, "before")
        await door.says("77", f"/link {await door.codes.link(message('9'), guest)}", **DISCORD)
        await door.people.set_private(guest, private=True)
        known = await door.people.find("discord:77")
        (one,) = [one for one in (await door.people.list()) if one.id == known.id]
        assert len(one.identities) == 2
        alone, kept = await door.people.unlink(one.identities[0])
        assert list(map(str, kept)) == ["telegram:9"]
        assert await door.person("77", **DISCORD) == alone
        assert alone == Person(alone.id, None, owner=False, private=True)
        assert await door.person("9") == Person(guest.id, None, owner=False, private=True)
        assert await door.rows("SELECT DISTINCT person_id FROM inbox") == [(guest.id,)]
        with pytest.raises(CannotError) as caught:
            await door.people.unlink(one.identities[0])
        assert caught.value.key == "unlink_alone"


async def test_what_the_settings_say_is_not_unlinked(tmp_path: Path) -> None:
    async with opened(tmp_path, [ANNA, PersonConfig(name="ben", identities=["telegram:8"])]) as door:
        (ben,) = [one for one in await door.people.list() if one.name == "ben"]
        with pytest.raises(CannotError) as caught:
            await door.people.unlink(ben.identities[0])
        assert caught.value.key == "unlink_settings"
