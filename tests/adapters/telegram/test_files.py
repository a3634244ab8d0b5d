"""Downloads of what people sent."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from adapters.types import FetchError
from tests.adapters.telegram.house import House, file

if TYPE_CHECKING:
    from adapters.types import Attachment
    from tests.rigs.telegram import Telegram


async def sent(rig: Telegram, house: House, data: bytes, claimed: int | None = None) -> Attachment:
    rig.person("Nora").send_file("notes.txt", data, claimed=claimed)
    (message,) = await house.host.has(1)
    return message.attachments[0]


async def test_a_file_comes_whole(rig: Telegram, house: House) -> None:
    attachment = await sent(rig, house, b"x" * 300_000)
    assert await house.platform.fetch(attachment, 300_000) == b"x" * 300_000


async def test_what_is_claimed_too_large_is_not_asked_for(rig: Telegram, house: House) -> None:
    attachment = await sent(rig, house, b"x", claimed=21_000_000)
    with pytest.raises(FetchError) as caught:
        await house.platform.fetch(attachment, 20_000_000)
    assert caught.value.reason == "too_large"
    assert not rig.ledger.calls_of("getFile")


async def test_what_grows_on_its_way_is_cut_off(rig: Telegram, house: House) -> None:
    attachment = replace(await sent(rig, house, b"x" * 3_000_000, claimed=10), size=0)
    with pytest.raises(FetchError) as caught:
        await house.platform.fetch(attachment, 1000)
    assert caught.value.reason == "too_large"


async def test_what_is_gone_is_told_so(house: House) -> None:
    with pytest.raises(FetchError) as caught:
        await house.platform.fetch(file("BQACAg000009", 5), 1000)
    assert caught.value.reason == "gone"


@pytest.mark.parametrize("kind", ["500", "drop", "502"])
@pytest.mark.parametrize("method", ["getFile", "file"])
async def test_what_breaks_off_can_be_tried_again(rig: Telegram, house: House, method: str, kind: str) -> None:
    attachment = await sent(rig, house, b"hello")
    rig.faults.add(kind, method, times=None)
    with pytest.raises(FetchError) as caught:
        await house.platform.fetch(attachment, 1000)
    assert caught.value.reason == "failed"
    error: BaseException | None = caught.value
    while error is not None:
        assert rig.token not in str(error)
        error = error.__cause__ or error.__context__
    rig.faults.clear()
    assert await house.platform.fetch(attachment, 1000) == b"hello"
