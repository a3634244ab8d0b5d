"""Telegram as a platform: what the host calls, over the parts of this package."""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from adapters.telegram.addressed import Ear, Me
from adapters.telegram.client import Client
from adapters.telegram.connection import Errands, Health, insist
from adapters.telegram.files import download
from adapters.telegram.intake import Intake
from adapters.telegram.live import Showings
from adapters.telegram.menu import announce
from adapters.telegram.outgoing import Outgoing
from adapters.telegram.parts import parts_of
from adapters.telegram.polling import Polling
from adapters.telegram.presses import Presses
from adapters.telegram.sending import Sending
from adapters.telegram.webhook import Webhook
from adapters.types import FetchError, NotSentError, RefusedError, StoppedError, UnknownError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from adapters.telegram.config import TelegramConfig
    from adapters.telegram.updates import Tap
    from adapters.types import Attachment, CommandSpec, Host, Ledger, Live, Message, Origin, Part, Pressed, Reply, Said, Status

_SEEN = 10_000
_TOKEN = re.compile(r"\d{1,20}:[A-Za-z0-9_-]{1,100}")

_log = logging.getLogger(__name__)


class TelegramPlatform:
    """One bot account on Telegram. Made once; `run` is called again after each failure.

    `say(key, language)` gives the sentences that are added here: `answer_in_file`, `press_again`. `point(name)` is called at
    `fetch` (updates have come), `confirm` (before the platform is told that they are taken) and `edit` (something live is shown).
    `patience_s` is the first wait after a failure; it doubles.
    """

    name = "telegram"

    def __init__(
        self,
        config: TelegramConfig,
        ledger: Ledger,
        commands: Sequence[CommandSpec],
        say: Callable[[str, str], str],
        *,
        point: Callable[[str], None] = lambda _: None,
        patience_s: float = 0.5,
    ) -> None:
        self._config, self._ledger, self._commands, self._say, self._point = config, ledger, commands, say, point
        self._health = Health(patience_s)
        self._out = Outgoing(config)
        self._showings = Showings(self._out, ledger, config, point)
        self._sending = Sending(self._out)
        self._presses = Presses(self._out, say)
        self._webhook: Webhook | None = None
        self._newest: dict[str, int] = {}

    @property
    def status(self) -> Status:
        """How it is now."""
        return replace(self._health.status, limited=self._out.limited)

    async def run(self, host: Host) -> None:
        """Connect anew and serve until cancelled. Raises `StoppedError`."""
        token = self._config.token.get_secret_value().strip() if self._config.token else ""
        if not _TOKEN.fullmatch(token):
            reason = "What the settings give as Telegram's token is none." if token else "There is no token for Telegram."
            raise StoppedError(self._health.stopped(f"{reason} @BotFather gives one."))
        client = Client(self._config, token)
        self._health.start()
        try:
            await client.open()
            await self._serve(client, host)
        finally:
            self._webhook = self._out.client = None
            await client.close()

    async def show(self, origin: Origin, live: Callable[[], Live | None]) -> str | None:
        """Show how an answer is coming on: a draft in private chats, an edited message in groups."""
        return await self._showings.show(origin, live, self._reply_to(origin))

    def parts(self, origin: Origin, reply: Reply) -> Sequence[Part]:  # noqa: ARG002 -- the contract's
        """Cut the final text."""
        return parts_of(reply, self._config.file_from_chars, self._say)

    async def send(self, origin: Origin, part: Part, key: str, *, tried_s: float | None = None) -> str | None:
        """Send one part; the first takes the place of the live message. Raises `DeliveryError`."""
        is_first = key.endswith(".0")
        if self._out.client is None:
            raise NotSentError("not connected to Telegram")
        live = await self._showings.end(origin) if is_first else None
        # Which message may not have arrived is to be seen, whatever was asked since.
        replies = is_first or part.payload.get("doubt") or not origin.message.private
        reply_to = self._reply_to(origin) if replies else None
        try:
            sent = await self._sending.send(origin, part, live, reply_to, tried=tried_s is not None)
        except (RefusedError, UnknownError) as error:
            await self._settled(origin, 0 if isinstance(error, RefusedError) else part.payload.get("left", 0), first=is_first)
            raise
        await self._settled(origin, part.payload.get("left", 0), first=is_first)
        return sent

    async def _settled(self, origin: Origin, left: int, *, first: bool) -> None:
        """A part was sent or never will be: nothing live is left of it, and calls are kept for those behind it alone."""
        self._out.reserve(origin.message.chat, left, origin.inbox_id)
        if first:
            await self._showings.forget(origin)

    async def accept(self, secret: str | None, body: bytes) -> int:
        """Take an update that was sent to the webhook; returns the HTTP status. `secret`: `X-Telegram-Bot-Api-Secret-Token`."""
        if self._config.mode != "webhook":
            return 404
        return 503 if self._webhook is None else await self._webhook.accept(secret, body)

    async def fetch(self, attachment: Attachment, limit_bytes: int) -> bytes:
        """Download a file that was sent. Raises `FetchError`."""
        if self._out.client is None:
            raise FetchError("failed", "not connected to Telegram")
        return await download(self._out.client, attachment, limit_bytes)

    async def _serve(self, client: Client, host: Host) -> None:
        me = await self._me(client)
        moved = await self._ledger.all("moved.")
        self._out.chats = {key.removeprefix("moved."): to for key, to in moved.items()}
        ear = Ear(me, frozenset(self._config.free_chats), frozenset(one.name for one in self._commands), self._out.chats)
        async with Errands() as errands:
            intake = self._intake(client, host, ear, errands)
            await intake.open()
            self._out.client, self._out.moved = client, intake.moved
            errands.run(announce(client, self._ledger, self._commands, str(me.id)))
            if self._config.mode == "webhook":
                webhook = Webhook(client, intake, self._ledger, self._config, self._health, self._point)
                await webhook.open()
                self._webhook = webhook
                await webhook.run()
            await Polling(client, intake, self._config, self._health, self._point).run()

    def _intake(self, client: Client, host: Host, ear: Ear, errands: Errands) -> Intake:
        def say(message: Message, said: Said) -> None:
            errands.run(self._presses.said(message, said))

        def show(tap: Tap, pressed: Pressed) -> None:
            errands.run(self._presses.answer(client, ear.me.username, tap, pressed))

        return Intake(host, self._ledger, ear, self._config.gather_s, say=say, show=show, seen=self._seen)

    async def _me(self, client: Client) -> Me:
        found = await insist(client, self._health, "getMe", dict)
        me = Me(int(found["id"]), str(found.get("username") or ""))
        _log.info("telegram: bot=%d", me.id)
        return me

    def _seen(self, message: Message) -> None:
        """Remember the newest message of a private chat: an answer to an older one says which it answers."""
        if message.private:
            self._newest.pop(message.chat, None)
            self._newest[message.chat] = message.options["message_id"]
            if len(self._newest) > _SEEN:
                del self._newest[next(iter(self._newest))]

    def _reply_to(self, origin: Origin) -> int | None:
        """The message to reply to: in a group always; in private unless it is the newest one there."""
        message = origin.message
        number = message.options.get("message_id")
        if not isinstance(number, int) or (message.private and self._newest.get(message.chat) == number):
            return None
        return number
