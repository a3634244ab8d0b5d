"""The local socket: requests and replies, who may do what, and what becomes of questions when one side leaves."""

from __future__ import annotations

import asyncio
import grp
import json
import os
import pwd
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.types import Reply, Source
from bot.database.backup import verify
from bot.doors import PullDoor
from bot.errors import RejectedError, SettingsError, StateInUseError
from bot.live import Event, Finished, NewTurn, Outcome, Received, Restarted, Step, Waiting, Words
from bot.local import server
from bot.local.access import Peer, present
from bot.local.client import DaemonLostError, LocalClient
from bot.local.server import LocalSocket
from bot.local.wire import LINE_BYTES, RemoteError, line
from bot.people.codes import Codes
from bot.people.people import Person
from bot.state import State
from bot.tokens import Tokens
from tests.bot.house import Gated, Told, open_house
from tests.bot.socket_house import SocketHouse, served, settings

SOURCE = Source(1, "a", "a.md", "Title", "Heading", None, 0.9, "excerpt")
ROOT = os.geteuid() == 0


async def asked(path: Path, question: str, **params: Any) -> list[Event]:
    def ask() -> list[Event]:
        with LocalClient(path) as client:
            return list(client.ask(question, **params))

    return await asyncio.to_thread(ask)


async def called(path: Path, verb: str, **params: Any) -> Any:
    def call() -> Any:
        with LocalClient(path) as client:
            return client.call(verb, **params)

    return await asyncio.to_thread(call)


async def talk(path: Path, *lines: bytes) -> list[dict[str, Any]]:
    """Send raw lines, return what comes back until the daemon closes or says no more for the last of them."""
    reader, writer = await asyncio.open_unix_connection(str(path), limit=LINE_BYTES)
    try:
        writer.write(b"".join(lines))
        writer.write_eof()
        async with asyncio.timeout(10):
            text = await reader.read()
    except ConnectionError:
        return []
    finally:
        writer.close()
    return [json.loads(values) for values in text.splitlines()]


async def test_a_question_is_answered_word_by_word(tmp_path: Path) -> None:
    async def answer(_: Received) -> AsyncGenerator[Step | Words | Restarted | Outcome]:
        yield Step("generate")
        yield Words("Hé")
        yield Restarted()
        yield Words("Hello")
        yield Outcome(Reply("Hello", citations=(SOURCE,), timings={"total": 1.0}), None)

    async with served(tmp_path, Told(answer)) as (_, path):  # type: ignore[arg-type]
        events = await asked(path, "Bonjour ?")
        said = [event for event in events if not isinstance(event, Waiting)]
        assert said[-1] == Finished(Reply("Hello", citations=(SOURCE,), timings={"total": 1.0}))
        assert "".join(event.text for event in said if isinstance(event, Words)).endswith("Hello")


async def test_a_question_is_a_private_message_of_its_account(tmp_path: Path) -> None:
    received: list[Received] = []

    async def answer(this: Received) -> AsyncGenerator[Step | Words | Outcome]:
        received.append(this)
        yield Outcome(Reply("ok"), None)

    async with served(tmp_path, Told(answer)) as (_, path):
        await asked(path, "one", conversation="tax", collections=["a"], locale="fr-FR")
        await asked(path, "two")
    first, second = received
    message, uid = first.message, str(os.geteuid())
    assert (message.platform, message.chat, message.sender, message.private) == ("terminal", uid, uid, True)
    assert (first.space, second.space) == ("private:tax", "private")
    assert (message.options, message.locale) == ({"collections": ["a"]}, "fr-FR")
    assert first.person.name == "anna"
    assert first.message.id != second.message.id


