"""Updates that Telegram sends to our HTTP door: each is acknowledged once it is committed.

Telegram sends the next update of a chat only when the one before is acknowledged. So a piece of a paste or an album is written
into the ledger, acknowledged, and waits there for the others; it is gone from there once they are taken as one message.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, NoReturn
from weakref import WeakValueDictionary

from adapters.telegram import updates as native
from adapters.telegram.connection import insist
from adapters.types import StoppedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.telegram.client import Client
    from adapters.telegram.config import TelegramConfig
    from adapters.telegram.connection import Health
    from adapters.telegram.intake import Intake
    from adapters.types import Ledger

_CHECK_S = 60.0
_TAKEN = 3
_REMEMBERED = 1000
_HELD = "held."

_log = logging.getLogger(__name__)


class Webhook:
    """One run of the webhook. `point` is called as in polling."""

    def __init__(
        self, client: Client, intake: Intake, ledger: Ledger, config: TelegramConfig, health: Health, point: Callable[[str], None]
    ) -> None:
        self._ledger = ledger
        self._client, self._intake, self._health, self._point = client, intake, health, point
        self._url = config.webhook_url
        self._secret = config.webhook_secret.get_secret_value() if config.webhook_secret else ""
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._held: dict[int, dict[str, Any]] = {}
        self._waiting: dict[int, asyncio.Future[bool]] = {}
        self._recent: OrderedDict[int, None] = OrderedDict()
        self._news = asyncio.Event()

    async def run(self) -> NoReturn:
        """Announce the address, keep watch over it, and take what is held when its time has come. Raises `StoppedError`."""
        await insist(self._client, self._health, "setWebhook", self._announcement)
        tasks = [asyncio.create_task(work, name="telegram webhook") for work in (self._watch(), self._take_due())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            done.pop().result()
            raise AssertionError("both go on for ever")
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def accept(self, secret: str | None, body: bytes) -> int:
        """Take an update; returns the HTTP status: 200 once it is committed, 503 when it must be sent again.

        Raises what the ledger raises when a piece cannot be written down: it must be sent again, too.
        """
        if not secret:
            return 401
        given = secret.encode(errors="surrogatepass")  # what of a header is not UTF-8 comes as halves of surrogate pairs
        if not hmac.compare_digest(given, self._secret.encode()):
            return 403
        try:
            update = json.loads(body)
            number = native.update_id(update)
        except (ValueError, RecursionError, native.MalformedError):
            return 400
        self._health.good()
        self._point("fetch")
        done = await self._taken(number, update)
        self._point("confirm")
        return 200 if done else 503

    async def _taken(self, number: int, update: dict[str, Any]) -> bool:
        """Whether an update is done with, however often it is sent while it is taken."""
        if number in self._recent:
            return True
        waiting = self._waiting.get(number)
        if waiting is None:
            waiting = self._waiting[number] = asyncio.get_running_loop().create_future()
            await self._in_order(number, update)
        return await asyncio.shield(waiting)

    async def _in_order(self, number: int, update: dict[str, Any]) -> None:
        chat, done = native.chat_of(update), False
        try:
            async with self._lock(chat):
                if not self._intake.holds(number):
                    await self._release(chat, await self._intake.take(update) or set())
                done = number in self._recent or await self._keep(number, update)
        finally:
            self._waiting.pop(number).set_result(done)
            self._news.set()

    def _lock(self, chat: str) -> asyncio.Lock:
        """It lives as long as somebody holds it or waits for it."""
        return self._locks.setdefault(chat, asyncio.Lock())

    async def _keep(self, number: int, update: dict[str, Any]) -> bool:
        """Write down a piece that is held; the talk of others is not. False when it is not held: it failed."""
        bundle = self._intake.bundle_of(number)
        if bundle is None:
            return False
        if bundle.heard:
            await self._ledger.put(f"{_HELD}{number}", json.dumps(update))
            self._held[number] = update
        self._remember({number})
        return True

    async def _release(self, chat: str, done: set[int]) -> None:
        """What was taken is written down no longer; the pieces of a message that failed are held anew."""
        self._remember(done)
        for number in done & self._held.keys():
            await self._ledger.put(f"{_HELD}{number}", None)
            del self._held[number]
        for number, update in sorted(self._held.items()):
            if native.chat_of(update) == chat and not self._intake.holds(number):
                await self._intake.take(update)

    def _remember(self, done: set[int]) -> None:
        self._recent.update(dict.fromkeys(done))
        while len(self._recent) > _REMEMBERED:
            self._recent.popitem(last=False)

    async def open(self) -> None:
        """Hold again what a former process held; before that nothing may be accepted."""
        for key, value in (await self._ledger.all(_HELD)).items():
            self._held[int(key.removeprefix(_HELD))] = json.loads(value)
        for chat in {native.chat_of(update) for update in self._held.values()}:
            await self._release(chat, set())
        self._remember(set(self._held))

    async def _take_due(self) -> NoReturn:
        while True:
            due_s = self._intake.due_s()
            self._news.clear()
            try:
                async with asyncio.timeout(due_s):
                    await self._news.wait()
            except TimeoutError:
                for bundle in self._intake.due():
                    chat = bundle.pieces[0].message.chat
                    async with self._lock(chat):
                        await self._release(chat, await self._intake.flush(bundle))

    async def _watch(self) -> NoReturn:
        """The address is looked at once a minute; somebody else's is replaced, but not for ever."""
        taken = 0
        while True:
            await asyncio.sleep(_CHECK_S)
            found = await insist(self._client, self._health, "getWebhookInfo", dict)
            if found.get("url") == self._url:
                taken = 0
                continue
            taken += 1
            if taken >= _TAKEN:
                reason = "Another program takes this bot's webhook away: two must not use one token. Stop one of them."
                raise StoppedError(self._health.stopped(reason))
            _log.warning("telegram: the webhook was changed by somebody else; it is set again")
            await insist(self._client, self._health, "setWebhook", self._announcement)

    def _announcement(self) -> dict[str, Any]:
        return {"url": self._url, "secret_token": self._secret, "allowed_updates": native.ALLOWED, "max_connections": 40}
