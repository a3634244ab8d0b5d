"""Tokens: shown once, never stored, void the moment they are revoked or their person is not declared any more."""

from __future__ import annotations

import hmac
from pathlib import Path

import pytest

from bot.database.database import Database
from bot.errors import SettingsError
from bot.people.people import People
from bot.settings.fields import PersonConfig
from bot.tokens import Tokens

ANNA, BEN = PersonConfig(name="anna", owner=True), PersonConfig(name="ben")


async def test_the_life_of_a_token(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "grillon.db")
    people, tokens = People(database), Tokens(database)
    await people.declare([ANNA, BEN])
    ben = people.named("ben")
    assert ben is not None
    secret, other = await tokens.create("phone", ben), await tokens.create("laptop", people.owner)
    assert secret.startswith("grn_")
    assert len(secret) == len("grn_") + 43
    assert await tokens.person(secret) == ben
    assert await tokens.person(other) == people.owner
    assert [(token.name, token.person) for token in await tokens.list()] == [("laptop", people.owner), ("phone", ben)]

    again = Tokens(database)
    assert await again.person(secret) is None
    await again.load()
    assert await again.person(secret) == ben

    assert await tokens.revoke("phone")
    assert not await tokens.revoke("phone")
    assert await tokens.person(secret) is None
    assert await tokens.person(other) == people.owner
    assert (await tokens.create("phone", ben)) != secret
    await database.close()
    state = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert secret.encode() not in state
    assert other.removeprefix("grn_").encode() not in state


async def test_a_name_is_taken_once(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "grillon.db")
    people, tokens = People(database), Tokens(database)
    await people.declare([ANNA])
    secret = await tokens.create("phone", people.owner)
    with pytest.raises(SettingsError, match="grillon token revoke phone"):
        await tokens.create("phone", people.owner)
    assert await tokens.person(secret) == people.owner
    for bad in ("", "a b", "x" * 65, "a\nb"):
        with pytest.raises(SettingsError, match="cannot name a token"):
            await tokens.create(bad, people.owner)
    await database.close()


async def test_a_person_that_is_not_declared_any_more(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "grillon.db")
    people, tokens = People(database), Tokens(database)
    await people.declare([ANNA, BEN])
    ben = people.named("ben")
    assert ben is not None
    secret = await tokens.create("phone", ben)
    await people.declare([ANNA])
    await tokens.load()
    assert await tokens.person(secret) is None
    assert [(token.name, token.person) for token in await tokens.list()] == [("phone", None)]
    await database.close()


async def test_every_bad_secret_costs_the_same_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = await Database.open(tmp_path / "grillon.db")
    people, tokens = People(database), Tokens(database)
    await people.declare([ANNA])
    secrets = [await tokens.create(f"t{n}", people.owner) for n in range(3)]
    compared = []
    genuine = hmac.compare_digest

    def counting(left: bytes, right: bytes) -> bool:
        compared.append((len(left), len(right)))
        return genuine(left, right)

    monkeypatch.setattr(hmac, "compare_digest", counting)
    work = []
    for secret in (*secrets, "", "grn_", "é" * 10_000, "\udc80", secrets[0] + "x", secrets[0][:-1]):
        found = await tokens.person(secret)
        assert (found is not None) == (secret in secrets)
        work.append(tuple(compared))
        compared.clear()
    assert set(work) == {((32, 32),) * 3}
    await database.close()
