"""Commands, the menu of messages, and presses on buttons: acknowledged in time whatever else is slow."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from adapters.discord.asked import Asked, asked
from adapters.discord.errors import ALREADY_ACKNOWLEDGED, AnsweredError, RestError
from adapters.discord.wire import EPHEMERAL, body_of
from adapters.text import discord_parts
from adapters.types import Press, Said

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from adapters.discord.calls import Calls
    from adapters.discord.config import DiscordConfig
    from adapters.discord.members import Members
    from adapters.discord.messages import Me
    from adapters.discord.payloads import Json
    from adapters.discord.tokens import Visits
    from adapters.types import Host, Pressed

_COMMAND, _COMPONENT = 2, 3
_MESSAGE, _LATER, _LATER_UNSEEN = 4, 5, 6
_RETRY_S = (0.2, 0.5, 1.0, 3.0, 10.0)

_log = logging.getLogger(__name__)


class Interactions:
    """Answers what people do with commands and buttons, one task each."""

    def __init__(
        self,
        config: DiscordConfig,
        calls: Calls,
        host: Host,
        me: Me,
        members: Members,
        visits: Visits,
        *,
        say: Callable[[str, str], str],
        point: Callable[[str], None],
    ) -> None:
        self._config = config
        self._calls = calls
        self._host = host
        self._me = me
        self._members = members
        self._visits = visits
        self._say = say
        self._point = point
        self._tasks: set[asyncio.Task[None]] = set()
        self._turns: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    def interaction_create(self, data: Json) -> None:
        """INTERACTION_CREATE."""
        self._point("fetch")
        kind = data.get("type")
        if kind not in (_COMMAND, _COMPONENT):
            return
        it = asked(data, self._me, self._config.deadlines.interaction_s)
        self._visits.begin(it.token.id)
        self._visits.note(it.message.sender, it.token)
        self._start(self._command(it) if kind == _COMMAND else self._press(it), it)

    @property
    def idle(self) -> bool:
        """Whether none is being handled."""
        return not self._tasks

    async def close(self) -> None:
        """End what is being handled."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(self, work: Coroutine[Any, Any, None], it: Asked) -> None:
        task = asyncio.get_running_loop().create_task(self._guarded(work, it), name=f"discord interaction {it.message.id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(self, work: Coroutine[Any, Any, None], it: Asked) -> None:
        try:
            await work
        except RestError as error:
            _log.warning("discord: interaction not answered id=%s: %s", it.message.id, error)
        except Exception as error:  # noqa: BLE001 -- logged; one interaction must not stop the others
            _log.error("discord: interaction failed id=%s error=%s", it.message.id, type(error).__name__)
        finally:
            self._visits.answered(it.token.id)

    async def _command(self, it: Asked) -> None:
        """Stored first when that is quick, acknowledged in any case."""
        storing = asyncio.create_task(self._receive(it), name=f"discord receive {it.message.id}")
        try:
            await asyncio.wait({storing}, timeout=self._config.deadlines.defer_s)
            if storing.done() and not isinstance(storing.result(), int):
                await self._say_now(it, storing.result())
                return
            await self._respond(it, {"type": _LATER, "data": {"flags": EPHEMERAL if it.token.hidden else 0}})
            taken = await storing
        finally:
            storing.cancel()
        if not isinstance(taken, int):
            await self._say_later(it, taken.text if taken else None)

    async def _press(self, it: Asked) -> None:
        pressing = asyncio.create_task(self._pressed(it), name=f"discord press {it.message.id}")
        try:
            await asyncio.wait({pressing}, timeout=self._config.deadlines.defer_s)
            if pressing.done():
                text = shown(pressing.result())
                await self._respond(it, _immediate(*text) if text else {"type": _LATER_UNSEEN})
                return
            await self._respond(it, {"type": _LATER, "data": {"flags": EPHEMERAL}})
            text = shown(await pressing)
        finally:
            pressing.cancel()
        await self._say_later(it, *(text or (None,)))

    async def _receive(self, it: Asked) -> int | Said | None:
        """Store it, behind what the same person asked there before."""
        turn = self._turns.setdefault((it.message.sender, it.message.thread or it.message.chat), asyncio.Lock())
        async with turn:
            return await self._stored(it)

    async def _stored(self, it: Asked) -> int | Said | None:
        """A house that cannot store it is asked again, as long as the person may still be answered."""
        for wait in (*_RETRY_S, None):
            try:
                message = await it.with_roles(self._members)
                taken = await self._host.receive(message)
            except Exception as error:  # noqa: BLE001 -- kept and tried again, whatever it was
                _log.error("discord: command not stored id=%s error=%s", it.message.id, type(error).__name__)
                if wait is None or not it.token.alive:
                    break
                await asyncio.sleep(wait)
            else:
                self._point("confirm")
                return taken
        return Said(self._say("discord_not_taken", it.language))

    async def _pressed(self, it: Asked) -> Pressed:
        message = await it.with_roles(self._members)
        return await self._host.press(Press(it.code, message, it.token.on))

    async def _say_now(self, it: Asked, said: Said | int | None) -> None:
        text = said.text if isinstance(said, Said) else "…"
        await self._respond(it, _immediate(text))

    async def _say_later(self, it: Asked, text: str | None, links: tuple[str, ...] | None = None) -> None:
        """What was deferred becomes a sentence, or goes when there is nothing to say."""
        path = f"{it.token.webhook}/messages/@original"
        if text is None:
            await self._calls.call(it.token.id, "DELETE", path)
        else:
            await self._calls.call(it.token.id, "PATCH", path, body_of(_payload(text, links)))

    async def _respond(self, it: Asked, body: Json) -> None:
        try:
            await self._first_response(it, body)
        finally:
            self._visits.answered(it.token.id)

    async def _first_response(self, it: Asked, body: Json) -> None:
        """It may be too late, or come twice: then the answer goes another way."""
        path = f"/interactions/{it.token.id}/{it.token.token}/callback"
        for wait in (*_RETRY_S[:2], None):
            try:
                await self._calls.urgent("POST", path, body)
            except AnsweredError as error:
                if error.code != ALREADY_ACKNOWLEDGED:
                    _log.warning("discord: interaction acknowledged too late id=%s: %s", it.message.id, error)
                return
            except RestError:
                if wait is None:
                    raise
                await asyncio.sleep(wait)
            else:
                return


def shown(pressed: Pressed) -> tuple[str, tuple[str, ...]] | None:
    """What a press brings, as Markdown, and the links that may be live in it: the source's own, none of its words."""
    url = pressed.url if pressed.url and pressed.url.lower().startswith(("http://", "https://")) else None
    if pressed.text is None and url is None:
        return None
    return "\n\n".join(part for part in (pressed.text, url) if part), (url,) if url else ()


def _immediate(text: str, links: tuple[str, ...] | None = None) -> Json:
    return {"type": _MESSAGE, "data": body_of(_payload(text, links), hidden=True)}


def _payload(text: str, links: tuple[str, ...] | None) -> Json:
    """A sentence of ours, or a passage: one message."""
    parts = discord_parts(text, allowed_links=links)
    return {"content": parts[0].text if parts else "…"}
