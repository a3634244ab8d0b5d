"""The door itself: who comes in, what is no HTTP, what is said and what is not, start and end."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest
from aiohttp import web
from openapi_spec_validator import validate

from bot.errors import GrillonError
from bot.http import body, connection
from bot.http.body import json_response
from bot.http.errors import STATUS
from bot.http.openapi import openapi
from bot.http.server import HttpDoor
from bot.http.webhook import Webhook
from bot.people.people import Person
from bot.replies import _MODEL_ERRORS
from bot.settings.fields import HttpConfig
from tests.bot.http.door import Open, open_door

HEAD = b"Host: x\r\nConnection: close\r\n"


@pytest.mark.parametrize("path", ["/ask?q=x", "/status", "/metrics", "/openapi.json", "/v1/models", "/nowhere"])
async def test_without_a_good_token_everything_is_the_same(tmp_path: Path, path: str) -> None:
    async with open_door(tmp_path) as opened:
        await opened.house.tokens.revoke("ben")
        bad = [
            "",
            "Bearer",
            "Bearer ",
            "Bearer wrong",
            opened.bearer("ben")["Authorization"],
            "Basic YTpi",
            "Bearer " + "x" * 5000,
        ]
        bad += [f"Basic {opened.secrets['anna']}", opened.secrets["anna"], "Bearer é"]
        seen = set()
        for value in bad:
            async with opened.client.get(path, headers={"Authorization": value}) as response:
                seen.add((response.status, await response.read(), response.headers["WWW-Authenticate"]))
        assert len(seen) == 1
        assert seen.pop()[0] == 401


async def test_a_token_that_was_revoked_is_out_at_once(tmp_path: Path) -> None:
    async with open_door(tmp_path) as opened:
        assert (await opened.get("/status"))[0] == 200
        await opened.house.tokens.revoke("anna")
        assert (await opened.get("/status"))[0] == 401


async def test_a_missing_token_costs_the_same_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_door(tmp_path) as opened:
        asked: list[str] = []

        async def person(secret: str) -> None:
            asked.append(secret)

        monkeypatch.setattr(opened.house.tokens, "person", person)
        for header in ("", "Basic x", "Bearer x", "Bearer"):
            await opened.client.get("/status", headers={"Authorization": header})
        assert asked == ["", "", "x", ""]


async def test_the_probes_are_open_and_name_nothing(tmp_path: Path) -> None:
    async with open_door(tmp_path) as opened:
        none = {"Authorization": ""}
        async with opened.client.get("/healthz", headers=none) as response:
            assert (response.status, await response.json()) == (200, {"status": "alive"})
        async with opened.client.get("/readyz", headers=none) as response:
            assert (response.status, await response.json()) == (200, {"ready": True, "parts": opened.house.parts})
        opened.house.parts["database"] = False
        async with opened.client.get("/readyz", headers=none) as response:
            assert (response.status, (await response.json())["ready"]) == (503, False)
        async with opened.client.head("/healthz", headers=none) as response:
            assert (response.status, await response.read()) == (200, b"")


async def test_status_is_asked_for_the_person(tmp_path: Path) -> None:
    async with open_door(tmp_path) as opened, opened.client.get("/status", headers=opened.bearer("ben")) as response:
        assert await response.json() == {"person": "ben", "waiting": 0}


async def test_metrics_are_the_owners(tmp_path: Path) -> None:
    async with open_door(tmp_path) as opened:
        await opened.get("/status")
        await opened.get("/nowhere/very-secret")
        async with opened.client.get("/metrics") as response:
            page = await response.text()
            assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        assert 'grillon_http_requests_total{route="/status",status="200"} 1.0' in page
        assert 'grillon_http_requests_total{route="other",status="404"} 1.0' in page
        assert "secret" not in page
        async with opened.client.get("/metrics", headers=opened.bearer("ben")) as response:
            assert (response.status, (await response.json())["error"]["code"]) == (403, "forbidden")


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("GET", "/nowhere", 404, None),
        ("GET", "/ask/", 404, None),
        ("PUT", "/ask", 405, "GET, POST"),
        ("DELETE", "/healthz", 405, "GET, HEAD"),
        ("OPTIONS", "/ask", 405, "GET, POST"),
        ("GET", "/v1/chat/completions", 405, "POST"),
    ],
)
async def test_other_paths_and_methods(tmp_path: Path, method: str, path: str, status: int, allow: str | None) -> None:
    async with open_door(tmp_path) as opened, opened.client.request(method, path) as response:
        assert (response.status, response.headers.get("Allow")) == (status, allow)
        assert (await response.json())["error"]["message"]
        assert not any(name.startswith("Access-Control") for name in response.headers)


async def test_head_of_a_route_that_has_none(tmp_path: Path) -> None:
    async with open_door(tmp_path) as opened, opened.client.head("/ask?q=x") as response:
        assert (response.status, await response.read()) == (405, b"")


async def test_every_response_is_guarded(tmp_path: Path) -> None:
    async with open_door(tmp_path) as opened:
        for path in ("/healthz", "/status", "/nowhere", "/ask?q=x", "/ask?q=x&stream=true", "/metrics"):
            async with opened.client.get(path) as response:
                assert response.headers["X-Content-Type-Options"] == "nosniff"
                assert "no-store" in response.headers["Cache-Control"]
                assert response.headers["Server"] == "grillon"


async def test_what_nobody_foresaw_is_a_number(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with open_door(tmp_path) as opened:
        opened.house.trouble = ZeroDivisionError("the secret word")
        status, answer = await opened.get("/status")
        assert (status, answer["error"]["code"]) == (500, "internal")
        number = answer["error"]["message"].split()[-1].rstrip(".")
        line = next(record.getMessage() for record in caplog.records if number in record.getMessage())
        assert "ZeroDivisionError" in line
        assert "door.py:" in line
        assert "secret" not in caplog.text
        assert "secret" not in str(answer)


async def test_no_question_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="aiohttp")
    caplog.set_level(logging.DEBUG, logger="bot.http")
    async with open_door(tmp_path) as opened:
        await opened.get("/ask?q=pomegranate")
        await opened.ask("pomegranate")
        await opened.get("/ask?q=pomegranate&x=1")
        await opened.raw(b"GET /ask?q=pomegranate HTTP/9.9.9\r\n\r\n")
        await opened.raw(b"pomegranate\r\n\r\n")
        await opened.raw(b"GET /ask HTTP/1.1\r\npomegranate\r\n\r\n")
        await opened.raw(b"POST /ask HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\npomegranate", close=True)
    assert "pomegranate" not in caplog.text


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\x00" * 100 + b"\r\n\r\n",
        b"HELLO\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon here\r\n\r\n",
        b"GET /ask?q=" + b"x" * 10_000 + b" HTTP/1.1\r\n" + HEAD + b"\r\n",
        b"GET / HTTP/1.1\r\n" + HEAD + b"X-Long: " + b"x" * 10_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + HEAD + b"".join(b"X-%d: 1\r\n" % n for n in range(2000)) + b"\r\n",
        b"POST /ask HTTP/1.1\r\n" + HEAD + b"Content-Length: -1\r\n\r\n",
        b"POST /ask HTTP/1.1\r\n" + HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /ask HTTP/1.1\r\n" + HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
    ],
    ids=range(10),
)
async def test_what_is_no_http(tmp_path: Path, sent: bytes) -> None:
    async with open_door(tmp_path) as opened:
        answer = await asyncio.wait_for(opened.raw(sent), 5)
        assert b" 400 " in answer[:13]
        head, _, text = answer.partition(b"\r\n\r\n")
        assert b"nosniff" in head
        assert text.startswith(b'{"error":')
        assert (await opened.get("/status"))[0] == 200


def chunked(opened: Open) -> bytes:
    bearer = opened.bearer()["Authorization"]
    return f"POST /ask HTTP/1.1\r\nHost: x\r\nAuthorization: {bearer}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()


@pytest.mark.parametrize("chunks", [b"zz\r\nhello\r\n0\r\n\r\n", b"ffffffffffffffffff\r\n", b"3\r\nhello\r\n"])
async def test_a_broken_body(tmp_path: Path, chunks: bytes) -> None:
    async with open_door(tmp_path) as opened:
        answer = await asyncio.wait_for(opened.raw(chunked(opened) + chunks), 5)
        assert b" 400 " in answer[:13]
        assert opened.pupil.arrived.empty()


async def test_half_a_body(tmp_path: Path) -> None:
    async with open_door(tmp_path) as opened:
        assert await asyncio.wait_for(opened.raw(chunked(opened) + b"5\r\nhel", close=True), 5) == b""
        assert (await opened.get("/status"))[0] == 200
        assert opened.pupil.arrived.empty()


@pytest.mark.parametrize("sent", [b"", b"GET /healthz HT", b"GET /healthz HTTP/1.1\r\nX-Slow: "])
async def test_headers_that_never_end(tmp_path: Path, sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "IDLE_S", 0.2)
    async with open_door(tmp_path) as opened:
        assert await asyncio.wait_for(opened.raw(sent), 5) == b""


async def test_a_body_that_never_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "_BODY_S", 0.1)
    monkeypatch.setattr(connection, "LINGER_S", 0.1)
    async with open_door(tmp_path) as opened:
        answer = await asyncio.wait_for(opened.raw(chunked(opened) + b"1\r\n{\r\n"), 5)
        assert answer.startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"Content-Length: 100000\r\n\r\n" + b"x" * 100_000, b"413"),
        (b"Transfer-Encoding: chunked\r\n\r\n" + b"1000\r\n" + b"x" * 0x1000 + b"\r\n", b"408"),
        (b"Content-Length: 9\r\n\r\n{", b"408"),
    ],
    ids=lambda value: repr(value)[:20],
)
async def test_what_a_platform_pushes_is_bounded_before_its_secret_is_known(
    tmp_path: Path, sent: bytes, status: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(body, "_BODY_S", 0.1)
    monkeypatch.setattr(connection, "LINGER_S", 0.1)
    taken: list[bytes] = []

    class Pushed:
        async def accept(self, _secret: str | None, body: bytes) -> int:
            taken.append(body)
            return 200

    async with open_door(tmp_path, body_kb=64) as opened:
        opened.door.open_route("POST", "/telegram", Webhook(Pushed()).take)
        async with asyncio.timeout(5):
            assert (await opened.raw(b"POST /telegram HTTP/1.1\r\n" + HEAD + sent)).split()[1] == status
        assert not taken


async def test_there_is_an_end_to_connections(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that say nothing make room, the oldest first; where each has a request in progress nobody else comes in."""
    monkeypatch.setattr(connection, "CONNECTIONS", 3)
    healthy = b"GET /healthz HTTP/1.1\r\n" + HEAD + b"\r\n"
    async with open_door(tmp_path) as opened, asyncio.timeout(10):
        server = opened.door._server
        assert server is not None
        silent = [await asyncio.open_connection("127.0.0.1", opened.port) for _ in range(3)]
        silent[1][1].write(healthy[:20])
        while len(server.connections) < 3:
            await asyncio.sleep(0.01)
        assert b" 200 " in await opened.raw(healthy)
        assert await silent[0][0].read() == b""
        line, asked = opened.house.dispatcher, []
        for n in range(1, 4):
            asked.append(asyncio.create_task(opened.ask("wait")))
            while line.waiting() + line.answering() < n:
                await asyncio.sleep(0.01)
        assert b" 503 " in await opened.raw(healthy)
        opened.pupil.gate.set()
        assert [status for status, _ in await asyncio.gather(*asked)] == [200] * 3
        for _, writer in silent:
            writer.close()