async def test_what_a_person_chooses_counts_from_the_next_line_of_a_chat_on(tmp_path: Path) -> None:
    seen: list[Person] = []

    async def answer(received: Received) -> AsyncGenerator[Step | Words | Outcome]:
        seen.append(received.person)
        if received.message.text == "choose":
            await house.people.set_private(received.person, private=True)
            await house.people.set_language(received.person, "fr")
        yield Outcome(Reply("ok"), NewTurn(received.message.text, "ok"))

    async with served(tmp_path, Told(answer)) as (house, path):

        def chat() -> list[Event]:
            with LocalClient(path) as client:
                return [event for text in ("before", "choose", "after") for event in client.ask(text)]

        await asyncio.to_thread(chat)
        assert [(person.private, person.language) for person in seen] == [(False, None), (False, None), (True, "fr")]
        kept = "SELECT json_extract(message, '$.text') FROM inbox UNION SELECT question FROM turns"
        rows = await house.database.read(lambda connection: connection.exec_driver_sql(kept).scalars().all())
        assert "before" in rows
        assert "after" not in rows


async def test_who_is_blocked_while_connected_is_turned_away(tmp_path: Path) -> None:
    people = [{"name": "anna", "owner": True}, {"name": "ben", "unix_user": "daemon"}]
    async with served(tmp_path, people=people) as (house, _):
        ben = house.people.named("ben")
        assert ben is not None
        connected = Peer(pwd.getpwnam("daemon").pw_uid, ben, trusted=False)
        assert await present(connected, house.people) == connected
        await house.people.block("ben")
        assert await present(connected, house.people) is None


async def test_the_same_key_joins_the_same_question(tmp_path: Path) -> None:
    gated = Gated()
    async with served(tmp_path, gated) as (_, path):
        both = [asyncio.create_task(called(path, "ask", question="one", key="k")) for _ in range(2)]
        id_ = await gated.arrivals.get()
        gated.let(id_)
        first, second = await asyncio.gather(*both)
        assert first == second
        assert gated.started == [f"{os.geteuid()}:k"]


async def test_cancel_ends_the_question_alone(tmp_path: Path) -> None:
    gated = Gated()
    async with served(tmp_path, gated) as (house, path):
        client = await asyncio.to_thread(LocalClient, path)
        with client:
            following = asyncio.create_task(asyncio.to_thread(lambda: list(client.ask("one"))))
            await gated.arrivals.get()
            client.cancel()
            with pytest.raises(RemoteError) as caught:
                await following
            assert caught.value.code == "cancelled"
            assert len(gated.broken) == 1
            assert (await asyncio.to_thread(client.call, "status"))["waiting"] == 0
        assert house.dispatcher.waiting() == 0


async def test_who_leaves_cancels(tmp_path: Path) -> None:
    gated = Gated()
    async with served(tmp_path, gated) as (_, path):
        with await asyncio.to_thread(LocalClient, path) as client:
            following = threading.Thread(target=_swallow, args=(client,))
            following.start()
            id_ = await gated.arrivals.get()
            client._socket.shutdown(socket.SHUT_RDWR)
        async with asyncio.timeout(10):
            while gated.broken != [id_]:
                await asyncio.sleep(0.01)
        await asyncio.to_thread(following.join)


def _swallow(client: LocalClient) -> None:
    with pytest.raises(DaemonLostError):
        list(client.stream("ask", question="one"))


async def test_a_daemon_that_leaves_keeps_the_question(tmp_path: Path) -> None:
    """The client joins the same question at the next daemon."""
    first, second = Gated(), Gated()
    (tmp_path / "state").mkdir()
    async with served(tmp_path / "state", first) as (_, path):
        following = asyncio.create_task(asked(path, "one"))
        id_ = await first.arrivals.get()
    async with served(tmp_path / "state", second):
        assert await second.arrivals.get() == id_
        second.let(id_)
        events = await following
    assert Restarted() in events
    assert events[-1] == Finished(Reply(f"answer {id_}"))


