"""What takes events in as long as one connection lasts, and which event goes where."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from adapters.discord.answers import channel_of
from adapters.discord.commands import announce
from adapters.discord.errors import AnsweredError, RestError
from adapters.discord.intake import Intake
from adapters.discord.interactions import Interactions
from adapters.discord.members import Members
from adapters.discord.wire import body_of, with_reference
from adapters.text import discord_parts

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from adapters.discord.calls import Calls
    from adapters.discord.config import DiscordConfig
    from adapters.discord.messages import Me
    from adapters.discord.payloads import Json
    from adapters.discord.places import Places
    from adapters.discord.tokens import Visits
    from adapters.types import CommandSpec, Host, Ledger, Message, Said

_AGAIN_S = (1.0, 5.0, 30.0, 120.0)

_log = logging.getLogger(__name__)


class Running:
    """One connection's parts. `sent` is told each nonce before it goes out, `own` sees the bot's own messages come back."""

    def __init__(
        self,
        config: DiscordConfig,
        ledger: Ledger,
        calls: Calls,
        places: Places,
        host: Host,
        me: Me,
        visits: Visits,
        *,
        say: Callable[[str, str], str],
        commands: Sequence[CommandSpec],
        counts: frozenset[str],
        sent: Callable[[str], None],
        own: Callable[[Json], None],
        point: Callable[[str], None],
    ) -> None:
        self.me = me
        self.places = places
        self._ledger = ledger
        self._commands = commands
        self._say = say
        self._sent = sent
        self._calls = calls
        members = Members(calls.rest, places, counts)
        self.intake = Intake(
            config, ledger, places, members, calls.rest, host, me, say_at_once=self._say_at_once, foreign=own, point=point
        )
        self.interactions = Interactions(config, calls, host, me, members, visits, say=say, point=point)
        self._tasks: set[asyncio.Task[None]] = set()
        self._announcing = False

    @property
    def handlers(self) -> dict[str, Callable[[Json], None]]:
        """Which event goes where. All others are none of our business."""
        return {
            "READY": self._ready,
            "RESUMED": lambda _: self._announce(),
            "GUILD_CREATE": self._guild_create,
            "GUILD_DELETE": self.places.guild_delete,
            "GUILD_ROLE_CREATE": self.places.role_create,
            "GUILD_ROLE_DELETE": self.places.role_delete,
            "CHANNEL_CREATE": self._place,
            "CHANNEL_UPDATE": self._place,
            "CHANNEL_DELETE": self.places.channel_delete,
            "THREAD_CREATE": self._place,
            "THREAD_UPDATE": self._place,
            "THREAD_DELETE": self.places.channel_delete,
            "THREAD_LIST_SYNC": self._threads,
            "MESSAGE_CREATE": self.intake.message_create,
            "MESSAGE_UPDATE": self.intake.message_update,
            "MESSAGE_DELETE": self.intake.message_delete,
            "MESSAGE_DELETE_BULK": self.intake.message_delete,
            "INTERACTION_CREATE": self.interactions.interaction_create,
        }

    @property
    def idle(self) -> bool:
        """Whether all that was told is stored."""
        return self.intake.idle and self.interactions.idle

    async def close(self) -> None:
        """End what is being handled: what is not stored comes again."""
        await self.intake.close()
        await self.interactions.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _ready(self, data: Json) -> None:
        guilds = {str(guild["id"]) for guild in data.get("guilds", ())}
        self.places.forget_roles(guilds)
        self.intake.began(guilds)
        self._announce()

    def _guild_create(self, data: Json) -> None:
        self.intake.told_of(str(data["id"]), self.places.guild_create(data))

    def _place(self, data: Json) -> None:
        self.places.learn(data)

    def _threads(self, data: Json) -> None:
        for thread in data.get("threads", ()):
            self.places.learn(thread, str(data["guild_id"]))

    def _announce(self) -> None:
        """Once a connection is enough."""
        if not self._announcing:
            self._announcing = True
            self._start(self._announced(), "discord commands")

    async def _announced(self) -> None:
        for wait in (*_AGAIN_S, None):
            try:
                if await announce(self._calls.rest, self._ledger, self.me.application, self._commands, self._say):
                    _log.info("discord: commands announced count=%d", len(self._commands) + 1)
            except AnsweredError as error:
                _log.error("discord: the commands were refused: %s", error)
                return
            except RestError as error:
                if wait is None:
                    _log.error("discord: the commands could not be announced: %s", error)
                    return
                await asyncio.sleep(wait)
            else:
                return

    def _say_at_once(self, message: Message, said: Said) -> None:
        self._start(self._told(message, said), f"discord say {message.id}")

    async def _told(self, message: Message, said: Said) -> None:
        """A sentence that is not stored: best effort, once."""
        channel, nonce = channel_of(message), f"s{message.id}"
        for part in discord_parts(said.text, allowed_links=None)[:1]:
            body = with_reference(body_of({"content": part.text}), message.id) | {"nonce": nonce, "enforce_nonce": True}
            self._sent(nonce)
            try:
                await self._calls.call(channel, "POST", f"/channels/{channel}/messages", body)
            except RestError as error:
                _log.info("discord: sentence not said message=%s: %s", message.id, error)

    def _start(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