async def test_routes_can_be_added_before_the_start(tmp_path: Path) -> None:
    async def hook(request: web.BaseRequest) -> web.StreamResponse:
        return json_response({"got": len(await request.read())})

    async def mine(_request: web.BaseRequest, person: Person) -> web.StreamResponse:
        return json_response({"person": person.name})

    async with open_door(tmp_path) as opened:
        door = HttpDoor(opened.house, HttpConfig(port=0))
        door.open_route("POST", "/hook", hook)
        door.route("GET", "/mine", mine)
        address = await door.start()
        async with opened.client.post(f"{address}/hook", data=b"abc", headers={"Authorization": ""}) as response:
            assert await response.json() == {"got": 3}
        async with opened.client.get(f"{address}/mine", headers=opened.bearer()) as response:
            assert await response.json() == {"person": "anna"}
        await door.stop()
        await door.stop()  # a second time there is nothing to do


async def test_a_port_that_is_taken(tmp_path: Path) -> None:
    async with open_door(tmp_path) as opened:
        with pytest.raises(GrillonError, match=f"port {opened.port}"):
            await HttpDoor(opened.house, HttpConfig(port=opened.port)).start()


async def test_an_address_of_version_six(tmp_path: Path) -> None:
    async with open_door(tmp_path, host="::1") as opened:
        assert opened.address.startswith("http://[::1]:")
        assert (await opened.get("/healthz"))[0] == 200


