"""`/ask`: answers, bad input, keys, and what happens when the client leaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.types import Reply
from tests.bot.http.door import ANSWER, SOURCE, Open, Pupil, open_door

BODY = {
    "answer": "Bleed it first [1].",
    "citations": [
        {
            "n": 1,
            "collection": "house",
            "document": "boiler.md",
            "title": "The boiler",
            "locator": "Service › p. 3",
            "url": None,
            "score": 0.81,
            "excerpt": "Bleed the radiators first.",
        }
    ],
    "nearest": [],
    "refused": False,
    "conversation": None,
    "model": "test-model",
    "timings": {"retrieve": 0.01, "generate": 0.2},
}


async def test_a_question_is_answered_with_its_sources(tmp_path: Path) -> None:
    async with open_door(tmp_path) as opened:
        status, body = await opened.ask("How?")
        assert status == 200
        assert body.pop("consulted")[0]["title"] == "The car"
        assert body == BODY
        received = (await opened.pupil.arrived.get()).message
        assert (received.platform, received.private, received.thread) == ("http", True, None)
        assert received.options == {"ephemeral": True}


async def test_an_address_asks_too(tmp_path: Path) -> None:
    async with open_door(tmp_path) as opened:
        status, body = await opened.get("/ask?q=O%C3%B9+est%20la%20cl%C3%A9%3F&conversation=car&collections=a,b&collections=c")
        assert (status, body["conversation"]) == (200, "car")
        received = (await opened.pupil.arrived.get()).message
        assert (received.text, received.thread) == ("Où est la clé?", "car")
        assert received.options["collections"] == ["a", "b", "c"]


async def test_conversation_collections_and_language_reach_the_line(tmp_path: Path) -> None:
    async with open_door(tmp_path) as opened:
        async with opened.client.post(
            "/ask",
            json={"question": "Où ?", "conversation": "garden", "collections": ["house"]},
            headers={"Accept-Language": "fr-CA,fr;q=0.9"},
        ) as response:
            assert (await response.json())["conversation"] == "garden"
        received = await opened.pupil.arrived.get()
        assert received.space == "private:garden"
        assert received.message.options["collections"] == ["house"]
        assert (received.message.locale or "").startswith("fr")


async def test_nothing_found_and_a_cut_answer_are_said(tmp_path: Path) -> None:
    async with open_door(tmp_path) as opened:
        opened.pupil.reply = Reply("Nothing.", nearest=(SOURCE,), refused=True)
        _, refused = await opened.ask()
        assert (refused["refused"], refused["nearest"][0]["n"], "cut" in refused) == (True, 1, False)
        opened.pupil.reply = replace(ANSWER, cut=True)
        _, cut = await opened.ask()
        assert cut["cut"] is True


@pytest.mark.parametrize(
    ("code", "status", "later"),
    [
        ("model_unreachable", 503, "30"),
        ("model_slow", 504, None),
        ("unknown_collection", 404, None),
        ("unheard_of", 500, None),
    ],
)
async def test_an_error_of_the_line_has_its_status(tmp_path: Path, code: str, status: int, later: str | None) -> None:
    async with open_door(tmp_path, Pupil(Reply("A sentence.", error=code))) as opened:
        async with opened.client.post("/ask", json={"question": "How?"}) as response:
            body = await response.json()
            assert (response.status, response.headers.get("Retry-After")) == (status, later)
        assert body["error"] == {"code": code, "message": "A sentence."}
        assert body["answer"] == "A sentence."


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (b"", 400, "not JSON"),
        (b"{", 400, "not JSON"),
        (b'{"question": "\xff"}', 400, "UTF-8"),
        (b'{"question": "\\ud800"}', 400, "not JSON"),
        (b"[" * 50_000, 400, "not JSON"),
        (b"[]", 400, "must be an object"),
        (b"{}", 400, "question is missing"),
        (b'{"question": 1}', 400, "question must be a string"),
        (b'{"question": "x", "strem": true, "k": 1}', 400, "strem is not known here; k is not known here"),
        (b'{"question": "x", "stream": "yes"}', 400, "stream must be true or false"),
        (b'{"question": "x", "collections": "a"}', 400, "collections must be a list"),
        (b'{"question": "x", "collections": []}', 400, "collections must not be empty"),
        (b'{"question": "x", "collections": ["a", 1]}', 400, "collections.1 must be a string"),
        (b'{"question": "x", "conversation": ""}', 400, "conversation is too short"),
        (b'{"question": "x", "conversation": "a\\u0000"}', 400, "conversation holds characters"),
        (b'{"question": " \\n"}', 400, "empty"),
        (b'{"question": "a\\u0000b"}', 400, "control characters"),
        (b'{"question": "' + b"x" * 2000 + b'"}', 400, "at most 1000"),
        (b'{"question": "' + b"x" * 2**20 + b'"}', 413, "256 KiB at most"),
    ],
    ids=lambda value: repr(value)[:40],
)
async def test_a_wrong_body_is_named(tmp_path: Path, body: bytes, status: int, says: str) -> None:
    async with open_door(tmp_path) as opened:
        found, answer = await opened.post(body)
        assert found == status
        assert says in answer["error"]["message"]
        assert opened.pupil.arrived.empty()


async def test_a_body_without_a_length_is_limited_too(tmp_path: Path) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"x" * 10_000

    async with open_door(tmp_path, body_kb=64) as opened, opened.client.post("/ask", data=endless()) as response:
        assert response.status == 413
        assert (await response.json())["error"]["code"] == "too_long"


async def test_an_encoded_body_is_refused(tmp_path: Path) -> None:
    async with open_door(tmp_path) as opened:
        status, body = await opened.post(b"\x1f\x8b", **{"Content-Encoding": "gzip"})
        assert (status, body["error"]["code"]) == (415, "encoded")


@pytest.mark.parametrize(
    ("accept", "streams"),
    [
        ("text/event-stream", True),
        ("application/json, Text/Event-Stream; q=0.5", True),
        ("text/event-stream;q=0, application/json", False),
        ("text/event-stream; q=0.000", False),
        ("text/event-streams", False),
        ("*/*", False),
    ],
)
async def test_who_accepts_events(tmp_path: Path, accept: str, streams: bool) -> None:
    async with (
        open_door(tmp_path) as opened,
        opened.client.post("/ask", json={"question": "How?"}, headers={"Accept": accept}) as response,
    ):
        assert (response.content_type == "text/event-stream") == streams
        await response.read()


async def test_an_old_client_is_not_asked_for_its_body(tmp_path: Path) -> None:
    """HTTP/1.0 knows no interim answer: it would be taken for the answer."""
    body = b'{"question": "How?"}'
    async with open_door(tmp_path) as opened:
        head = f"POST /ask HTTP/1.0\r\nAuthorization: Bearer {opened.secrets['anna']}\r\nExpect: 100-continue\r\n"
        answer = await opened.raw(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        assert answer.startswith(b"HTTP/1.0 200")


async def test_a_client_that_waits_to_be_asked_for_its_body(tmp_path: Path) -> None:
    async with open_door(tmp_path) as opened:
        async with opened.client.post("/ask", json={"question": "How?"}, expect100=True) as response:
            assert response.status == 200
        async with opened.client.post("/ask", data=b"{", expect100=True) as response:
            assert response.status == 400


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("", "is the field q"),
        ("q=%ff", "not UTF-8"),
        ("q=a&q=b", "q comes twice"),
        ("q=a&question=b", "is the field q"),
        ("q=a&x=1", "x is not known"),
        ("q=a&stream=maybe", "stream must be true or false"),
        ("q=a&" + "&".join(f"x{n}=1" for n in range(60)), "more than 50 fields"),
        ("q=", "empty"),
        ("q=a&collections=", "collections.0 is too short"),
    ],
)
async def test_a_wrong_address_is_named(tmp_path: Path, query: str, says: str) -> None:
    async with open_door(tmp_path) as opened:
        answer = await opened.raw(
            b"GET /ask?%b HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer %b\r\n\r\n"
            % (query.encode(), opened.secrets["anna"].encode())
        )
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert says in answer.decode()


@pytest.mark.parametrize("query", [b"\xff\xfe", "clé".encode()])
async def test_an_address_is_ascii(tmp_path: Path, query: bytes) -> None:
    async with open_door(tmp_path) as opened:
        head = b"Host: x\r\nConnection: close\r\nAuthorization: Bearer %b\r\n\r\n" % opened.secrets["anna"].encode()
        answer = await opened.raw(b"GET /ask?q=%b HTTP/1.1\r\n%b" % (query, head))
        assert b" 400 " in answer[:13]
        assert answer.endswith(b'too long."}}')


async def test_a_key_joins_what_runs_and_returns_what_is_done(tmp_path: Path) -> None:
    async with open_door(tmp_path) as opened:
        both = [asyncio.create_task(opened.ask("wait", key="k1")) for _ in range(2)]
        await opened.pupil.arrived.get()
        opened.pupil.gate.set()
        assert [status for status, _ in await asyncio.gather(*both)] == [200, 200]
        assert (await opened.ask("wait", key="k1"))[1]["answer"] == BODY["answer"]
        async with opened.client.get("/ask?q=wait", headers={"Idempotency-Key": "k1"}) as response:
            assert response.status == 200
        assert opened.pupil.arrived.empty()


async def test_another_body_under_a_key_is_a_conflict(tmp_path: Path) -> None:
    async with open_door(tmp_path) as opened:
        await opened.ask("How?", key="k")
        for fields in ({"question": "Why?"}, {"conversation": "x"}, {"collections": ["house"]}):
            status, body = await opened.ask(**{"question": "How?", "key": "k", **fields})  # type: ignore[arg-type]
            assert (status, body["error"]["code"]) == (422, "conflict")


async def test_a_key_is_its_persons_own(tmp_path: Path) -> None:
    async with open_door(tmp_path) as opened:
        await opened.ask("How?", key="k")
        headers = {**opened.bearer("ben"), "Idempotency-Key": "k"}
        async with opened.client.post("/ask", json={"question": "Other?"}, headers=headers) as response:
            assert response.status == 200
        people = [(await opened.pupil.arrived.get()).person.name for _ in range(2)]
        assert people == ["anna", "ben"]


@pytest.mark.parametrize("key", ["", "x" * 256, "é"])
async def test_a_key_that_is_none(tmp_path: Path, key: str) -> None:
    async with open_door(tmp_path) as opened:
        status, body = await opened.ask("How?", key=key)
        assert status == 400
        assert "Idempotency-Key" in body["error"]["message"]


async def left(opened: Open, key: str | None, question: str = "wait") -> None:
    """Ask, and leave once it is being answered."""
    task = asyncio.create_task(opened.ask(question, key=key))
    await opened.pupil.arrived.get()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_leaving_ends_a_question_without_a_key(tmp_path: Path) -> None:
    async with open_door(tmp_path) as opened:
        await left(opened, None)
        assert await asyncio.wait_for(opened.pupil.broken.get(), 5) == "wait"
        assert (await opened.ask("next"))[0] == 200  # its slot is free


async def test_leaving_the_line_ends_a_question_without_a_key(tmp_path: Path) -> None:
    async with open_door(tmp_path) as opened:
        first = asyncio.create_task(opened.ask("wait", key="first"))
        await opened.pupil.arrived.get()
        second = asyncio.create_task(opened.ask("second", conversation="other"))
        await _until(lambda: opened.house.dispatcher.waiting() == 1)
        second.cancel()
        await _until(lambda: opened.house.dispatcher.waiting() == 0)
        opened.pupil.gate.set()
        await first
        assert opened.pupil.arrived.empty()


async def test_leaving_does_not_end_a_question_with_a_key(tmp_path: Path) -> None:
    async with open_door(tmp_path) as opened:
        await left(opened, "k")
        opened.pupil.gate.set()
        status, body = await opened.ask("wait", key="k")
        assert (status, body["answer"]) == (200, BODY["answer"])
        assert opened.pupil.broken.empty()
        assert opened.pupil.arrived.empty()


async def test_leaving_during_the_commit_leaves_nothing_behind(tmp_path: Path) -> None:
    async with open_door(tmp_path) as opened:
        for _ in range(20):
            task = asyncio.create_task(opened.ask("wait"))
            await asyncio.sleep(0.002)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        opened.pupil.arrived = asyncio.Queue()
        assert (await asyncio.wait_for(opened.ask("How?"), 5))[0] == 200  # every slot is free again


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)
