"""The ledger of a platform: what it has to know again, apart from that of every other platform."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from bot.ledger import Ledger
from tests.bot.house import message, open_house


async def test_values_are_set_read_and_removed(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        telegram, discord = Ledger(house.database, "telegram"), Ledger(house.database, "discord")
        assert await telegram.get("cursor") is None
        await telegram.put("cursor", "1")
        await telegram.put("cursor", "2")
        await telegram.put("cur%", "3")
        await discord.put("cursor", "9")
        assert await telegram.get("cursor") == "2"
        assert await telegram.all("cur") == {"cursor": "2", "cur%": "3"}
        assert await telegram.all("cur%") == {"cur%": "3"}
        assert await discord.all("") == {"cursor": "9"}
        await telegram.put("cursor", None)
        assert await telegram.all("") == {"cur%": "3"}


async def test_a_mark_is_kept_with_its_message_or_not_at_all(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        anna, ledger = house.person("anna"), Ledger(house.database, "http")
        await house.dispatcher.receive(message("1"), anna, ("cursor", "1"))
        assert await ledger.get("cursor") == "1"
        await house.dispatcher.receive(message("1"), anna, ("cursor", "again"))  # delivered once more
        assert await ledger.get("cursor") == "again"
        await house.database.write(
            lambda connection: connection.exec_driver_sql(
                "CREATE TRIGGER full BEFORE INSERT ON inbox BEGIN SELECT RAISE(ABORT, 'no'); END"
            )
        )
        with pytest.raises(Exception, match="no"):
            await house.dispatcher.receive(message("2"), anna, ("cursor", "2"))
        assert await ledger.get("cursor") == "again"
        with sqlite3.connect(tmp_path / "grillon.db") as connection:
            assert connection.execute("SELECT count(*) FROM inbox").fetchone() == (1,)
        connection.close()
