"""An Ollama stand-in on a real socket, true to the exchanges recorded in `tests/data/ollama-wire`, and scriptable.

In a test: `async with Ollama(first_token_s=0.2) as rig: … rig.address …`. As a process: `python -m tests.rigs.ollama --port 0`
prints `{"address": …}` and serves; `POST /_rig/script` changes its behaviour, `GET /_rig/prompts` and `GET /_rig/counters` tell
what happened, `POST /_rig/reset` forgets it, and the models in memory too.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections import deque
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Self

import orjson

from tests.rigs.ollama_http import Connection, Reply, Request
from tests.rigs.ollama_memory import BusyError, Counters, House, Machine
from tests.rigs.ollama_requests import OVER_WINDOW, RefusalError
from tests.rigs.ollama_routes import ROUTES
from tests.rigs.ollama_script import Fault, Script, changed

if TYPE_CHECKING:
    from types import TracebackType

_BUSY = "server busy, please try again.  maximum pending requests exceeded"
_REFUSALS = {
    "400": RefusalError(400, OVER_WINDOW, plain=True),
    "404": RefusalError(404, "model 'absent' not found"),
    "500": RefusalError(500, 'tensor "blk.16.ffn_down.weight" offset+size (50153536) exceeds file size (50000000)'),
    "503": RefusalError(503, _BUSY),
    "unfit": RefusalError(400, '"all-minilm" does not support chat'),
}


class Ollama:
    """The stand-in. The fields of `Script` may be given by name."""

    def __init__(self, *, port: int = 0, **script: Any) -> None:
        self._house = House()
        self._house.machine.script = changed(Script(), script)
        self._port = port
        self._server: asyncio.Server | None = None
        self._connections: set[Connection] = set()
        self._struck: dict[int, int] = {}
        self.reset()

    @property
    def script(self) -> Script:
        """How it behaves now."""
        return self._house.script

    @property
    def counters(self) -> Counters:
        """What happened since the last reset."""
        return self._house.machine.counters

    @property
    def prompts(self) -> deque[dict[str, Any]]:
        """Every prompt since the last reset: `messages`, `options`, `tokens`, `slot`, `common` (with the last one there)."""
        return self._house.prompts

    @property
    def address(self) -> str:
        """Where it listens, or did."""
        return f"http://127.0.0.1:{self._port}"

    def set(self, **values: Any) -> None:
        """Change the behaviour from the next request on."""
        self._house.machine.script = changed(self.script, values)
        self._struck.clear()

    def reset(self) -> None:
        """Forget what happened and unload all models; the script stays."""
        machine = Machine()
        machine.script = self.script
        self._house.machine = machine
        self._house.prompts = deque(maxlen=self.script.record)
        self._struck.clear()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen; after a `stop` on the same port as before."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self._handle, self._connections), "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Die as a killed server does: connections end where they are, memory is lost."""
        if self._server is None:
            return
        self._server.close()
        await asyncio.gather(*(connection.abort() for connection in list(self._connections)))
        await self._server.wait_closed()
        self._house.machine.resident.clear()
        self._server = None

    async def _handle(self, request: Request, reply: Reply) -> None:
        name, handler = ROUTES.get((request.method, request.path), ("", None))
        if handler is None:
            self._elsewhere(request, reply)
            return
        requests = self.counters.requests
        requests[name] = requests.get(name, 0) + 1
        fault = self._fault(name)
        try:
            if not await self._refused(fault, reply):
                await handler(self._house, request, reply, fault)
        except RefusalError as refusal:
            _refuse(request, reply, refusal)
        except BusyError:
            _refuse(request, reply, _REFUSALS["503"])
        except asyncio.CancelledError:
            self.counters.closed_early += 1
            raise

    def _fault(self, route: str) -> Fault | None:
        """The first fault of the script that concerns this route and has not struck often enough."""
        for number, fault in enumerate(self.script.faults):
            struck = self._struck.get(number, 0)
            if fault.route == route and (fault.times is None or struck < fault.times):
                self._struck[number] = struck + 1
                return fault
        return None

    async def _refused(self, fault: Fault | None, reply: Reply) -> bool:
        """Misbehave before any word is written. Raises `RefusalError`."""
        if fault is None:
            return False
        match fault.kind:
            case "hang":
                await asyncio.Event().wait()
            case "refuse":
                reply.cut()
            case "redirect":
                reply.whole(302, b"", None, f"Location: {fault.text}")
            case kind if kind in _REFUSALS:
                known = _REFUSALS[kind]
                raise RefusalError(known.status, fault.text or known.text, plain=known.plain)
            case _:
                return False
        return True

    def _elsewhere(self, request: Request, reply: Reply) -> None:
        """The control routes, and what there is not."""
        control = {
            ("POST", "/_rig/script"): lambda: self.set(**orjson.loads(request.body)),
            ("POST", "/_rig/reset"): self.reset,
            ("GET", "/_rig/prompts"): lambda: list(self.prompts),
            ("GET", "/_rig/counters"): lambda: asdict(self.counters),
        }.get((request.method, request.path))
        if control is not None:
            reply.whole(*_controlled(control))
        elif allowed := [method for method, path in ROUTES if path == request.path]:
            reply.whole(405, b"405 method not allowed", "text/plain", f"Allow: {', '.join(allowed)}")
        else:
            reply.whole(404, b"404 page not found", "text/plain")


def _controlled(control: Any) -> tuple[int, bytes]:
    try:
        return 200, orjson.dumps(control(), option=orjson.OPT_NON_STR_KEYS)
    except (ValueError, TypeError) as error:
        return 400, orjson.dumps({"error": str(error)})


def _refuse(request: Request, reply: Reply, refusal: RefusalError) -> None:
    if request.path.startswith("/v1/"):
        kind = {404: "not_found_error", 400: "invalid_request_error"}.get(refusal.status, "api_error")
        error = {"message": refusal.text, "type": kind, "param": None, "code": None}
        reply.whole(refusal.status, orjson.dumps({"error": error}) + b"\n", "application/json")
    elif refusal.plain:
        reply.begin(refusal.status, "application/json")
        reply.end(orjson.dumps({"error": refusal.text}))
    else:
        reply.whole(refusal.status, orjson.dumps({"error": refusal.text}))


async def _serve(port: int, script: dict[str, Any]) -> None:
    async with Ollama(port=port, **script) as rig:
        sys.stdout.write(orjson.dumps({"address": rig.address}).decode() + "\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--script", default="{}", help="fields of the script, as JSON")
    arguments = parser.parse_args()
    asyncio.run(_serve(arguments.port, orjson.loads(arguments.script)))


if __name__ == "__main__":
    main()
