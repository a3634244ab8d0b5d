"""Updates that no server should send: each is left out, or taken, and never stops the others."""

from __future__ import annotations

import random
from typing import Any

from adapters.telegram import updates
from adapters.telegram.addressed import Ear, Me

EAR = Ear(Me(7, "grillon_bot"), frozenset({"-5"}), frozenset({"ask"}))
WORDS: tuple[Any, ...] = (
    None,
    True,
    -1,
    10**30,
    float("inf"),
    float("nan"),
    "",
    "x",
    "9" * 5000,
    [],
    {},
    [[]],
    {"id": None},
    {"id": float("inf")},
)


def spoilt(whole: Any, pick: random.Random) -> Any:
    """The same with something in it of another kind."""
    if isinstance(whole, dict) and whole and pick.random() < 0.9:
        key = pick.choice(list(whole))
        return {**whole, key: spoilt(whole[key], pick)}
    if isinstance(whole, list) and whole and pick.random() < 0.8:
        return [spoilt(whole[0], pick), *whole[1:]]
    return pick.choice(WORDS)


def told() -> dict[str, Any]:
    user = {"id": 5, "is_bot": False, "first_name": "Nora", "language_code": "en"}
    file = {"file_id": "a", "file_size": 3, "file_name": "a.md", "mime_type": "text/plain"}
    return {
        "message_id": 3,
        "date": 1,
        "from": user,
        "chat": {"id": -5, "type": "supergroup"},
        "text": "@grillon_bot tea?",
        "entities": [
            {"type": "mention", "offset": 0, "length": 12},
            {"type": "text_mention", "offset": 0, "length": 1, "user": user},
        ],
        "reply_to_message": {"message_id": 2, "from": user},
        "document": file,
        "photo": [{**file, "width": 3, "height": 4}],
        "is_topic_message": True,
        "message_thread_id": 9,
    }


def test_garbage_is_left_out_and_stops_nothing() -> None:
    pick = random.Random(1)
    read = left_out = 0
    for _ in range(20_000):
        kind = pick.choice(("message", "edited_message", "callback_query"))
        what = told() if kind != "callback_query" else {"id": "1", "from": told()["from"], "message": told(), "data": "x"}
        update = {"update_id": 1, kind: spoilt(what, pick)}
        assert isinstance(updates.chat_of(update), str)
        try:
            read += updates.read(update, EAR) is not None
        except updates.MalformedError:
            left_out += 1
    assert min(read, left_out) > 1000
