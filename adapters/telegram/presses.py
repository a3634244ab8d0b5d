"""What a press brings, for the eyes of who pressed alone: a quote in a private chat, a line or an alert in a group."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from adapters.telegram.client import CallError
from adapters.text import Rich, fit, rich, telegram_parts, units

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.telegram.client import Client
    from adapters.telegram.outgoing import Outgoing
    from adapters.telegram.updates import Tap
    from adapters.types import Message, Pressed, Said

_ALERT = 200
_LINE = 60
"""A longer answer to a press stays until it is closed."""
_QUOTE = 3500
_AGAIN_S = 120.0
_MOST = 1000

_log = logging.getLogger(__name__)


class Presses:
    """Answers presses, and says what the host answers at once. All of it is best effort: nothing here is stored."""

    def __init__(self, out: Outgoing, say: Callable[[str, str], str]) -> None:
        self._out, self._say = out, say
        self._alerted: dict[tuple[str, str], float] = {}

    async def answer(self, client: Client, username: str, tap: Tap, pressed: Pressed) -> None:
        """Show what a press brings."""
        message, text = tap.press.message, pressed.text
        is_passage = pressed.link is not None or pressed.url is not None or units(text or "") > _ALERT
        try:
            if text is not None and is_passage and message.private:
                await client.call("answerCallbackQuery", {"callback_query_id": tap.callback})
                await self._quote(message, text, pressed.url)
            else:
                await client.call("answerCallbackQuery", self._notice(username, tap, pressed, is_passage=is_passage))
        except CallError as error:
            _log.info("telegram: a press was not answered: %s", error)

    async def said(self, message: Message, said: Said) -> None:
        """Say something to who wrote, without a trace."""
        number = message.options.get("message_id")
        reply = None if message.private else {"message_id": number, "allow_sending_without_reply": True}
        try:
            for part in telegram_parts(said.text, allowed_links=None):
                await self._message(message, part, reply)
        except CallError as error:
            _log.info("telegram: a sentence was not said: %s", error)

    def _notice(self, username: str, tap: Tap, pressed: Pressed, *, is_passage: bool) -> dict[str, Any]:
        """A line or an alert. Neither holds a link: what does not fit is in the private chat, which a second press opens."""
        data: dict[str, Any] = {"callback_query_id": tap.callback}
        if pressed.text is None:
            return data
        text = " ".join(part.text for part in telegram_parts(pressed.text, allowed_links=())).strip()
        key = tap.press.message.sender, tap.press.code
        if pressed.link is not None and self._again(key):
            return {**data, "url": f"https://t.me/{username}?start={pressed.link}"}
        more = ""
        if pressed.link is not None and (units(text) > _ALERT or pressed.url is not None):
            more = "\n" + self._say("press_again", language_of(tap.press.message))
            self._alert(key)
        return {**data, "text": fit(text, _ALERT - units(more)) + more, "show_alert": is_passage or units(text) > _LINE}

    def _again(self, key: tuple[str, str]) -> bool:
        at = self._alerted.pop(key, None)
        return at is not None and time.monotonic() - at < _AGAIN_S

    def _alert(self, key: tuple[str, str]) -> None:
        self._alerted[key] = time.monotonic()
        while len(self._alerted) > _MOST:
            del self._alerted[next(iter(self._alerted))]

    async def _quote(self, message: Message, text: str, url: str | None) -> None:
        words = "\n\n".join(part.text for part in telegram_parts(text, allowed_links=()))
        whole = rich(fit(words, _QUOTE), "expandable_blockquote")
        if url is not None and url.lower().startswith(("http://", "https://")):
            whole = whole + rich("\n") + rich(fit(url, _ALERT), url=url)
        reply = {"message_id": message.options.get("message_id"), "allow_sending_without_reply": True}
        await self._message(message, whole, reply)

    async def _message(self, message: Message, part: Rich, reply: dict[str, Any] | None) -> None:
        data = {
            "text": part.text,
            "entities": [entity.as_json() for entity in part.entities] or None,
            "link_preview_options": {"is_disabled": True},
            "message_thread_id": message.options.get("thread"),
            "reply_parameters": reply,
        }
        await self._out.call(message.chat, "sendMessage", data)


def language_of(message: Message) -> str:
    """The language of the sentences we add: that of the person's client, English otherwise."""
    return "fr" if (message.locale or "").lower().startswith("fr") else "en"