async def test_a_daemon_that_drains_keeps_the_questions(tmp_path: Path) -> None:
    """What runs and what waits is given back, not cancelled, before the socket closes."""
    gated = Gated()
    async with served(tmp_path, gated) as (house, path):
        with await asyncio.to_thread(LocalClient, path) as one, await asyncio.to_thread(LocalClient, path) as two:
            both = [threading.Thread(target=_swallow, args=(client,)) for client in (one, two)]
            for thread in both:
                thread.start()
            await gated.arrivals.get()
            async with asyncio.timeout(10):
                while house.dispatcher.waiting() != 1:
                    await asyncio.sleep(0.01)
            await house.dispatcher.drain(0)
            rows = await house.database.read(
                lambda connection: connection.exec_driver_sql("SELECT state, outcome FROM inbox").all()
            )
            assert [tuple(row) for row in rows] == [("received", None)] * 2
            for client in (one, two):
                client._socket.shutdown(socket.SHUT_RDWR)
            for thread in both:
                await asyncio.to_thread(thread.join)


async def test_tokens_people_and_backup(tmp_path: Path) -> None:
    async with served(tmp_path) as (house, path):
        made = await called(path, "create_token", name="phone", person="ben")
        assert (await house.tokens.person(made["secret"])) == house.people.named("ben")
        (row,) = await called(path, "list_tokens")
        assert (row["name"], row["person"], row["in_force"]) == ("phone", "ben", True)
        assert await called(path, "revoke_token", name="phone") == {}
        with pytest.raises(RemoteError, match="no token called phone"):
            await called(path, "revoke_token", name="phone")
        with pytest.raises(RemoteError, match=r"no person called 'zoe'.*anna, ben"):
            await called(path, "create_token", name="x", person="zoe")
        people = await called(path, "list_people")
        assert {person["name"]: person["reads"] for person in people} == {"anna": ["a", "b"], "ben": ["a"]}
        verify(Path((await called(path, "backup"))["path"]))


async def test_what_is_no_text_is_marked(tmp_path: Path) -> None:
    async with served(tmp_path) as (_, path):
        with pytest.raises(RemoteError, match="no token called a\N{REPLACEMENT CHARACTER}"):
            await called(path, "revoke_token", name="a\udcff")


async def test_index_shows_its_progress(tmp_path: Path) -> None:
    async with served(tmp_path) as (_, path):
        with await asyncio.to_thread(LocalClient, path) as client:
            *progress, result = await asyncio.to_thread(lambda: list(client.stream("index")))
        assert [(values["collection"], values["done"]) for values in progress if values["done"] == values["total"]] == [
            ("a", 2),
            ("b", 2),
        ]
        assert [report["collection"] for report in result["result"]] == ["a", "b"]
        assert result["result"][0]["skipped"] == [["bad.pdf", "encrypted"]]
        (pruned,) = await called(path, "index", collection="b", prune=True)
        assert pruned["missing_folder"]
        with pytest.raises(RemoteError, match=r"no collection 'zz'.*known are a, b"):
            await called(path, "index", collection="zz")


async def test_who_leaves_stops_the_index(tmp_path: Path) -> None:
    async with served(tmp_path) as (house, path):
        house.gate = asyncio.Event()
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(line({"id": 1, "verb": "index"}))
        await reader.readline()
        writer.close()
        async with asyncio.timeout(10):
            while house.stopped != ["a"]:
                await asyncio.sleep(0.01)


async def test_check_says_what_is_wrong(tmp_path: Path) -> None:
    async with served(tmp_path) as (house, path):
        assert await called(path, "check") == []
        house.wrong.append("two vectors are missing")
        assert await called(path, "check") == ["two vectors are missing"]


async def test_several_requests_at_once(tmp_path: Path) -> None:
    gated = Gated()
    async with served(tmp_path, gated) as (_, path):
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(line({"id": 1, "verb": "ask", "params": {"question": "x"}}))
        id_ = await gated.arrivals.get()
        writer.write(line({"id": 2, "verb": "status"}) + line({"id": 1, "verb": "status"}))
        gated_lines = [json.loads(await reader.readline()) for _ in range(3)]
        assert {values["id"] for values in gated_lines} == {1, 2}
        assert any("its own number" in values.get("error", "") for values in gated_lines)
        gated.let(id_)
        async with asyncio.timeout(10):
            while "result" not in (values := json.loads(await reader.readline())):
                pass
        assert values["id"] == 1
        writer.close()


