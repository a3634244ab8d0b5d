"""One part of a reply on its way: what a failure means for it, and what is tried besides.

There is no idempotency key: what may have arrived is never sent again. An edit is: the same text twice is one message.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from telegram import InputFile

from adapters.telegram.client import CallError
from adapters.types import DeliveryError, NotSentError, RefusedError, UnknownError

if TYPE_CHECKING:
    from adapters.telegram.outgoing import Outgoing
    from adapters.types import Origin, Part

_CLOSED = (
    "chat not found", "user is deactivated", "not enough rights", "have no rights", "need administrator rights", "was kicked",
    "chat_write_forbidden", "peer_id_invalid", "chat_restricted", "group is deactivated", "can't initiate",
)  # fmt: skip
"""What a 400 says where the chat will never take anything."""
_GONE = ("message to edit not found", "message can't be edited", "message_id_invalid", "there is no text in the message to edit")

_log = logging.getLogger(__name__)


def delivery_error(error: CallError) -> DeliveryError:
    """What a failed call means for a part."""
    if error.code == 429:
        return NotSentError(str(error), error.retry_after or 1.0)
    if error.maybe:
        return UnknownError(str(error))
    return RefusedError(str(error)) if error.code in {400, 403, 413} else NotSentError(str(error))


class Sending:
    """Sends parts."""

    def __init__(self, out: Outgoing) -> None:
        self._out = out

    async def send(self, origin: Origin, part: Part, live: str | None, reply_to: int | None, *, tried: bool) -> str:
        """Send a part and return its id; it takes the place of `live`. Raises `DeliveryError`.

        `tried`: a former try may have arrived. Then nothing but an edit is tried again.
        """
        payload = part.payload
        if live is not None and payload["kind"] == "text":
            edited = await self._edit(origin, payload, live, tried=tried)
            if edited is not None:
                return edited
        if tried:
            raise UnknownError("a former try may have arrived")
        where = {"message_thread_id": origin.message.options.get("thread"), "reply_parameters": _reply(reply_to)}
        method, data = _sent(payload)
        sent = await self._insist(origin.message.chat, method, {**data, **where}, payload)
        return f"{self._out.at(origin.message.chat)}:{sent['message_id']}"

    async def _edit(self, origin: Origin, payload: dict[str, Any], live: str, *, tried: bool) -> str | None:
        """Put the text in the place of a live message. None when that is gone: then it may be sent, if it was not before."""
        number = int(live.rpartition(":")[2])
        data = {**_said(payload), "message_id": number}
        data["reply_markup"] = data["reply_markup"] or {"inline_keyboard": []}
        try:
            await self._insist(origin.message.chat, "editMessageText", data, payload)
        except RefusedError as error:
            said = str(error).lower()
            if "not modified" in said:
                return live
            if not any(gone in said for gone in _GONE):
                raise
            if tried:
                raise UnknownError("the live message is gone, and a former try may have sent another one") from error
            return None
        except UnknownError as error:
            # An edit that may have been carried out can be carried out again: who sends waits, then comes back.
            raise NotSentError(str(error)) from error
        return live

    async def _insist(self, chat: str, method: str, data: dict[str, Any], payload: dict[str, Any]) -> dict[str, Any]:
        """Call; what is refused for its form goes again without what was refused, at last as plain text."""
        while True:
            try:
                result = await self._out.call(chat, method, data)
            except CallError as error:
                mended = _mended(data, payload, error)
                if mended is None:
                    raise delivery_error(error) from error
                _log.warning("telegram: a part goes again without what was refused: %s", error)
                data = mended
            else:
                return result if isinstance(result, dict) else {"message_id": 0}


def _mended(data: dict[str, Any], payload: dict[str, Any], error: CallError) -> dict[str, Any] | None:
    """The same call without what was refused, None when there is nothing to leave out. It ends: each leaves out one."""
    said = error.description.lower()
    if error.code != 400 or "not modified" in said or any(one in said for one in (*_CLOSED, *_GONE)):
        return None
    for word, key in (("thread", "message_thread_id"), ("topic", "message_thread_id"), ("repl", "reply_parameters")):
        if word in said and data.get(key) is not None:
            return {**data, key: None}
    if any(word in said for word in ("button", "keyboard", "markup")) and data.get("reply_markup"):
        return {**data, "reply_markup": None}
    if data.get("entities"):
        return {**data, "entities": None, "text": payload["plain"]}
    return None


def _reply(number: int | None) -> dict[str, Any] | None:
    return None if number is None else {"message_id": number, "allow_sending_without_reply": True}


def _sent(payload: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    if payload["kind"] == "text":
        return "sendMessage", _said(payload)
    content = payload["content"].encode(errors="replace") or b"\n"
    document = InputFile(content, filename=payload["name"])
    return "sendDocument", {"document": document, "reply_markup": _markup(payload)}


def _said(payload: dict[str, Any]) -> dict[str, Any]:
    return {
        "text": payload["text"],
        "entities": payload["entities"] or None,
        "link_preview_options": {"is_disabled": True},
        "reply_markup": _markup(payload),
    }


def _markup(payload: dict[str, Any]) -> dict[str, Any] | None:
    buttons = payload.get("buttons")
    return {"inline_keyboard": buttons} if buttons else None
