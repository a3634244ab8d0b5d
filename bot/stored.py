"""Messages, replies and parts as JSON text, the form in which inbox and outbox keep them."""

from __future__ import annotations

from typing import Any

import orjson

from adapters.types import Attachment, Button, File, Message, Part, Reply, Source

SPENT = ("$.options.interaction", "$.options.history", *(f"$.attachments[{n}].url" for n in range(5)))
"""Where in a message that is which serves its reply alone, and goes once that is sent: the right to answer an interaction, the
turns that came with a request, the signed addresses of files."""


def dump(thing: Message | Reply) -> str:
    """JSON of a message or a reply. Raises `TypeError` when it holds what JSON or UTF-8 cannot say."""
    return orjson.dumps(thing).decode()


def load_message(text: str) -> Message:
    """A message as it came in."""
    fields: dict[str, Any] = orjson.loads(text)
    fields["attachments"] = tuple(Attachment(**attachment) for attachment in fields["attachments"])
    fields["roles"] = tuple(fields.get("roles", ()))
    return Message(**fields)


def load_reply(text: str) -> Reply:
    """A reply as it was committed."""
    fields: dict[str, Any] = orjson.loads(text)
    for name in ("citations", "consulted", "nearest"):
        fields[name] = tuple(Source(**source) for source in fields[name])
    fields["buttons"] = tuple(Button(**button) for button in fields.get("buttons", ()))
    fields["file"] = File(**fields["file"]) if fields.get("file") else None
    return Reply(**fields)


def dump_part(part: Part) -> str:
    """JSON of what `send` will send."""
    return orjson.dumps(part.payload).decode()


def load_part(text: str) -> Part:
    """A part as it was committed."""
    return Part(orjson.loads(text))
