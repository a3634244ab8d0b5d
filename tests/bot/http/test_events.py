"""Answers as server-sent events: what comes when, signs of life, and clients that are slow or gone."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import orjson
import pytest

from adapters.types import Reply
from bot.http import events
from bot.live import Restarted, Words
from tests.bot.http.door import ANSWER, Open, Pupil, events_of, open_door

STREAM = {"Accept": "text/event-stream"}


async def test_words_come_first_and_the_whole_answer_last(tmp_path: Path) -> None:
    async with open_door(tmp_path) as opened, opened.client.post("/ask", json={"question": "How?", "stream": True}) as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == "text/event-stream"
        assert response.headers["X-Accel-Buffering"] == "no"
        assert "no-cache" in response.headers["Cache-Control"]
        found = [event async for event in events_of(response)]
    names = [name for name, _ in found]
    assert names[-1] == "answer"
    assert set(names) <= {"position", "step", "words", "answer"}
    assert "".join(data["text"] for name, data in found if name == "words").split() == ANSWER.text.split()
    assert found[-1][1]["citations"][0]["title"] == "The boiler"


async def test_accept_asks_for_a_stream_too(tmp_path: Path) -> None:
    async with open_door(tmp_path) as opened, opened.client.get("/ask?q=How?", headers=STREAM) as response:
        assert [name async for name, _ in events_of(response)][-1] == "answer"


async def test_the_place_in_the_line_is_told(tmp_path: Path) -> None:
    async with open_door(tmp_path) as opened:
        first = asyncio.create_task(opened.ask("wait", conversation="a"))
        await opened.pupil.arrived.get()
        async with opened.client.post("/ask", json={"question": "How?", "conversation": "b"}, headers=STREAM) as response:
            found = events_of(response)
            assert await anext(found) == ("position", {"position": 1, "reason": "queue"})
            opened.pupil.gate.set()
            assert [name async for name, _ in found][-1] == "answer"
        await first


async def test_words_that_became_void(tmp_path: Path) -> None:
    pupil = Pupil(script=[Words("wrong"), Restarted(), Words("right")])
    async with open_door(tmp_path, pupil) as opened, opened.client.get("/ask?q=How?", headers=STREAM) as response:
        found = [(name, data) async for name, data in events_of(response) if name in {"words", "restarted"}]
    assert found in (
        [("words", {"text": "wrong"}), ("restarted", {}), ("words", {"text": "right"})],
        [("words", {"text": "right"})],
    )


async def test_an_error_is_the_last_event(tmp_path: Path) -> None:
    pupil = Pupil(Reply("The model is away.", error="model_unreachable"))
    async with open_door(tmp_path, pupil) as opened, opened.client.get("/ask?q=How?", headers=STREAM) as response:
        assert response.status == 200
        name, data = [event async for event in events_of(response)][-1]
        assert (name, data["error"]["code"]) == ("error", "model_unreachable")


async def test_what_is_refused_at_once_has_its_status(tmp_path: Path) -> None:
    async with open_door(tmp_path) as opened, opened.client.get("/ask?q=%00", headers=STREAM) as response:
        assert response.status == 400
        assert (await response.json())["error"]["code"] == "binary"


async def test_signs_of_life(tmp_path: Path) -> None:
    async with open_door(tmp_path, events_s=0.02) as opened, opened.client.get("/ask?q=wait", headers=STREAM) as response:
        found = events_of(response)
        beats = 0
        while beats < 3:
            beats += (await anext(found))[0] == "alive"
        opened.pupil.gate.set()
        assert [name async for name, _ in found][-1] == "answer"


async def test_leaving_in_mid_stream_ends_the_question(tmp_path: Path) -> None:
    async with open_door(tmp_path) as opened:
        async with opened.client.get("/ask?q=wait", headers=STREAM) as response:
            async for name, _ in events_of(response):
                if name == "words":
                    break
            response.close()
        assert await asyncio.wait_for(opened.pupil.broken.get(), 5) == "wait"


async def test_joining_late_shows_the_words_so_far(tmp_path: Path) -> None:
    headers = {**STREAM, "Idempotency-Key": "k"}
    async with open_door(tmp_path) as opened:
        async with opened.client.get("/ask?q=wait", headers=headers) as first:
            said = ""
            async for name, data in events_of(first):
                said += data["text"] if name == "words" else ""
                if said.split() == ANSWER.text.split():
                    break
            first.close()  # with a key, nothing ends
        async with opened.client.get("/ask?q=wait", headers=headers) as second:
            found = events_of(second)
            assert await anext(found) == ("step", {"step": "generate"})
            assert await anext(found) == ("words", {"text": said})
            opened.pupil.gate.set()
            assert [name async for name, _ in found] == ["answer"]
        assert opened.pupil.broken.empty()


async def test_two_clients_on_one_key_see_the_same(tmp_path: Path) -> None:
    headers = {**STREAM, "Idempotency-Key": "k"}

    async def heard(opened: Open) -> tuple[str, object]:
        async with opened.client.get("/ask?q=wait", headers=headers) as response:
            found = [event async for event in events_of(response)]
        return "".join(data["text"] for name, data in found if name == "words"), found[-1]

    async with open_door(tmp_path) as opened:
        both = [asyncio.create_task(heard(opened)) for _ in range(2)]
        await opened.pupil.arrived.get()
        opened.pupil.gate.set()
        one, other = await asyncio.gather(*both)
        assert one == other
        assert opened.pupil.arrived.empty()


async def unread(opened: Open, question: str) -> socket.socket:
    """Ask for a stream on a connection that takes next to nothing, and read nothing."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(client, ("127.0.0.1", opened.port))
    body = orjson.dumps({"question": question, "stream": True})
    head = (
        f"POST /ask HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {opened.secrets['anna']}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    await loop.sock_sendall(client, head.encode() + body)
    await opened.pupil.arrived.get()
    return client


LONG = [Words("long " * 20_000) for _ in range(100)]


async def test_a_slow_client_gets_it_all_and_holds_up_nobody(tmp_path: Path) -> None:
    async with open_door(tmp_path, Pupil(script=[*LONG])) as opened:
        client = await unread(opened, "slow")
        opened.pupil.script = None
        assert (await opened.ask("next"))[0] == 200
        reader, writer = await asyncio.open_connection(sock=client, limit=2**25)
        received = await reader.readuntil(b"event: answer\n")
        assert received.count(b"long ") == 100 * 20_000
        assert received.count(b"event: words\n") < 100  # what waited for the client came in fewer, larger events
        writer.close()


async def test_a_client_that_never_reads_is_hung_up_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_STALLED_S", 0.2)
    async with open_door(tmp_path, Pupil(script=[*LONG])) as opened:
        client = await unread(opened, "wait for ever")
        assert await asyncio.wait_for(opened.pupil.broken.get(), 5) == "wait for ever"
        opened.pupil.script = None
        assert (await opened.ask("next"))[0] == 200
        client.close()


async def test_stopping_is_said_to_those_who_wait(tmp_path: Path) -> None:
    async with open_door(tmp_path, slots=2) as opened:
        whole = asyncio.create_task(opened.ask("wait", conversation="a"))
        async with opened.client.get("/ask?q=wait&conversation=b", headers=STREAM) as response:
            for _ in range(2):
                await opened.pupil.arrived.get()
            stopping = asyncio.create_task(opened.door.stop())
            name, data = [event async for event in events_of(response)][-1]
            assert (name, data["error"]["code"]) == ("error", "stopping")
        status, body = await whole
        assert (status, body["error"]["code"]) == (503, "stopping")
        await asyncio.wait_for(stopping, 5)


async def test_nobody_comes_in_any_more_while_those_inside_are_answered(tmp_path: Path) -> None:
    async with open_door(tmp_path) as opened:
        asked = asyncio.create_task(opened.ask("wait"))
        await opened.pupil.arrived.get()
        opened.door.stop_receiving()
        with pytest.raises(ConnectionRefusedError):
            await opened.raw(b"")
        opened.pupil.gate.set()
        assert (await asked)[0] == 200


async def test_stopping_gives_time_to_finish(tmp_path: Path) -> None:
    async with open_door(tmp_path) as opened:
        asked = asyncio.create_task(opened.ask("wait"))
        await opened.pupil.arrived.get()
        stopping = asyncio.create_task(opened.door.stop(grace_s=10))
        await asyncio.sleep(0.05)
        opened.pupil.gate.set()
        assert (await asked)[0] == 200
        await asyncio.wait_for(stopping, 5)
