"""The HTTP door itself: its routes, its start and end, and the one way every request goes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from aiohttp import web

from bot.errors import GrillonError
from bot.http.ask import AskRoutes
from bot.http.auth import person_of
from bot.http.body import json_response, problem_response
from bot.http.connection import connections
from bot.http.errors import ProblemError, problem_of, stopped
from bot.http.events import stopping
from bot.http.openai import OpenAIRoutes
from bot.http.openapi import openapi
from bot.http.status import StatusRoutes
from bot.people.people import Person

if TYPE_CHECKING:
    from aiohttp.abc import AbstractStreamWriter
    from aiohttp.http_parser import RawRequestMessage
    from aiohttp.streams import StreamReader

    from bot.http.house import HouseLike
    from bot.settings.fields import HttpConfig

Handler = Callable[[web.BaseRequest, Person], Awaitable[web.StreamResponse]]
OpenHandler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

_H = TypeVar("_H", Handler, OpenHandler)

_LEFT = 499
"""The status under which requests are counted whose client left."""
_STOP_S = 0.5
"""Seconds that handlers have to end by themselves. To aiohttp 0 would mean for ever."""


class HttpDoor:
    """The HTTP door of a house. Routes can be added until `start`; a path is matched whole."""

    def __init__(self, house: HouseLike, config: HttpConfig) -> None:
        self._house = house
        self._config = config
        self._routes: dict[str, dict[str, Handler]] = {}
        self._open: dict[str, dict[str, OpenHandler]] = {}
        self._server: web.Server | None = None
        self._listening: asyncio.Server | None = None
        self._inside: set[asyncio.Task[Any]] = set()
        self._add_own()

    def route(self, method: str, path: str, handler: Handler) -> None:
        """Answer `method path` for whoever has a token; the handler is told who it is."""
        self._routes.setdefault(path, {})[method] = handler

    def open_route(self, method: str, path: str, handler: OpenHandler) -> None:
        """Answer `method path` without a token: a probe, or a platform's webhook, which checks a secret of its own."""
        self._open.setdefault(path, {})[method] = handler

    @property
    def paths(self) -> dict[str, set[str]]:
        """All paths with their methods."""
        return {path: {*self._open.get(path, ()), *self._routes.get(path, ())} for path in (*self._open, *self._routes)}

    async def start(self) -> str:
        """Listen, and return the address, with the port that was chosen. Raises `GrillonError` when it cannot be bound."""
        loop = asyncio.get_running_loop()
        self._server = web.Server(self._answer, request_factory=self._request, handler_cancellation=True)
        host, port = self._config.host, self._config.port
        try:
            self._listening = await loop.create_server(connections(self._server), host, port, backlog=128)
        except OSError as error:
            raise GrillonError(
                f"The HTTP door cannot open at {host} port {port} ({error.strerror}): change [http] port in grillon.toml, "
                "or stop what uses it."
            ) from error
        bound = self._listening.sockets[0].getsockname()[1]
        return f"http://[{host}]:{bound}" if ":" in host else f"http://{host}:{bound}"

    def stop_receiving(self) -> None:
        """Let nobody in any more. Who is inside is still answered."""
        if self._listening is None or self._server is None:
            return
        self._listening.close()
        self._server.pre_shutdown()

    async def stop(self, grace_s: float = _STOP_S) -> None:
        """Let nobody in any more, give those inside `grace_s` seconds to be answered, tell the others, and hang up.

        Questions that wait are not answered once the dispatcher drains: call it after that, lest they hold it up for nothing.
        """
        if self._listening is None or self._server is None:
            return
        self.stop_receiving()
        if self._inside:
            await asyncio.wait(self._inside, timeout=grace_s)
        for task in self._inside:
            task.cancel()  # each says so to its client, and is gone
        await self._server.shutdown(_STOP_S)
        await self._listening.wait_closed()
        self._listening = self._server = None

    def _add_own(self) -> None:
        status = StatusRoutes(self._house)
        ask = AskRoutes(self._house, self._config)
        face = OpenAIRoutes(self._house, self._config)
        self.open_route("GET", "/healthz", status.alive)
        self.open_route("HEAD", "/healthz", status.alive)
        self.open_route("GET", "/readyz", status.ready)
        self.open_route("HEAD", "/readyz", status.ready)
        self.route("GET", "/status", status.status)
        self.route("GET", "/metrics", status.metrics)
        self.route("GET", "/openapi.json", _description)
        self.route("POST", "/ask", ask.post)
        self.route("GET", "/ask", ask.get)
        self.route("GET", "/v1/models", face.models)
        self.route("GET", "/v1/models/grillon", face.model)
        self.route("POST", "/v1/chat/completions", face.complete)

    def _request(
        self,
        message: RawRequestMessage,
        payload: StreamReader,
        protocol: web.RequestHandler,
        writer: AbstractStreamWriter,
        task: asyncio.Task[None],
    ) -> web.BaseRequest:
        loop = asyncio.get_running_loop()
        return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=self._config.body_kb * 1024)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """The way of every request: who asks, what for, the answer. Every exception ends here, unless the client is gone."""
        path, task = request.path, asyncio.current_task()
        known = path if path in self._routes or path in self._open else "other"
        response: web.StreamResponse | None = None
        assert task is not None
        self._inside.add(task)
        try:
            response = await self._routed(request, path)
        except ConnectionError:
            raise
        except asyncio.CancelledError:
            if not stopping(request):
                raise
            response = problem_response(stopped(), openai=path.startswith("/v1/"))
        except Exception as error:  # noqa: BLE001 -- the one place where whatever went wrong becomes an answer
            response = problem_response(problem_of(error, known), openai=path.startswith("/v1/"))
        finally:
            self._inside.discard(task)
            self._house.telemetry.requested(known, _LEFT if response is None else response.status)
        return response

    async def _routed(self, request: web.BaseRequest, path: str) -> web.StreamResponse:
        opened = self._open.get(path)
        if opened is not None:
            return await _of(opened, request.method)(request)
        # Who has no token does not learn which paths there are.
        person = await person_of(request, self._house.tokens)
        methods = self._routes.get(path)
        if methods is None:
            raise ProblemError("not_found", "There is nothing at this path; /openapi.json lists what there is.")
        return await _of(methods, request.method)(request, person)


def _of(methods: dict[str, _H], method: str) -> _H:
    try:
        return methods[method]
    except KeyError:
        allowed = ", ".join(sorted(methods))
        raise ProblemError("method_not_allowed", f"Here one can {allowed}.", headers={"Allow": allowed}) from None


async def _description(_request: web.BaseRequest, _person: Person) -> web.StreamResponse:
    # Made once, which reads this program's version from its files.
    return json_response(await asyncio.to_thread(openapi))
