"""The way of a REST call: token, bans, pauses, limits, faults, then its handler; everything is written down."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from aiohttp import web

from tests.rigs.discord import directory, interactions, messages
from tests.rigs.discord.house import Called, House
from tests.rigs.discord.limits import too_many
from tests.rigs.discord.trouble import broken, cloudflare
from tests.rigs.discord.wire import Answer, Call, RefusedError, response, taken

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.rigs.discord.script import Fault

    Handler = Callable[[House, Call], Answer]

_MESSAGE = "/channels/{channel}/messages/{message}"
_REACTION = _MESSAGE + "/reactions/{emoji}/@me"
_HOOK = "/webhooks/{app}/{token}"

# Name, method, path, handler. Those under /interactions and /webhooks carry their own token.
ROUTES: tuple[tuple[str, str, str, Handler], ...] = (
    ("me", "GET", "/users/@me", directory.me),
    ("application", "GET", "/oauth2/applications/@me", directory.application),
    ("gateway", "GET", "/gateway/bot", directory.gateway),
    ("dm.open", "POST", "/users/@me/channels", directory.open_private),
    ("user", "GET", "/users/{user}", directory.user),
    ("channel", "GET", "/channels/{channel}", directory.channel),
    ("guild", "GET", "/guilds/{guild}", directory.guild),
    ("member", "GET", "/guilds/{guild}/members/{user}", directory.member),
    ("members", "GET", "/guilds/{guild}/members", directory.members),
    ("commands.get", "GET", "/applications/{app}/commands", directory.get_commands),
    ("commands.put", "PUT", "/applications/{app}/commands", directory.put_commands),
    ("history", "GET", "/channels/{channel}/messages", messages.history),
    ("message.create", "POST", "/channels/{channel}/messages", messages.create),
    ("message.get", "GET", _MESSAGE, messages.read),
    ("message.edit", "PATCH", _MESSAGE, messages.edit),
    ("message.delete", "DELETE", _MESSAGE, messages.delete),
    ("reaction.add", "PUT", _REACTION, messages.react),
    ("reaction.remove", "DELETE", _REACTION, messages.unreact),
    ("typing", "POST", "/channels/{channel}/typing", messages.typing),
    ("callback", "POST", "/interactions/{interaction}/{token}/callback", interactions.callback),
    ("followup.create", "POST", _HOOK, interactions.follow),
    ("original.get", "GET", _HOOK + "/messages/@original", interactions.read),
    ("original.edit", "PATCH", _HOOK + "/messages/@original", interactions.edit),
    ("original.delete", "DELETE", _HOOK + "/messages/@original", interactions.delete),
    ("followup.get", "GET", _HOOK + "/messages/{message}", interactions.read),
    ("followup.edit", "PATCH", _HOOK + "/messages/{message}", interactions.edit),
    ("followup.delete", "DELETE", _HOOK + "/messages/{message}", interactions.delete),
)


def routes(house: House) -> list[web.RouteDef]:
    """The routes for aiohttp."""
    return [web.route(method, f"/api/v10{path}", _served(house, name, handler)) for name, method, path, handler in ROUTES]


def _served(house: House, name: str, handler: Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def serve(request: web.Request) -> web.StreamResponse:
        place = request.match_info.get("channel") or request.match_info.get("token")
        called = Called(name, request.method, request.path, place, time.monotonic())
        house.calls.append(called)
        reply = await _Desk(house, called, handler).reply(request)
        called.status = reply.status
        house.stir()
        return reply

    return serve


class _Desk:
    """One call on its way."""

    def __init__(self, house: House, called: Called, handler: Handler) -> None:
        self._house, self._called, self._handler = house, called, handler
        self._headers: dict[str, str] = {}
        self._own_token = called.path.startswith(("/api/v10/interactions/", "/api/v10/webhooks/"))

    async def reply(self, request: web.Request) -> web.Response:
        house, called = self._house, self._called
        try:
            call = await taken(request)
            called.body = call.body if isinstance(call.body, dict) else {}
            if early := house.limits.early(called.place, counted=not self._own_token):
                house.violate("early", called.name, f"{called.place}: {early:.3f} s before retry_after has passed")
            return self._stopped(request) or await self._tried(request, call)
        except RefusedError as error:
            return self._refused(error)

    def _stopped(self, request: web.Request) -> web.Response | None:
        house, called = self._house, self._called
        if house.limits.banned:
            return self._cloudflare()
        if not self._own_token and (not house.token or request.headers.get("Authorization") != f"Bot {house.token}"):
            raise RefusedError(401, 0)
        verdict = house.limits.take(called.name, called.place, counted=not self._own_token)
        self._headers = verdict.headers
        return None if verdict.retry_after is None else self._later(verdict.retry_after, everywhere=verdict.everywhere)

    async def _tried(self, request: web.Request, call: Call) -> web.Response:
        name, place = self._called.name, self._called.place
        if fault := self._house.strike(name, place, after=False):
            return await self._fail(fault, request)
        answer = self._handler(self._house, call)
        if fault := self._house.strike(name, place, after=True):
            return await self._fail(fault, request)
        return response(answer, self._headers)

    def _refused(self, error: RefusedError) -> web.Response:
        if error.noted is not None:
            where = "; ".join(f"{each.path}: {each.sentence}" for each in error.problems)
            self._house.violate(error.noted, self._called.name, where or str(error))
        self._house.limits.fail(error.status, shared=False)
        return response(Answer(error.body, error.status), self._headers)

    def _later(self, retry_after: float, *, everywhere: bool, scope: str = "user") -> web.Response:
        limits = self._house.limits
        limits.pause(self._called.name, None if everywhere else self._called.place, retry_after)
        limits.fail(429, shared=scope == "shared")
        spent = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset-After": f"{retry_after:.3f}"} if self._headers else {}
        headers = {"X-RateLimit-Scope": scope, **self._headers, **spent, "Retry-After": str(int(retry_after) + 1)}
        return response(Answer(too_many(retry_after, everywhere=everywhere), 429), headers)

    def _cloudflare(self) -> web.Response:
        self._house.limits.fail(429, shared=False)
        return cloudflare()

    async def _fail(self, fault: Fault, request: web.Request) -> web.Response:
        if fault.kind == "429" and fault.scope == "cloudflare":
            return self._cloudflare()
        if fault.kind == "429":
            return self._later(fault.retry_after, everywhere=fault.scope == "global", scope=fault.scope)
        if fault.kind == "refuse":
            raise RefusedError(fault.status or 403, fault.code)
        return await broken(self._house, fault, request)
