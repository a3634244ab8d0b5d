"""An answer while it is written: a draft in private chats, one message that is edited in groups, and a sign of life at once."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from adapters.telegram.client import CallError
from adapters.telegram.parts import keyboard
from adapters.text import Rich, telegram_live

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.telegram.client import Json
    from adapters.telegram.config import TelegramConfig
    from adapters.telegram.outgoing import Call, Outgoing
    from adapters.types import Ledger, Live, Origin

_LONGEST = 4096
_TYPING_S = 4.5
"""The line "is typing" stands for five seconds."""
_DRAFT_S = 20.0
"""A draft stands for thirty."""
_NOTE_AFTER_S = 2.0
"""In a group a note becomes a message only when the wait is worth one."""
_GROUP_S = 4.0
"""Between two edits in a group, of whichever answers."""
_MOST = 10_000
_OFF_LOOP = 2000

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Showing:
    """What is shown of one answer. `lost`: its message may be there, but we do not know which it is."""

    live: str | None
    began: float
    typed: float = 0.0
    shown: tuple[str, bool] = ("", False)
    shown_at: float = 0.0
    lost: bool = False
    worded: bool = False


class Showings:
    """All answers that are being written. `point` is called with `edit` when something of one has been shown."""

    def __init__(self, out: Outgoing, ledger: Ledger, config: TelegramConfig, point: Callable[[str], None]) -> None:
        self._out, self._ledger, self._point = out, ledger, point
        self._private_s = 1 / config.chat_per_second if config.chat_per_second else 0.0
        self._group_s = _GROUP_S if config.group_per_minute else 0.0
        self._paced: OrderedDict[str, float] = OrderedDict()
        self._all: OrderedDict[int, Showing] = OrderedDict()
        self._drafts = True

    async def show(self, origin: Origin, live: Callable[[], Live | None], reply_to: int | None) -> str | None:
        """Show what `live()` says when it is the chat's turn; returns the id of the message that shows it."""
        now = live()
        if now is None:
            known = self._all.get(origin.inbox_id)
            return known.live if known else origin.live
        showing = await self._showing(origin)
        if showing.lost:
            return showing.live
        try:
            if not now.text and time.monotonic() - showing.typed > _TYPING_S:
                await self._sign(origin, showing)
            await self._words(origin, showing, live, reply_to)
        except CallError as error:
            _log.debug("telegram: message=%d is not shown: %s", origin.inbox_id, error)
        return showing.live

    async def end(self, origin: Origin) -> str | None:
        """The answer is final: the id of the message whose place it takes, None when there is none."""
        return (await self._showing(origin)).live

    async def forget(self, origin: Origin) -> None:
        """Its first part was sent."""
        showing = self._all.pop(origin.inbox_id, None)
        if not self._drafted(origin) and (showing is None or showing.live is not None):
            await self._ledger.put(_key(origin), None)

    async def _showing(self, origin: Origin) -> Showing:
        showing = self._all.get(origin.inbox_id)
        if showing is None:
            live = origin.live
            if live is None and not self._drafted(origin):
                live = await self._ledger.get(_key(origin))
            showing = self._all[origin.inbox_id] = Showing(live, time.monotonic())
            if len(self._all) > _MOST:
                self._all.popitem(last=False)
        showing.live = showing.live or origin.live
        return showing

    def _drafted(self, origin: Origin) -> bool:
        return origin.message.private and self._drafts

    async def _sign(self, origin: Origin, showing: Showing) -> None:
        """Typing; in a group, first of all, 👀 on the question."""
        first, showing.typed = not showing.typed, time.monotonic()
        options = origin.message.options
        if first and not origin.message.private:
            eyes = [{"type": "emoji", "emoji": "👀"}]
            data = {"message_id": options.get("message_id"), "reaction": eyes}
            try:
                await self._out.sign(origin.message.chat, "setMessageReaction", data)
            except CallError as error:
                _log.debug("telegram: no reaction: %s", error)
            else:
                return
        data = {"action": "typing", "message_thread_id": options.get("thread")}
        await self._out.sign(origin.message.chat, "sendChatAction", data)

    async def _words(self, origin: Origin, showing: Showing, live: Callable[[], Live | None], reply_to: int | None) -> None:
        """The words so far, or what is waited for; nothing when that is shown already."""

        async def make() -> Call | None:
            now = live()
            text = self._news(origin, showing, now)
            if now is None or text is None:
                return None
            rich = await _rendered(text)
            if not rich.text:
                return None
            showing.shown, showing.shown_at = (text, now.stop is not None), time.monotonic()
            showing.worded = bool(now.text)
            return self._call(origin, showing, rich, now, reply_to)

        async def done(result: Json) -> None:
            await self._placed(origin, showing, result)

        now = live()
        if self._news(origin, showing, now) is None or now is None:
            return
        if not origin.message.private:
            self._out.reserve(origin.message.chat, _parts(now.text), origin.inbox_id)
        if showing.worded or not now.text:  # the first words wait for no pace
            await self._pace(origin)
        else:
            self._step(origin)
        try:
            await self._out.live(origin.message.chat, make, done)
        except CallError as error:
            showing.lost = showing.lost and error.maybe
            showing.shown = ("", False)
            self._failed(origin, showing, error)
            raise

    async def _pace(self, origin: Origin) -> None:
        """Words follow each other in a chat at a pace, whatever the budget still has."""
        message = origin.message
        pace_s = self._private_s if message.private else self._group_s
        while (wait_s := self._paced.get(message.chat, 0.0) + pace_s - time.monotonic()) > 0:  # noqa: ASYNC110 -- for the clock
            await asyncio.sleep(wait_s)
        self._step(origin)

    def _step(self, origin: Origin) -> None:
        message = origin.message
        self._paced[message.chat] = time.monotonic()
        self._paced.move_to_end(message.chat)
        if len(self._paced) > _MOST:
            self._paced.popitem(last=False)

    def _news(self, origin: Origin, showing: Showing, now: Live | None) -> str | None:
        """What is to be shown and is not."""
        if now is None:
            return None
        text = now.text or now.note or ""
        waits = not now.text and not self._drafted(origin) and time.monotonic() - showing.began < _NOTE_AFTER_S
        if not text.strip() or (waits and showing.live is None):
            return None
        stale = self._drafted(origin) and time.monotonic() - showing.shown_at > _DRAFT_S
        return text if stale or showing.shown != (text, now.stop is not None) else None

    async def _placed(self, origin: Origin, showing: Showing, result: Json) -> None:
        """Something is shown. Of a new message the id is written down at once: it must be found again after a crash."""
        if showing.lost and isinstance(result, dict):
            showing.live, showing.lost = f"{self._out.at(origin.message.chat)}:{result['message_id']}", False
            await self._ledger.put(_key(origin), showing.live)
        self._point("edit")

    def _failed(self, origin: Origin, showing: Showing, error: CallError) -> None:
        """What cannot be drafted is edited from now on; a live message that is gone is not missed."""
        said = error.description.lower()
        if "not modified" in said:
            return
        if self._drafted(origin) and (error.code == 404 or (error.code == 400 and "draft" in said)):
            _log.warning("telegram: no drafts here, answers are edited instead: %s", error)
            self._drafts = False
        elif error.code == 400 and "not found" in said:
            showing.live = None

    def _call(self, origin: Origin, showing: Showing, rich: Rich, now: Live, reply_to: int | None) -> Call:
        said: dict[str, Any] = {"text": rich.text, "entities": [entity.as_json() for entity in rich.entities] or None}
        thread = origin.message.options.get("thread")
        if self._drafted(origin):
            return "sendMessageDraft", {**said, "draft_id": origin.inbox_id % 2**31 or 1, "message_thread_id": thread}
        said["link_preview_options"] = {"is_disabled": True}
        if now.stop is not None:
            said["reply_markup"] = {"inline_keyboard": keyboard([now.stop])}
        if showing.live is not None:
            return "editMessageText", {**said, "message_id": int(showing.live.rpartition(":")[2])}
        reply = None if reply_to is None else {"message_id": reply_to, "allow_sending_without_reply": True}
        showing.lost = True  # until we are told which message it is
        return "sendMessage", {**said, "message_thread_id": thread, "reply_parameters": reply}


def _key(origin: Origin) -> str:
    return f"live.{origin.inbox_id}"


def _parts(text: str) -> int:
    """Into how many messages it will be cut, as far as it is known."""
    return 1 + len(text) // _LONGEST


async def _rendered(text: str) -> Rich:
    if len(text) < _OFF_LOOP:
        return telegram_live(text)
    return await asyncio.to_thread(telegram_live, text)
