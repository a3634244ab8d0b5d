"""People who talk to the bot, as a test scripts them."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any, Literal

from tests.rigs.telegram import wire
from tests.rigs.telegram.entities import cleaned, units
from tests.rigs.telegram.groups import Group, opened, standing
from tests.rigs.telegram.links import final
from tests.rigs.telegram.parameters import CAPTION_UNITS, TEXT_UNITS
from tests.rigs.telegram.records import Press, Shown, Version
from tests.rigs.telegram.world import Chat

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.rigs.telegram.records import Answer, Media
    from tests.rigs.telegram.world import User, World


class Person:
    """Somebody. `chat` is the private chat with the bot; `into` of a method: a group to say it in, else it is said in private."""

    def __init__(self, world: World, user: User, *, started: bool) -> None:
        self._world = world
        self.user = user
        self.chat = world.chats[user.id] = Chat(user.id, "private", user.first_name, {user.id, world.bot.id}, started=started)

    @property
    def id(self) -> int:
        return self.user.id

    def say(self, text: str, into: Group | None = None, *, thread: int | None = None, reply_to: Shown | None = None) -> Shown:
        """Say something of at most 4,096 UTF-16 units."""
        return self._send(text, into, thread, reply_to)

    def forward(self, text: str, of: Person) -> Shown:
        """Pass on to the bot what somebody said elsewhere."""
        origin = {"type": "user", "sender_user": wire.user(of.user), "date": int(time.time())}
        return self._send(text, None, None, None, extra={"forward_origin": origin})

    def start(self, payload: str = "") -> Shown:
        """Open the private chat, from a link with a payload when there is one."""
        return self.say(f"/start {payload}".strip())

    def paste(self, text: str, into: Group | None = None, *, thread: int | None = None) -> list[Shown]:
        """Say something long: the client splits it."""
        return [self.say(piece, into, thread=thread) for piece in split(text)]

    def edit(self, message: Shown, text: str) -> None:
        """Change an own message."""
        clean, entities = cleaned(text, [])
        message.history.append(Version(clean, final(clean, entities)))
        self._world.tell(message, "edited_message")

    def remove(self, message: Shown) -> None:
        """Delete a message; the bot is not told."""
        self._world.delete(message)

    def send_file(
        self,
        name: str,
        data: bytes,
        caption: str = "",
        into: Group | None = None,
        *,
        kind: Literal["document", "photo", "voice"] = "document",
        media_type: str = "application/octet-stream",
        claimed: int | None = None,
        **place: Any,
    ) -> Shown:
        """Send a file; `claimed` is the size the server reports, in bytes, when it is not that of `data`."""
        media = self._world.store(kind, name, media_type, data, claimed)
        return self._send(caption, into, place.get("thread"), place.get("reply_to"), media, place.get("album"))

    def send_voice(self, data: bytes = b"OggS", into: Group | None = None) -> Shown:
        return self.send_file("", data, into=into, kind="voice", media_type="audio/ogg")

    def album(self, files: Iterable[tuple[str, bytes]], caption: str = "", into: Group | None = None) -> list[Shown]:
        """Send files as one album; the caption stands under the first."""
        group = str(next(self._world.albums))
        captions = [caption]
        return [self.send_file(name, data, captions.pop() if captions else "", into, album=group) for name, data in files]

    def press(self, on: Shown, button: str | int = 0) -> Press:
        """Press a button, by its number, its words or its data. What it brings is in the ledger."""
        found = _button(on, button)
        press = Press(str(next(self._world.queries)), self.id, on, found)
        self._world.ledger.presses[press.query] = press
        payload = {
            "id": press.query,
            "from": wire.user(self.user),
            "message": wire.message(self._world, on),
            "chat_instance": str(on.chat * 31),
            "data": found["callback_data"],
        }
        self._world.updates.add("callback_query", payload)
        self._world.ledger.changed()
        return press

    async def pressed(self, on: Shown, button: str | int = 0, timeout_s: float = 10.0) -> Answer:
        """Press a button and wait for what it brings. Raises `TimeoutError`."""
        press = self.press(on, button)
        found = await self._world.ledger.until(lambda: self._world.ledger.answer(press), timeout_s)
        assert found is not None
        return found

    def follow(self, url: str) -> Shown | None:
        """Open an address; one of the bot with a payload starts the private chat with it."""
        found = re.fullmatch(rf"(?:https://)?t\.me/{self._world.bot.username}\?start=([A-Za-z0-9_-]{{1,64}})", url)
        return self.start(found[1]) if found else None

    def topic(self, name: str) -> int:
        """Open a topic in the private chat and return its id."""
        return opened(self._world, self.chat, self.id, name)

    def block(self) -> None:
        """Block the bot."""
        standing(self._world, self.chat, self.id, "kicked")
        self.chat.refuses = "blocked"

    def unblock(self) -> None:
        self.chat.refuses = None
        standing(self._world, self.chat, self.id, "member")

    def _send(
        self,
        text: str,
        into: Group | None,
        thread: int | None,
        reply_to: Shown | None,
        media: Media | None = None,
        album: str | None = None,
        extra: dict[str, Any] | None = None,
    ) -> Shown:
        limit = CAPTION_UNITS if media else TEXT_UNITS
        assert units(text) <= limit, f"a client sends at most {limit} units in one message"
        chat = into.chat if into else self.chat
        chat.started = True
        clean, entities = cleaned(text, [])
        shown = self._world.put(
            chat,
            self.id,
            clean,
            final(clean, entities),
            thread=thread,
            reply_to=reply_to.id if reply_to else None,
            media=media,
            album=album,
            extra=extra or {},
        )
        self._world.tell(shown)
        return shown


def _button(on: Shown, wanted: str | int) -> dict[str, Any]:
    buttons = [button for row in on.buttons for button in row]
    if isinstance(wanted, int):
        return buttons[wanted]
    for button in buttons:
        if wanted in (button["text"], button.get("callback_data")):
            return button
    raise LookupError(f"no button {wanted!r}; there are {', '.join(on.labels()) or 'none'}")


def split(text: str) -> list[str]:
    """How a client cuts a paste: at a newline or blank near the end of 4,096 units, else hard."""
    pieces = []
    while units(text) > TEXT_UNITS:
        end = TEXT_UNITS
        while units(text[:end]) > TEXT_UNITS:
            end -= 1
        cut = max(text.rfind("\n", end - 500, end), text.rfind(" ", end - 500, end))
        end = cut + 1 if cut >= 0 else end
        pieces.append(text[:end])
        text = text[end:]
    return [*pieces, text] if text else pieces
