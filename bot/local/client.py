"""The verbs' side of the local socket. It blocks: a verb has nothing else to do, and starts faster without an event loop."""

from __future__ import annotations

import itertools
import socket
import time
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

from bot.errors import GrillonError, RejectedError
from bot.live import Event, Finished, Restarted, Waiting
from bot.local.wire import LINE_BYTES, RemoteError, as_text, event_of, line, reply_of

_BACK_S = 30.0
"""How long a question waits for a daemon that left to be back: systemd restarts it."""
_LOOK_S = 0.2


class DaemonLostError(GrillonError):
    """The daemon went away in the middle of a request."""

    def __init__(self) -> None:
        super().__init__("the daemon went away; `grillon status` shows whether it is back")


class LocalClient:
    """A connection to the daemon. Its person is the account of this process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._numbers = itertools.count(1)
        self._current = 0
        self._open()

    @classmethod
    def find(cls, paths: Iterable[Path]) -> LocalClient | None:
        """The daemon at the first of these sockets that one listens at, None where there is none.

        Raises `GrillonError` for one that does not let us in.
        """
        closed: Path | None = None
        for path in paths:
            try:
                return cls(path)
            except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
                continue
            except PermissionError:
                closed = path  # another of them may be open to us
            except OSError as error:
                raise GrillonError(f"the daemon's socket {path} cannot be used: {error.strerror or error}") from error
        if closed is not None:
            remedy = "use sudo, or join the group that `group` in [socket] names"
            raise GrillonError(f"your account may not connect to the daemon at {closed}: {remedy}")
        return None

    def close(self) -> None:
        """Leave; what is still being answered is cancelled."""
        self._lines.close()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def call(self, verb: str, **params: Any) -> Any:  # noqa: ANN401 -- JSON values
        """One request, its result. Raises `RemoteError`, `DaemonLostError`."""
        return next(values["result"] for values in self.stream(verb, **params) if "result" in values)

    def stream(self, verb: str, **params: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 -- JSON values
        """One request: its events, and last its result. Raises `RemoteError`, `DaemonLostError`."""
        number = self._current = next(self._numbers)
        given = {name: as_text(value) for name, value in params.items() if value is not None}
        self._send({"id": number, "verb": verb, "params": given})
        while True:
            values = self._receive()
            if values.get("id") not in {number, None}:
                continue  # the rest of a request that was given up
            if "error" in values:
                raise RemoteError(values)
            yield values
            if "result" in values:
                return

    def ask(self, question: str, **params: Any) -> Iterator[Event]:  # noqa: ANN401 -- JSON values
        """Ask, and follow the answer; join it again when the daemon restarts meanwhile. Raises as `stream` does."""
        key = str(uuid.uuid4())
        while True:
            try:
                yield from self._followed(question, key=key, **params)
            except DaemonLostError:
                yield Restarted()
                yield Waiting(1, "starting")
                self._reopen()
            else:
                return

    def cancel(self) -> None:
        """End the request in progress: it raises `RemoteError` with code `cancelled`, unless its result came first."""
        self._send({"id": self._current, "verb": "cancel"})

    def _followed(self, question: str, **params: Any) -> Iterator[Event]:  # noqa: ANN401 -- JSON values
        for values in self.stream("ask", question=question, **params):
            yield Finished(reply_of(values["result"])) if "result" in values else event_of(values)

    def _open(self) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.connect(str(self._path))
        except OSError:
            self._socket.close()
            raise
        self._lines = self._socket.makefile("rb")

    def _reopen(self) -> None:
        self.close()
        deadline = time.monotonic() + _BACK_S
        while True:
            try:
                return self._open()
            except OSError:
                if time.monotonic() > deadline:
                    raise DaemonLostError from None
            time.sleep(_LOOK_S)

    def _send(self, values: dict[str, Any]) -> None:
        data = line(values)
        if len(data) > LINE_BYTES:
            raise RejectedError("too_long", f"that is {len(data)} bytes; the daemon takes {LINE_BYTES}")
        try:
            self._socket.sendall(data)
        except ConnectionError:
            raise DaemonLostError from None

    def _receive(self) -> dict[str, Any]:
        try:
            text = self._lines.readline(LINE_BYTES)
        except ConnectionError:
            text = b""
        if not text.endswith(b"\n"):
            raise DaemonLostError
        values: dict[str, Any] = orjson.loads(text)
        return values
