"""Files that people send: refused before and while they are read, and never fetched from anywhere else."""

from __future__ import annotations

import dataclasses

import pytest

from adapters.types import Attachment, FetchError
from tests.adapters.discord.house import Home
from tests.rigs.discord import Discord, Upload


@pytest.mark.parametrize(
    "url",
    [
        None,
        "file:///etc/passwd",
        "http://cdn.discordapp.com/attachments/1/2/x",
        "https://cdn.discordapp.com.evil.example/x",
        "https://user@evil.example/cdn.discordapp.com",
        "https://cdn.discordapp.com:444/x",
        "http://127.0.0.1:1/x",
        "https://[",
    ],
)
async def test_an_address_that_is_not_discords_is_not_asked(url: str | None) -> None:
    async with Discord(lifted=True) as rig:
        home = Home(rig)
        async with home.open():
            with pytest.raises(FetchError):
                await home.platform.fetch(Attachment("1", "x", 1, url=url), 100)


async def test_what_is_too_large_is_refused_before_it_is_read_and_what_claims_to_be_small_while_it_is() -> None:
    async with Discord(lifted=True) as rig:
        alice = rig.person("Alice")
        home = Home(rig)
        async with home.open():
            file = Upload("big.txt", b"x" * 5000)
            alice.say(alice.dm, "read", files=[file])
            await home.until(["read"])
            (attachment,) = home.host.messages[0].attachments
            with pytest.raises(FetchError):
                await home.platform.fetch(attachment, 4999)
            assert file.fetched == 0
            with pytest.raises(FetchError):
                await home.platform.fetch(dataclasses.replace(attachment, size=10), 4999)
