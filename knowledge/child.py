"""The inside of a private child process: read a request, run its handler, answer, and die with the parent."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, BinaryIO

import orjson

_LENGTHS = struct.Struct("<II")
_PR_SET_PDEATHSIG = 1

Answer = tuple[dict[str, Any], bytes]
Handler = Callable[[dict[str, Any], bytes], Answer | Iterator[Answer]]


def die_with_parent() -> None:
    """Ask the kernel for SIGKILL when the parent dies, and leave at once when it is already gone.

    Interrupts are the parent's business: Ctrl-C reaches the whole group, and the parent decides when the child ends.
    """
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent or parent == 1:
        os._exit(0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def serve(descriptor: int, handlers: Mapping[str, Handler], *, threads: int = 1) -> None:
    """Answer requests from the inherited socket until the parent closes it.

    A handler takes the parameters and the blob and returns `(result, blob)`, or yields several. It may raise: the class name
    and the message, and an attribute `data` (a dict) where there is one, reach the caller.
    With more threads, handlers run side by side.
    """
    connection = socket.socket(fileno=descriptor)
    received = connection.makefile("rb")  # buffered: a frame is three reads and seldom more than one call of the kernel
    lock = threading.Lock()
    cancelled: set[int] = set()

    def send(header: dict[str, Any], blob: bytes = b"") -> None:
        head = orjson.dumps(header)
        with lock:
            connection.sendall(_LENGTHS.pack(len(head), len(blob)) + head + blob)

    def run(number: int, method: str, params: dict[str, Any], blob: bytes) -> None:
        try:
            outcome = handlers[method](params, blob)
            if isinstance(outcome, tuple):
                send({"id": number, "result": outcome[0], "end": True}, outcome[1])
                return
            for result, piece in outcome:
                if number in cancelled:
                    break
                send({"id": number, "result": result}, piece)
            send({"id": number, "end": True})
        except OSError:
            os._exit(0)
        except Exception as error:  # noqa: BLE001 -- whatever a handler raises belongs to the caller, which gets it by name
            data = getattr(error, "data", {})
            send({"id": number, "error": type(error).__name__, "message": str(error)[:2000], "data": data})
        finally:
            cancelled.discard(number)

    with ThreadPoolExecutor(threads) as pool, contextlib.suppress(EOFError, OSError):
        while True:
            header, blob = _receive(received)
            if header.get("cancel"):
                cancelled.add(header["id"])
            else:
                pool.submit(run, header["id"], header["method"], header["params"], blob)


def _receive(received: BinaryIO) -> Answer:
    head_length, blob_length = _LENGTHS.unpack(_exactly(received, _LENGTHS.size))
    return orjson.loads(_exactly(received, head_length)), _exactly(received, blob_length)


def _exactly(received: BinaryIO, length: int) -> bytes:
    data = received.read(length)
    if len(data) < length:
        raise EOFError
    return data
