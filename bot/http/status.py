"""How the daemon is: two probes for anyone, the status for people, the metrics for the owner."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiohttp import web

from bot.http.auth import owner_only
from bot.http.body import json_response
from bot.http.connection import HEADERS
from bot.telemetry import CONTENT_TYPE

if TYPE_CHECKING:
    from bot.http.house import HouseLike
    from bot.people.people import Person


class StatusRoutes:
    """Probes, status and metrics."""

    def __init__(self, house: HouseLike) -> None:
        self._house = house

    async def alive(self, _request: web.BaseRequest) -> web.StreamResponse:
        """`GET /healthz`: whoever can answer this is alive."""
        return json_response({"status": "alive"})

    async def ready(self, _request: web.BaseRequest) -> web.StreamResponse:
        """`GET /readyz`: which parts are ready; 503 when no question can be received. Names nobody and nothing."""
        parts = self._house.ready()
        receives = parts.get("database", False)
        return json_response({"ready": receives, "parts": parts}, status=200 if receives else 503)

    async def status(self, _request: web.BaseRequest, person: Person) -> web.StreamResponse:
        """`GET /status`: what this person may know."""
        return json_response(await self._house.status(person))

    async def metrics(self, _request: web.BaseRequest, person: Person) -> web.StreamResponse:
        """`GET /metrics`: the owner's, because counts by collection and by hour tell what others do."""
        owner_only(person)
        page = await asyncio.to_thread(self._house.telemetry.page)
        return web.Response(body=page, headers={**HEADERS, "Content-Type": CONTENT_TYPE})