@pytest.mark.parametrize(
    "text",
    [
        b"\n",
        b"hello\n",
        b"[1]\n",
        b'"x"\n',
        b'{"id": "1", "verb": "status"}\n',
        b'{"id": 1}\n',
        b'{"id":1,"verb":"ask","params":[]}\n',
    ],
)
async def test_garbage_gets_a_sentence_and_the_door(tmp_path: Path, text: bytes) -> None:
    async with served(tmp_path) as (_, path):
        (answer,) = await talk(path, text, line({"id": 1, "verb": "status"}))
        assert answer["code"] == "binary"
        assert (await called(path, "status"))["person"] == "anna"


async def test_a_line_beyond_the_limit(tmp_path: Path) -> None:
    async with served(tmp_path) as (_, path):
        with LocalClient(path) as client, pytest.raises(RejectedError, match=str(LINE_BYTES)):
            client.call("ask", question="x" * LINE_BYTES)
        answers = await talk(path, b"x" * (LINE_BYTES + 100_000))
        assert [answer["code"] for answer in answers] in ([], ["binary"])  # the kernel may drop what we say to who still writes
        assert (await called(path, "status"))["person"] == "anna"


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({}, "invalid"),
        ({"question": 5}, "invalid"),
        ({"question": "x", "collections": "a"}, "invalid"),
        ({"question": "x", "collections": [1]}, "invalid"),
        ({"question": "x", "conversation": "y" * 201}, "invalid"),
        ({"question": " "}, "empty"),
        ({"question": "a\0b"}, "binary"),
        ({"question": "x" * 2**20}, "too_long"),
    ],
)
async def test_bad_questions_have_their_sentence(tmp_path: Path, params: dict[str, Any], code: str) -> None:
    async with served(tmp_path) as (_, path):
        with pytest.raises(RemoteError) as caught:
            await called(path, "ask", **params)
        assert caught.value.code == code


