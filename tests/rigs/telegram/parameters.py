"""The parameters of a call, as form, JSON or multipart brought them, read and checked as the server does."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import orjson

from tests.rigs.telegram import entities, errors, links
from tests.rigs.telegram.errors import bad

if TYPE_CHECKING:
    from tests.rigs.telegram.records import Buttons, Entity
    from tests.rigs.telegram.world import Chat, World

TEXT_UNITS = 4096
CAPTION_UNITS = 1024
DATA_BYTES = 64
_REFUSALS = {"blocked": errors.blocked, "kicked": errors.kicked, "no_right": errors.no_right}


@dataclass(frozen=True, slots=True)
class Upload:
    """A file in a multipart body."""

    name: str
    media_type: str
    data: bytes


@dataclass(slots=True)
class Parameters:
    """One call. Values are texts from a form, or JSON values."""

    world: World
    method: str
    values: dict[str, Any] = field(default_factory=dict)
    uploads: dict[str, Upload] = field(default_factory=dict)

    def text(self, name: str) -> str | None:
        value = self.values.get(name)
        return None if value is None else str(value)

    def number(self, name: str) -> int | None:
        """An integer, None when it is absent. Raises 400 when it is none."""
        value = self.values.get(name)
        if value is None or value == "":
            return None
        try:
            return int(value)
        except ValueError as error:
            raise bad(f'field "{name}" must be a valid Number') from error

    def flag(self, name: str) -> bool:
        return str(self.values.get(name, "")).lower() in ("true", "1", "yes")

    def json(self, name: str) -> Any:
        """A JSON value, None when it is absent. Raises 400."""
        value = self.values.get(name)
        if not isinstance(value, str):
            return value
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError as error:
            raise bad(f"can't parse {name} JSON object") from error

    @property
    def chat_id(self) -> int | None:
        """The chat it is about, if any."""
        value = str(self.values.get("chat_id", ""))
        return int(value) if re.fullmatch(r"-?\d+", value) else None

    def chat(self) -> Chat:
        """The chat, open to the bot. Raises 400 or 403."""
        found = self.world.chats.get(self.chat_id or 0)
        if found is None:
            raise bad("chat not found")
        if found.migrated_to is not None:
            raise errors.migrated(found.migrated_to)
        if found.refuses:
            refusal = _REFUSALS[found.refuses]()
            raise refusal
        if not found.started:
            raise errors.ApiError(403, "Forbidden: bot can't initiate conversation with a user")
        return found

    def thread(self, chat: Chat) -> int | None:
        """The topic. Raises 400 when there is none."""
        number = self.number("message_thread_id")
        if number is not None and number not in chat.topics:
            raise bad("message thread not found")
        return number

    def violate(self, kind: str, detail: str) -> None:
        self.world.ledger.violate(kind, self.method, self.chat_id, detail)

    def formatted(self, name: str = "text", *, limit: int = TEXT_UNITS, empty: bool = False) -> tuple[str, tuple[Entity, ...]]:
        """A text with its final entities. Raises 400 for a wrong length or entity, and notes it."""
        sent = self.json("entities" if name == "text" else f"{name}_entities") or []
        text = self.text(name) or ""
        if found := entities.problems(text, sent):
            for problem in found:
                self.violate("entities", problem)
            raise bad(f"can't parse entities: {found[0]}")
        if len(sent) > entities.MAX_ENTITIES:
            self.violate("entities_ignored", f"{len(sent)} entities, of which {entities.MAX_ENTITIES} are shown")
        text, kept = entities.cleaned(text, sent)
        try:
            entities.checked(text, limit, empty=empty)
        except errors.ApiError as error:
            self.violate("length", f"{entities.units(text)} units: {error.description}")
            raise
        return text, links.final(text, [one for one in kept if one["type"] != "text_link" or linkable(one["url"])])

    def buttons(self) -> Buttons:
        """The inline keyboard. Raises 400 for a button that the server would refuse, and notes it."""
        markup = self.json("reply_markup") or {}
        rows = tuple(tuple(row) for row in markup.get("inline_keyboard", []))
        for button in (button for row in rows for button in row):
            if problem := _button_problem(button):
                self.violate("buttons", problem)
                raise bad(problem)
        if sum(map(len, rows)) > 100:
            self.violate("buttons", "more than 100 buttons")
            raise bad("reply markup is too long")
        return rows


def _button_problem(button: dict[str, Any]) -> str | None:
    if not str(button.get("text", "")).strip():
        return "text buttons are unallowed in the inline keyboard"
    data, url = button.get("callback_data"), button.get("url")
    if (data is None) == (url is None):
        return "exactly one of the fields of a button must be set"
    if data is not None and not 1 <= len(str(data).encode()) <= DATA_BYTES:
        return "BUTTON_DATA_INVALID"
    if url is not None and not linkable(url):
        return f"inline keyboard button URL '{url}' is invalid: Wrong HTTP URL"
    return None


def linkable(url: str) -> bool:
    """Whether the server takes an address: http, https, tg, ton or none, and a host with a dot."""
    parts = urlsplit(url if "://" in url else f"http://{url}")
    if parts.scheme in ("tg", "ton", "tonsite"):
        return True
    return parts.scheme in ("http", "https") and "." in (parts.hostname or "") and " " not in url
