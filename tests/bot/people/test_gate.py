"""The gate: who is let in, what strangers are told, and that nothing but an id is kept of them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from adapters.types import Said
from bot.errors import CannotError
from bot.people.codes import GUESSES
from bot.people.people import Person
from bot.schedule.prune import prune
from bot.settings.fields import PersonConfig
from tests.bot.doorstep import ANNA, BEN, code_of, message, opened

DAY_S, HOUR_S = 86_400, 3600


async def test_a_stranger_is_told_once_a_day_with_a_code(tmp_path: Path) -> None:
    async with opened(tmp_path) as door:
        first = code_of(await door.says("9", "let me in, my name is canary"))
        assert await door.says("9", "hello?") is None
        door.clock.now += DAY_S - 1
        assert await door.says("9", "hello?") is None
        door.clock.now += 2
        assert code_of(await door.says("9")) != first
        kept = await door.rows("SELECT * FROM strangers")
        assert [row[:2] for row in kept] == [("telegram", "9")]
        assert await door.rows("SELECT count(*) FROM inbox") == [(0,)]
    assert b"canary" not in (tmp_path / "grillon.db").read_bytes()


async def test_without_pairing_there_is_no_code(tmp_path: Path) -> None:
    async with opened(tmp_path, pairing=False) as door:
        said = await door.says("9", locale="fr-FR")
        assert isinstance(said, Said)
        assert said.text.startswith("Bonjour")
        assert await door.says("9") is None
        assert await door.rows("SELECT count(*) FROM codes") == [(0,)]
        door.clock.now += DAY_S + 1
        assert isinstance(await door.says("9"), Said)


async def test_in_a_shared_chat_nobody_is_given_a_code(tmp_path: Path) -> None:
    async with opened(tmp_path) as door:
        shared: dict[str, Any] = {"private": False, "chat": "-100"}
        said = await door.says("9", **shared)
        assert isinstance(said, Said)
        assert await door.rows("SELECT count(*) FROM codes") == [(0,)]
        assert await door.says("9", **shared) is None
        assert code_of(await door.says("9"))  # in private they get one after all
        assert await door.says("9", **shared) is None


async def test_two_at_once_are_told_once(tmp_path: Path) -> None:
    async with opened(tmp_path) as door:
        said = await asyncio.gather(*(door.says("9") for _ in range(10)))
        assert sum(one is not None for one in said) == 1


async def test_the_owner_approves(tmp_path: Path) -> None:
    async with opened(tmp_path) as door:
        code = code_of(await door.says("9"))
        approved = await door.codes.approve(code, "owner")
        assert str(approved.identity) == "telegram:9"
        assert await door.person("9") == approved.person
        assert approved.person.name is None
        assert not approved.person.owner
        assert await door.rows("SELECT count(*) FROM strangers") == [(0,)]
        assert isinstance(await door.says("9", platform="discord"), Said)  # the same number elsewhere is somebody else
        for forged in ("09", "9 ", "９", "telegram:9", "%"):
            assert not isinstance(await door.says(forged), Person)


async def test_known_accounts_cost_one_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(tmp_path) as door:
        await door.paired("9")
        reads = []
        read = door.database.read
        monkeypatch.setattr(door.database, "read", lambda work: reads.append(work) or read(work))  # type: ignore[func-returns-value]
        monkeypatch.setattr(door.database, "write", None)
        await door.person("9")
        assert len(reads) == 1


async def test_an_allow_list_is_looked_up_with_every_message(tmp_path: Path) -> None:
    async with opened(tmp_path, allow_users=["5"], allow_chats=["-100"]) as door:
        inside = await door.person("5")
        assert await door.person("5") == inside
        guest = await door.person("6", private=False, chat="-100")
        assert guest.id != inside.id
        assert isinstance(await door.says("6"), Said)  # in private, the chat says nothing of them
        assert await door.says("6", private=False, chat="-101") is None
        assert await door.person("6", private=False, chat="-100") == guest
    async with opened(tmp_path) as door:
        assert isinstance(await door.says("5"), Said)
        assert await door.gate.known(message("5")) is None


async def test_a_private_chat_with_the_id_of_an_allowed_user_is_not_a_shared_one(tmp_path: Path) -> None:
    async with opened(tmp_path, allow_users=["5"]) as door:
        assert isinstance(await door.says("6", chat="5"), Said)


async def test_a_removed_role_works_on_the_next_message(tmp_path: Path) -> None:
    async with opened(tmp_path, allow_roles=["77"], allow_guilds=["3"]) as door:
        there: dict[str, Any] = {"platform": "discord", "private": False, "chat": "30"}
        by_role = await door.person("5", roles=("1", "77"), guild="2", **there)
        assert isinstance(await door.says("5", roles=("1",), guild="2", **there), Said)
        assert await door.person("5", roles=("77",), guild="2", **there) == by_role
        by_guild = await door.person("6", guild="3", **there)
        assert await door.says("5", guild="2", **there) is None
        assert isinstance(await door.says("6", guild="33", **there), Said)
        assert by_guild.id != by_role.id
        assert isinstance(await door.says("8", roles=("77",), guild="3"), Said)  # Telegram has neither


async def test_who_was_approved_stays_when_the_list_goes(tmp_path: Path) -> None:
    async with opened(tmp_path, allow_chats=["-100"]) as door:
        guest = await door.person("6", private=False, chat="-100")
        assert await door.paired("6") == guest
    async with opened(tmp_path) as door:
        assert await door.person("6") == guest


async def test_two_messages_at_once_make_one_person(tmp_path: Path) -> None:
    async with opened(tmp_path, allow_users=["5"]) as door:
        made = await asyncio.gather(*(door.person("5") for _ in range(10)))
        assert len({person.id for person in made}) == 1


async def test_who_is_blocked_hears_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path, allow_users=["5"]) as door:
        for user in ("5", "9"):
            person = await door.person(user) if user == "5" else await door.paired(user)
            await door.people.block(str(person.id))
            assert await door.says(user) is None
            assert await door.gate.known(message(user)) is None
        owner = await door.codes.owner()
        assert await door.says("9", owner) is None
        await door.people.unblock("telegram:9")
        assert isinstance(await door.says("9"), Person)


async def test_who_is_not_declared_any_more_is_a_stranger(tmp_path: Path) -> None:
    async with opened(tmp_path, [ANNA, PersonConfig(name="ben", identities=["telegram:8"])]) as door:
        ben = await door.person("8")
        assert ben.name == "ben"
        await door.people.link("telegram", "88", ben)
        await door.people.declare([ANNA])
        assert isinstance(await door.says("8"), Said)
        again = await door.paired("88")
        assert again.id != ben.id
        assert again.name is None


async def test_the_owner_is_who_sends_the_code(tmp_path: Path) -> None:
    async with opened(tmp_path, []) as door:
        code = await door.codes.owner()
        said = await door.says("1", f" {code.lower().replace('-', ' ')} ", locale="fr")
        assert isinstance(said, Said)
        assert "propriétaire" in said.text
        assert await door.person("1") == door.people.owner
        assert isinstance(await door.says("2", code), Said)
        assert await door.owner_of("2") is None  # it worked once


async def test_the_owner_by_a_link_of_telegram(tmp_path: Path) -> None:
    async with opened(tmp_path) as door:
        assert isinstance(await door.says("1", f"/start {await door.codes.owner()}"), Said)
        assert await door.person("1") == door.named("anna")


async def test_a_known_guest_becomes_the_owner_with_what_they_said(tmp_path: Path) -> None:
    async with opened(tmp_path) as door:
        guest = await door.paired("1")
        await door.stored(guest, "before")
        await door.says("1", await door.codes.owner())
        anna = await door.person("1")
        assert anna == door.named("anna")
        assert await door.rows("SELECT person_id FROM inbox") == [(anna.id,)]


async def test_codes_in_a_shared_chat_are_void(tmp_path: Path) -> None:
    async with opened(tmp_path) as door:
        code = await door.codes.owner()
        said = await door.says("1", code, private=False, chat="-100")
        assert isinstance(said, Said)
        assert "void" in said.text
        assert isinstance(await door.says("2", code), Said)
        assert await door.owner_of("1") is None
        assert await door.owner_of("2") is None


async def test_a_code_of_link_in_a_shared_chat_is_void_whoever_types_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as door:
        anna = await door.paired("9")
        await door.paired("77", platform="discord")
        reader = await door.paired("666", platform="discord")
        code = await door.codes.link(message("9"), anna)
        said = await door.says("77", f"/link {code}", platform="discord", private=False, chat="-1")
        assert isinstance(said, Said)
        assert "void" in said.text
        with pytest.raises(CannotError):
            await door.codes.redeem(code, message("666", platform="discord"), reader)
        assert isinstance(await door.says("77", "/link nothing", platform="discord", private=False, chat="-1"), Person)


async def test_guessing_ends_after_a_few(tmp_path: Path) -> None:
    async with opened(tmp_path) as door:
        code = await door.codes.owner()
        for _ in range(GUESSES):
            said = await door.says("9", "AAAAA-AAAAA-AAAA2")
            assert isinstance(said, Said)
        assert code_of(await door.says("9", code))  # tired: told what any stranger is told
        assert await door.owner_of("9") is None
        door.clock.now += HOUR_S - 1  # the owner's code lasts no longer than that
        assert isinstance(await door.says("1", code), Said)
        assert await door.person("1") == door.people.owner


async def test_many_guesses_at_once_are_no_more(tmp_path: Path) -> None:
    async with opened(tmp_path) as door:
        said = await asyncio.gather(*(door.says("9", f"AAAAA-AAAAA-AAA{n:02}") for n in range(50)))
        wrong = [one for one in said if isinstance(one, Said) and "wrong" in one.text]
        assert len(wrong) == GUESSES


async def test_a_question_that_looks_like_a_code_is_answered(tmp_path: Path) -> None:
    async with opened(tmp_path) as door:
        guest = await door.paired("9")
        for _ in range(2 * GUESSES):
            assert await door.says("9", "where rooms 12345") == guest
            assert await door.says("9", "AAAAA-AAAAA-AAAA2") == guest


@pytest.mark.parametrize("apart_s", [1, 0])
async def test_a_flood_of_strangers_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, apart_s: float) -> None:
    monkeypatch.setattr("bot.people.strangers.MOST_STRANGERS", 20)
    monkeypatch.setattr("bot.people.codes.MOST_STRANGERS", 20)
    async with opened(tmp_path) as door:
        owner = await door.codes.owner()
        for n in range(60):
            door.clock.now += apart_s
            await door.says(str(n))
        assert await door.rows("SELECT count(*) FROM strangers") == [(20,)]
        assert await door.rows("SELECT count(*) FROM codes WHERE purpose = 'pair'") == [(20,)]
        assert await door.rows("SELECT 1 FROM strangers WHERE user = '59'") == [(1,)]
        assert isinstance(await door.says("1000", owner), Said)
        assert await door.person("1000") == door.people.owner


async def test_what_is_out_of_date_is_pruned(tmp_path: Path) -> None:
    async with opened(tmp_path) as door:
        door.clock.now -= 2 * DAY_S
        await door.says("9")
        door.clock.now += 2 * DAY_S
        await door.says("10")
        await prune(door.database, memory_s=DAY_S, handled_s=DAY_S)
        assert await door.rows("SELECT user FROM strangers") == [("10",)]
        assert await door.rows("SELECT user FROM codes") == [("10",)]


async def test_too_much_in_a_minute_is_said_once(tmp_path: Path) -> None:
    async with opened(tmp_path, limits={"person_minute": 3, "person_day": 100}) as door:
        guest = await door.paired("9")
        assert [await door.says("9") for _ in range(2)] == [guest, guest]
        said = await door.says("9")
        assert isinstance(said, Said)
        assert "3 messages in a minute" in said.text
        assert await door.says("9") is None
        assert await door.says("9", "/stop") == guest
        door.clock.now += 61
        assert await door.says("9") == guest


async def test_a_clock_that_was_ahead_silences_nobody(tmp_path: Path) -> None:
    async with opened(tmp_path, limits={"person_minute": 3, "person_day": 100}) as door:
        guest = await door.paired("9")
        door.clock.now += 30 * DAY_S
        assert [await door.says("9") for _ in range(3)] == [guest] * 3
        assert isinstance(await door.says("9"), Said)
        door.clock.now -= 30 * DAY_S - 300
        assert [await door.says("9") for _ in range(3)] == [guest] * 3
        assert isinstance(await door.says("9"), Said), "what was told then is told again"


async def test_many_at_once_are_no_more_than_one_after_the_other(tmp_path: Path) -> None:
    async with opened(tmp_path, limits={"person_minute": 5, "person_day": 100}, allow_users=["9"]) as door:
        said = await asyncio.gather(*(door.says("9") for _ in range(50)))
        assert sum(isinstance(one, Person) for one in said) == 5
        assert sum(isinstance(one, Said) for one in said) == 1


async def test_a_restart_begins_no_new_day(tmp_path: Path) -> None:
    limits = {"person_minute": 100, "person_day": 4}
    async with opened(tmp_path, limits=limits) as door:
        guest = await door.paired("9")
        for n in range(3):
            await door.stored(guest, f"question {n}", user="9")
        await door.stored(guest, "not of a chat platform", user="9", platform="http")
    async with opened(tmp_path, limits=limits) as door:
        assert await door.person("9") == guest
        said = await door.says("9")
        assert isinstance(said, Said)
        assert "4 messages in a day" in said.text
        assert await door.says("9") is None
        door.clock.now += DAY_S + 1
        assert await door.person("9") == guest


async def test_a_chat_that_moved_keeps_its_rights(tmp_path: Path) -> None:
    async with opened(tmp_path, allow_chats=["-5"]) as door:
        guest = await door.person("6", private=False, chat="-5")
        await door.people.moved("telegram", "-5", "-1005")
        assert await door.person("6", private=False, chat="-1005") == guest
        assert isinstance(await door.says("7", private=False, chat="-1006"), Said)


async def test_what_a_person_chose(tmp_path: Path) -> None:
    async with opened(tmp_path, [ANNA, BEN], limits={"person_minute": 2, "person_day": 10}) as door:
        guest = await door.paired("9")
        await door.people.set_language(guest, "fr")
        await door.people.set_private(guest, private=True)
        assert await door.person("9") == Person(guest.id, None, owner=False, language="fr", private=True)
        said = await door.says("9", locale="en")
        assert isinstance(said, Said)
        assert "une minute" in said.text