async def test_what_nobody_foresaw_is_a_sentence_and_no_word_of_it_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The database refuses the question: its error, which would quote it, comes through the line, the socket and both logs."""
    refusing = "CREATE TRIGGER refuses BEFORE INSERT ON inbox BEGIN SELECT RAISE(ABORT, 'unforeseen'); END"
    async with served(tmp_path) as (house, path):
        await house.database.write(lambda connection: connection.exec_driver_sql(refusing))
        with pytest.raises(RemoteError, match="log says where") as caught:
            await called(path, "ask", question="the pomegranate of Ada")
        assert caught.value.code == "internal"
        assert (await called(path, "status"))["person"] == "anna"
    said = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert [text.split(" at ")[0] for text in said] == [
        "task failed name=receive error=IntegrityError",
        "local request failed verb=ask error=IntegrityError",
    ]
    assert "pomegranate" not in caplog.text
    assert not any(record.exc_info for record in caplog.records)


async def test_an_unknown_verb(tmp_path: Path) -> None:
    async with served(tmp_path) as (_, path):
        with pytest.raises(RemoteError, match="older"):
            await called(path, "dance")


async def test_stopping_refuses_new_questions(tmp_path: Path) -> None:
    async with open_house(tmp_path, doors={"terminal": PullDoor()}) as house:
        await house.people.declare(settings(tmp_path).people)
        with State.claim(tmp_path) as state:
            codes, tokens = Codes(house.database, house.people), Tokens(house.database)
            fixture = SocketHouse(settings(tmp_path), state, house.database, house.people, codes, tokens, house.dispatcher)
            async with LocalSocket(fixture, tmp_path / "s") as door:
                with await asyncio.to_thread(LocalClient, tmp_path / "s") as client:
                    await asyncio.to_thread(client.call, "status")
                    door.stop_receiving()
                    assert not (tmp_path / "s").exists()
                    with pytest.raises(RemoteError, match="stopping"):
                        await asyncio.to_thread(client.call, "status")


async def test_the_socket_of_a_dead_daemon_is_replaced(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "grillon.sock"))
    async with served(tmp_path) as (_, path):
        assert (await called(path, "status"))["person"] == "anna"
    assert not path.exists()


async def test_the_socket_of_a_living_daemon_is_not(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as living:
        living.bind(str(tmp_path / "grillon.sock"))
        living.listen()
        with pytest.raises(StateInUseError, match="another daemon"):
            async with served(tmp_path):
                pass


async def test_a_file_in_the_way_stays(tmp_path: Path) -> None:
    (tmp_path / "grillon.sock").write_text("mine")
    with pytest.raises(SettingsError, match="already a file"):
        async with served(tmp_path):
            pass
    assert (tmp_path / "grillon.sock").read_text() == "mine"


@pytest.mark.parametrize(
    ("more", "mode"),
    [
        ({}, 0o600),
        ({"socket": {"group": grp.getgrgid(os.getegid()).gr_name}}, 0o660),
        ({"people": [{"name": "anna", "owner": True, "unix_user": "anna"}]}, 0o666),
    ],
)
async def test_the_rights_on_the_file(tmp_path: Path, more: dict[str, Any], mode: int) -> None:
    async with served(tmp_path, **more) as (_, path):
        assert stat.S_IMODE(path.stat().st_mode) == mode


async def test_a_group_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no group grillon-nowhere"):
        async with served(tmp_path, socket={"group": "grillon-nowhere"}):
            pass


def test_no_daemon_is_none(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "dead.sock"))
    assert LocalClient.find([tmp_path / "none.sock", tmp_path / "dead.sock"]) is None


def test_a_daemon_that_goes_away_is_said(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as daemon:
        daemon.bind(str(tmp_path / "s"))
        daemon.listen()
        with LocalClient(tmp_path / "s") as client:
            daemon.accept()[0].close()
            with pytest.raises(DaemonLostError, match="went away"):
                client.call("status")


def played(monkeypatch: pytest.MonkeyPatch, *peers: Peer | None) -> None:
    """Let the next who connect be these, the last one from then on, as if the kernel had said so."""
    left = list(peers)

    async def peer_of(*_: object) -> Peer | None:
        return left.pop(0) if len(left) > 1 else left[0]

    monkeypatch.setattr(server, "peer_of", peer_of)


async def test_who_is_nobody_fills_no_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    played(monkeypatch, None)
    async with served(tmp_path) as (_, path):
        with socket.socket(socket.AF_UNIX) as stranger:
            stranger.connect(str(path))
            with pytest.raises(ConnectionError):
                await asyncio.to_thread(stranger.sendall, b"x" * 4 * 2**20)


async def test_of_those_who_are_turned_away_only_some_are_heard_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_PATIENCE_S", 60)
    played(monkeypatch, None)
    async with served(tmp_path) as (_, path), asyncio.timeout(10):
        held = [await asyncio.open_unix_connection(str(path)) for _ in range(server._TURNED_AWAY)]
        for reader, _ in held:
            assert "nobody here" in json.loads(await reader.readline())["error"]
        reader, writer = await asyncio.open_unix_connection(str(path))
        assert "nobody here" in json.loads(await reader.read())["error"]  # and the door is closed
        for _, one in [*held, (reader, writer)]:
            one.close()


async def test_nobody_locks_the_owner_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(tmp_path) as (house, path), asyncio.timeout(10):
        ben = house.people.named("ben")
        assert ben is not None
        many = [Peer(uid, ben, trusted=False) for uid in range(60_001, 60_009) for _ in range(8)]
        played(
            monkeypatch,
            *many[:8],
            many[0],
            *many[8:],
            Peer(60_009, ben, trusted=False),
            Peer(0, house.people.owner, trusted=True),
        )
        held, answers = [], []
        for _ in range(len(many) + 2):
            held.append(await asyncio.open_unix_connection(str(path)))
            held[-1][1].write(line({"id": 1, "verb": "status"}))
            answers.append(json.loads(await held[-1][0].readline()).get("code"))
        assert answers == ["forbidden"] * 8 + ["queue_full"] + ["forbidden"] * 56 + ["queue_full"]
        assert (await called(path, "status"))["person"] == "anna"
        for _, writer in held:
            writer.close()


# Other accounts: root alone can play them.


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that other accounts can enter."""
    folder = Path(tempfile.mkdtemp(prefix="grillon-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


PEER = """
import json, socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendall(json.dumps({"id": 1, "verb": sys.argv[2], "params": {"question": "who am I?"}}).encode() + b"\\n")
for text in s.makefile():
    values = json.loads(text)
    if "error" in values or "result" in values:
        print(text)
        break
"""


async def as_account(path: Path, verb: str, account: str, groups: list[int] | None = None) -> dict[str, Any]:
    """Send one request as another account."""
    found = pwd.getpwnam(account)
    process = await asyncio.create_subprocess_exec(
        shutil.which("python3", path="/usr/bin:/usr/local/bin") or sys.executable, "-c", PEER, str(path), verb,
        user=found.pw_uid, group=found.pw_gid, extra_groups=groups or [], cwd="/",
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    return json.loads(out) if out else {"failed": err.decode().splitlines()[-1]}


@pytest.mark.skipif(not ROOT, reason="only root can play other accounts")
async def test_a_stranger_cannot_connect(public: Path, tmp_path: Path) -> None:
    async with served(tmp_path, socket={"path": public / "s"}) as (_, path):
        assert "PermissionError" in (await as_account(path, "status", "nobody"))["failed"]


@pytest.mark.skipif(not ROOT, reason="only root can play other accounts")
async def test_a_stranger_at_an_open_socket_is_turned_away(public: Path, tmp_path: Path) -> None:
    people = [{"name": "anna", "owner": True}, {"name": "ben", "unix_user": "daemon"}]
    async with served(tmp_path, socket={"path": public / "s"}, people=people) as (_, path):
        answer = await as_account(path, "ask", "nobody")
        assert answer.get("code") == "forbidden", answer


@pytest.mark.skipif(not ROOT, reason="only root can play other accounts")
async def test_a_declared_account_is_its_person_and_not_the_owner(public: Path, tmp_path: Path) -> None:
    people = [{"name": "anna", "owner": True}, {"name": "ben", "unix_user": "daemon"}]
    async with served(tmp_path, socket={"path": public / "s"}, people=people) as (_, path):
        assert (await as_account(path, "status", "daemon"))["result"]["person"] == "ben"
        assert "result" in await as_account(path, "ask", "daemon")
        for verb in ("create_token", "list_tokens", "revoke_token", "list_people", "backup", "index", "check"):
            answer = await as_account(path, verb, "daemon")
            assert answer["code"] == "forbidden", verb
            assert "sudo" in answer["error"]


@pytest.mark.skipif(not ROOT, reason="only root can play other accounts")
async def test_a_member_of_the_group_counts_as_the_owner(public: Path, tmp_path: Path) -> None:
    async with served(tmp_path, socket={"path": public / "s", "group": "daemon"}) as (_, path):
        assert path.stat().st_gid == grp.getgrnam("daemon").gr_gid
        assert (await as_account(path, "list_people", "daemon"))["result"][0]["name"] == "anna"
        assert (await as_account(path, "status", "daemon"))["result"]["person"] == "anna"
        assert "PermissionError" in (await as_account(path, "status", "nobody"))["failed"]


@pytest.mark.skipif(not ROOT, reason="only root can play other accounts")
def test_a_daemon_that_does_not_let_us_in_is_said(public: Path) -> None:
    # Everything is imported as root: the program's own folder may be closed to other accounts here.
    script = (
        "import os, sys, pathlib\n"
        "from bot.local.client import LocalClient\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "LocalClient.find([pathlib.Path(sys.argv[1])])\n"
    )
    with socket.socket(socket.AF_UNIX) as daemon:
        daemon.bind(str(public / "s"))
        (public / "s").chmod(0o600)
        daemon.listen()
        done = subprocess.run([sys.executable, "-c", script, str(public / "s")], capture_output=True, text=True, check=False)
    assert "GrillonError: your account may not connect" in done.stderr
