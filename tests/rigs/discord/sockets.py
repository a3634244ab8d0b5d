"""One WebSocket of the gateway: hello, heartbeats, IDENTIFY, RESUME, and the events of its session."""

from __future__ import annotations

import asyncio
import time
import zlib
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import WSCloseCode, WSMsgType

from tests.rigs.discord import payloads
from tests.rigs.discord.events import PRIVILEGED

if TYPE_CHECKING:
    from aiohttp import web

    from tests.rigs.discord.house import House
    from tests.rigs.discord.sessions import Session

HEARTBEAT, RECONNECT, INVALID = 1, 7, 9
_IDENTIFY, _RESUME, _MEMBERS, _HELLO, _ACK = 2, 6, 8, 10, 11


class Socket:
    """One connection. Its frames leave in order through one queue, while it is `flowing`; a number in it closes."""

    def __init__(self, flowing: asyncio.Event, house: House, ws: web.WebSocketResponse, request: web.Request) -> None:
        self._flowing, self._house, self._ws, self._request = flowing, house, ws, request
        self._zlib = zlib.compressobj() if request.query.get("compress") == "zlib-stream" else None
        self.outbox: asyncio.Queue[bytes | int] = asyncio.Queue()
        self.session: Session | None = None
        self.beats: list[float] = []
        self._closed_here = False

    def send(self, frame: dict[str, Any]) -> None:
        """Queue a frame that has no sequence."""
        self.outbox.put_nowait(orjson.dumps({"t": None, "s": None, **frame}))

    def abort(self) -> None:
        """Reset the connection."""
        if self._request.transport is not None:
            self._request.transport.abort()

    async def live(self) -> None:
        """Hello, then both directions until one of them ends."""
        self.send({"op": _HELLO, "d": {"heartbeat_interval": int(self._house.script.heartbeat_s * 1000), "_trace": ["rig"]}})
        tasks = [asyncio.ensure_future(each) for each in (self._write(), self._read(), self._watch())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            self._part()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _part(self) -> None:
        if self.session is not None:
            self.session.part(self.outbox)
            if not self._closed_here and self._ws.close_code in {WSCloseCode.OK, WSCloseCode.GOING_AWAY}:
                self._house.sessions.alive.pop(self.session.id, None)

    async def _write(self) -> None:
        while True:
            frame = await self.outbox.get()
            await self._flowing.wait()
            if isinstance(frame, int):
                return await self._close(frame)
            try:
                await self._put(frame)
            except ConnectionError:
                return None

    async def _close(self, code: int) -> None:
        self._closed_here = True
        await self._ws.close(code=code)

    async def _put(self, frame: bytes) -> None:
        if self._zlib is None:
            await self._ws.send_str(frame.decode())
        else:
            await self._ws.send_bytes(self._zlib.compress(frame) + self._zlib.flush(zlib.Z_SYNC_FLUSH))

    async def _watch(self) -> None:
        while True:
            limit, begun = self._house.script.heartbeat_limit_s, time.monotonic()
            await asyncio.sleep(limit or 0.25)
            if limit and not any(at >= begun for at in self.beats):
                return await self._close(4009)

    async def _read(self) -> None:
        async for message in self._ws:
            if message.type is not WSMsgType.TEXT:
                self.outbox.put_nowait(4002)
                continue
            frame = orjson.loads(message.data)
            self._take(frame["op"], frame.get("d"))
            self._house.stir()

    def _take(self, op: int, body: Any) -> None:
        if op == HEARTBEAT:
            self.beats.append(time.monotonic())
            if self._house.script.acks:
                self.send({"op": _ACK, "d": None})
        elif op == _IDENTIFY:
            self._identify(body)
        elif op == _RESUME:
            self._resume(body)
        elif self.session is None:
            self.outbox.put_nowait(4003)
        elif op == _MEMBERS:
            self._members(body)

    def _identify(self, body: dict[str, Any]) -> None:
        house, now = self._house, time.monotonic()
        early = any(now - at < house.script.identify_spacing_s for at in house.sessions.starts[-1:])
        left, _ = house.sessions.remaining()
        house.sessions.starts.append(now)
        if left <= 0:
            house.violate("identify", "gateway", "more IDENTIFYs than the limit: the token is reset")
            house.token = ""
        refused = sum(bit for name, bit in PRIVILEGED.items() if name not in house.script.privileged)
        if code := self._refused(body, refused):
            self.outbox.put_nowait(code)
        elif early:
            self.send({"op": INVALID, "d": False})
        else:
            self._ready(body)

    def _refused(self, body: dict[str, Any], forbidden: int) -> int | None:
        if body["token"] != self._house.token:
            return 4004
        if self.session is not None:
            return 4005
        return 4014 if body["intents"] & forbidden else self._house.script.on_identify

    def _ready(self, body: dict[str, Any]) -> None:
        house = self._house
        self.session = session = house.sessions.begin(body["intents"], self.outbox)
        guilds = [guild for guild in house.world.guilds.values() if guild.has_bot]
        ready = {
            "v": 10,
            "user": payloads.user(house.bot),
            "session_id": session.id,
            "session_type": "normal",
            "resume_gateway_url": f"ws{house.address.removeprefix('http')}/resume",
            "private_channels": [],
            "relationships": [],
            "guilds": [{"id": guild.id, "unavailable": True} for guild in guilds],
            "application": payloads.application(house),
            "user_settings": {},
            "presences": [],
            "guild_join_requests": [],
            "shard": body.get("shard", [0, 1]),
            "_trace": ["rig"],
        }
        session.put("READY", ready)
        for guild in guilds:
            session.put("GUILD_CREATE", payloads.guild(guild))

    def _resume(self, body: dict[str, Any]) -> None:
        house, session = self._house, self._house.sessions.find(body["session_id"])
        missed = session.missed(body["seq"]) if session is not None else None
        if body["token"] != house.token:
            self.outbox.put_nowait(4004)
        elif isinstance(house.script.on_resume, int):
            self.outbox.put_nowait(house.script.on_resume)
        elif session is None or missed is None or house.script.on_resume == "invalid":
            house.sessions.alive.pop(body["session_id"], None)
            self.send({"op": INVALID, "d": False})
        else:
            self._replay(session, missed)

    def _replay(self, session: Session, missed: list[bytes]) -> None:
        self._house.sessions.resumes.append(time.monotonic())
        if session.outbox is not None:
            session.outbox.put_nowait(4005)
        for frame in missed:
            self.outbox.put_nowait(frame)
        self.session, session.outbox = session, self.outbox
        session.put("RESUMED", {"_trace": ["rig"]})

    def _members(self, body: dict[str, Any]) -> None:
        guild = self._house.world.guilds[str(body["guild_id"])]
        wanted = {str(each) for each in body.get("user_ids") or ()}
        members = [payloads.member(each) for each in guild.members.values() if not wanted or each.person.id in wanted]
        chunk = {"guild_id": guild.id, "members": members, "chunk_index": 0, "chunk_count": 1, "nonce": body.get("nonce")}
        assert self.session is not None
        self.session.put("GUILD_MEMBERS_CHUNK", chunk)
