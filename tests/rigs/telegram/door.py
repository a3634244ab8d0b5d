"""The HTTP door: a call goes in as form, JSON or multipart, through faults and limits, and out as the server would answer."""

from __future__ import annotations

import asyncio
import hmac
import inspect
import re
import socket
import struct
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import parse_qsl

import orjson
from aiohttp import web

from tests.rigs.telegram import errors
from tests.rigs.telegram.faults import PAGES, Fault, Faults
from tests.rigs.telegram.methods_bot import METHODS
from tests.rigs.telegram.parameters import Parameters, Upload
from tests.rigs.telegram.records import Call

if TYPE_CHECKING:
    from tests.rigs.telegram.limits import Budget
    from tests.rigs.telegram.world import World

BODY_BYTES = 60 * 1000 * 1000
_TOKEN = re.compile(r"\d+:[A-Za-z0-9_-]+")


class PageError(Exception):
    """An answer that is not the Bot API's: a status and a page."""

    def __init__(self, status: int, page: str) -> None:
        super().__init__(page)
        self.status = status
        self.page = page


class Door:
    """Serves one bot."""

    def __init__(self, world: World, token: str, faults: Faults, budget: Budget) -> None:
        self._world = world
        self._token = token
        self._faults = faults
        self._budget = budget

    def app(self) -> web.Application:
        app = web.Application(client_max_size=BODY_BYTES)
        app.router.add_get("/file/bot{token}/{path:.+}", self.file)
        app.router.add_route("*", "/bot{token:[^/]+}/{method}", self.call)
        return app

    async def file(self, request: web.Request) -> web.Response:
        """A download."""
        number = request.match_info["path"].rpartition("_")[2]
        media = self._world.media.get(f"BQACAg{number.zfill(6)}")
        call = Call("file", None, {"path": request.match_info["path"]})
        self._world.ledger.calls.append(call)
        call.status = self._admitted(request) or (200 if media else 404)
        if media is None or call.status != 200:
            return web.json_response({"ok": False, "error_code": call.status, "description": "Not Found"}, status=call.status)
        fault = self._strike(call)
        try:
            await self._before(fault, call, request)
        except (errors.ApiError, PageError) as error:
            call.status = error.status
            return web.Response(status=error.status, text=str(error))
        if fault is not None and fault.after:
            await self._after(fault, request)
        return web.Response(body=media.data, content_type="application/octet-stream")

    def _admitted(self, request: web.Request) -> int | None:
        """The status with which a wrong token is answered."""
        token = request.match_info["token"]
        if not _TOKEN.fullmatch(token):
            return 404
        return None if hmac.compare_digest(token.encode(), self._token.encode()) else 401

    async def call(self, request: web.Request) -> web.Response:
        """A method."""
        method = request.match_info["method"]
        call = Call(method, None, {})
        self._world.ledger.calls.append(call)
        try:
            parameters = await read(request, self._world, method)
            call.chat, call.parameters = parameters.chat_id, parameters.values
            if parameters.text("parse_mode"):
                self._world.ledger.parse_modes.append(call)
            result = await self._result(call, parameters, request)
        except errors.ApiError as error:
            call.status = error.status
            return _json(error.status, error.body())
        except PageError as page:
            call.status = page.status
            return web.Response(status=page.status, text=page.page, content_type="text/html")
        call.status = 200
        return _json(200, {"ok": True, "result": result})

    async def _result(self, call: Call, parameters: Parameters, request: web.Request) -> Any:
        if refused := self._admitted(request):
            raise errors.unauthorized() if refused == 401 else errors.ApiError(404, "Not Found")
        made = METHODS.get(call.method.lower())
        if made is None:
            raise errors.ApiError(404, "Not Found: method not found")
        self._budget.check(call.chat, call.method)
        fault = self._strike(call)
        await self._before(fault, call, request)
        result = made(parameters)
        if inspect.isawaitable(result):
            result = await result
        if fault is not None and fault.after:
            await self._after(fault, request)
        return result

    def _strike(self, call: Call) -> Fault | None:
        fault = self._faults.strike(call.method, call.chat)
        call.fault = fault.kind if fault else None
        return fault

    async def _before(self, fault: Fault | None, call: Call, request: web.Request) -> None:
        """Misbehave before anything is done."""
        if fault is None or fault.after:
            return
        if fault.kind == "429":
            self._budget.wait(call.chat, call.method, fault.retry_after)
        await _misbehave(fault, request)

    async def _after(self, fault: Fault, request: web.Request) -> None:
        """Misbehave when all is done."""
        if fault.kind == "slow":
            await asyncio.sleep(fault.delay_s)
        else:
            await _misbehave(fault, request)


async def _misbehave(fault: Fault, request: web.Request) -> NoReturn:
    kind = fault.kind.removesuffix("_after")
    if kind in PAGES:
        raise PageError(*PAGES[kind])
    if (error := fault.error()) is not None:
        raise error
    if kind == "drop" and request.transport is not None:
        reset(request.transport)
    await asyncio.Event().wait()
    raise AssertionError("an event that nobody sets was set")


def reset(transport: asyncio.Transport) -> None:
    """End a connection with a reset, as a network that goes away does."""
    raw = transport.get_extra_info("socket")
    if raw is not None and raw.fileno() >= 0:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


async def read(request: web.Request, world: World, method: str) -> Parameters:
    """The parameters of a call, whatever the body."""
    parameters = Parameters(world, method, dict(request.query))
    kind = request.content_type
    if kind == "multipart/form-data":
        for name, value in (await request.post()).items():
            if isinstance(value, web.FileField):
                parameters.uploads[name] = Upload(value.filename, value.content_type, value.file.read())
                value.file.close()
            else:
                parameters.values[name] = value
    elif body := await request.read():
        parameters.values |= (
            _object(body) if kind == "application/json" else dict(parse_qsl(body.decode(), keep_blank_values=True))
        )
    return parameters


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise errors.bad("can't parse JSON object") from error
    return found if isinstance(found, dict) else {}


def _json(status: int, body: dict[str, Any]) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(body), content_type="application/json")