async def test_the_description_is_valid_and_whole(tmp_path: Path) -> None:
    async with open_door(tmp_path) as opened:
        status, described = await opened.get("/openapi.json")
        assert (status, described) == (200, openapi())
        validate(described)
        assert {path: {method.upper() for method in item} for path, item in described["paths"].items()} == opened.door.paths


async def test_the_description_says_what_is_open(tmp_path: Path) -> None:
    async with open_door(tmp_path) as opened:
        for path, item in openapi()["paths"].items():
            for method, operation in item.items():
                async with opened.client.request(method, path, headers={"Authorization": ""}) as response:
                    assert (response.status == 401) == ("security" not in operation)


async def test_the_answer_is_as_described(tmp_path: Path) -> None:
    async with open_door(tmp_path) as opened:
        _, answer = await opened.ask()
        schemas = openapi()["components"]["schemas"]
        assert set(answer) == set(schemas["Answer"]["required"])
        assert set(answer["citations"][0]) == set(schemas["Source"]["properties"])


def test_every_code_has_a_status() -> None:
    of_replies = {*_MODEL_ERRORS.values(), "model_loading", "model_slow", "unknown_command"}
    of_the_line = {"gave_up", "expired", "cancelled", "forgotten"}
    assert of_replies | of_the_line <= set(STATUS)


async def test_an_old_client_gets_a_stream_too(tmp_path: Path) -> None:
    async with open_door(tmp_path) as opened:
        head = f"Authorization: {opened.bearer()['Authorization']}\r\n\r\n".encode()
        answer = await opened.raw(b"GET /ask?q=x&stream=true HTTP/1.0\r\n" + head)
        assert b"event: answer\n" in answer
        assert b"chunked" not in answer


async def test_ten_requests_on_one_connection(tmp_path: Path) -> None:
    async with open_door(tmp_path) as opened:
        assert await _pipelined(opened, 10) == 10


async def _pipelined(opened: Open, count: int) -> int:
    one = f"GET /status HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {opened.secrets['anna']}\r\n".encode()
    answer = await opened.raw((one + b"\r\n") * (count - 1) + one + b"Connection: close\r\n\r\n")
    return answer.count(b"HTTP/1.1 200 OK")
