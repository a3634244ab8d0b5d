"""Whether a message speaks to us, and what it says without our name: mentions, replies, commands.

Offsets and lengths of entities count UTF-16 units.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

_COMMAND = re.compile(r"/([A-Za-z0-9_]{1,64})(?:@([A-Za-z0-9_]{3,64}))?(?=\s|$)")


@dataclass(frozen=True, slots=True)
class Me:
    """The account we are. `id` is the platform's; `username` is without the @."""

    id: int
    username: str


@dataclass(frozen=True, slots=True)
class Ear:
    """What we listen to in groups: `free` chats by id, `commands` by name; `free` holds former ids of moved chats, too."""

    me: Me
    free: frozenset[str] = frozenset()
    commands: frozenset[str] = frozenset()
    moved: dict[str, str] = field(default_factory=dict)

    def hears(self, native: dict[str, Any], text: str, entities: Sequence[dict[str, Any]]) -> bool:
        """Whether a message is for us. `native` is the platform's message, `text` and `entities` are its text or caption."""
        command = _COMMAND.match(text)
        if command is not None and command[2] is not None:
            return self._mine(command[2])
        if native["chat"]["type"] == "private":
            return True
        return (
            self._free(str(native["chat"]["id"]))
            or (command is not None and command[1].lower() in self.commands)
            or any(self._named(text, entity) for entity in entities)
            or self._replied(native)
        )

    def words(self, text: str, entities: Sequence[dict[str, Any]]) -> str:
        """The text without our name: `/ask@us tea` is `/ask tea`, `@us, tea?` is `tea?`."""
        units = text.encode("utf-16-le", "surrogatepass")
        for entity in sorted(entities, key=lambda entity: int(entity["offset"]), reverse=True):
            if self._named(text, entity) and entity["type"] == "mention":
                begin = 2 * int(entity["offset"])
                units = units[:begin] + units[begin + 2 * int(entity["length"]) :]
        cut = units.decode("utf-16-le", "replace")
        if cut != text:
            cut = re.sub(r"^[\s,:;]+", "", re.sub(r"(?<=\S) {2,}(?=\S)", " ", cut)).rstrip()
        command = _COMMAND.match(cut)
        if command is not None and command[2] is not None and self._mine(command[2]):
            cut = f"/{command[1]}{cut[command.end() :]}"
        return cut

    def _mine(self, username: str) -> bool:
        return username.lower() == self.me.username.lower()

    def _free(self, chat: str) -> bool:
        return chat in self.free or any(old in self.free for old, new in self.moved.items() if new == chat)

    def _named(self, text: str, entity: dict[str, Any]) -> bool:
        if entity["type"] == "text_mention":
            return bool(entity["user"]["id"] == self.me.id)
        if entity["type"] != "mention":
            return False
        begin, length = int(entity["offset"]), int(entity["length"])
        name = text.encode("utf-16-le", "surrogatepass")[2 * begin : 2 * (begin + length)].decode("utf-16-le", "replace")
        return self._mine(name.removeprefix("@"))

    def _replied(self, native: dict[str, Any]) -> bool:
        """In a topic, everything answers the message that opened it, which may be ours."""
        to = replied_to(native)
        return to is not None and to.get("from", {}).get("id") == self.me.id


def replied_to(native: dict[str, Any]) -> dict[str, Any] | None:
    """The message that a person chose to answer, None when there is none."""
    to: dict[str, Any] | None = native.get("reply_to_message")
    if to is None or "forum_topic_created" in to:
        return None
    if native.get("is_topic_message") and to["message_id"] == native.get("message_thread_id"):
        return None
    return to
