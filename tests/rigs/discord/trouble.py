"""Answers that no server should give: none at all, half of one, or somebody else's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from tests.rigs.discord.house import House
    from tests.rigs.discord.script import Fault


def cloudflare() -> web.Response:
    """The 429 of a banned address: no JSON, and without the header that says that Discord itself has answered."""
    return web.Response(status=429, text="error code: 1015", headers={"Retry-After": "3600"})


async def broken(house: House, fault: Fault, request: web.Request) -> web.Response:
    """Do what a fault of the kinds 5xx, garbage, hang or drop says. A call that hangs ends when the network is cut."""
    if fault.kind == "5xx":
        return web.Response(status=fault.status or 502, text="<html>Bad Gateway</html>", content_type="text/html")
    if fault.kind == "garbage":
        return web.Response(status=fault.status or 200, text="<html>captive portal</html>", content_type="text/html")
    if fault.kind == "hang":
        await house.released.wait()
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=499)
