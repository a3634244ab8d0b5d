"""The routes of the Ollama stand-in, its own and the OpenAI-compatible ones."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import orjson

from tests.rigs import ollama_models, ollama_words
from tests.rigs.ollama_generate import chat, v1_chat
from tests.rigs.ollama_requests import (
    OVER_WINDOW,
    RefusalError,
    keep_alive_of,
    model_of,
    parsed,
    runner_of,
)
from tests.rigs.ollama_script import changed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.rigs.ollama_http import Reply, Request
    from tests.rigs.ollama_memory import House
    from tests.rigs.ollama_models import Installed
    from tests.rigs.ollama_script import Fault

_JSON = "application/json"
_TRY_PULLING = 'model "{}" not found, try pulling it first'


async def root(_: House, __: Request, reply: Reply, ___: Fault | None) -> None:
    """A sign of life."""
    reply.whole(200, b"Ollama is running", "text/plain; charset=utf-8")


async def version(house: House, _: Request, reply: Reply, __: Fault | None) -> None:
    """`/api/version`."""
    _json(reply, {"version": house.script.version})


async def tags(house: House, _: Request, reply: Reply, __: Fault | None) -> None:
    """`/api/tags`: what is installed."""
    script = house.script
    models = [ollama_models.installed(name) for name in script.installed]
    entries = [
        ollama_models.tag(model, script.digests.get(model.name, model.digest), script.remote.get(model.name, ""))
        for model in models
    ]
    _json(reply, {"models": entries})


async def ps(house: House, _: Request, reply: Reply, __: Fault | None) -> None:
    """`/api/ps`: what is in memory, or on its way there."""
    resident = house.machine.resident.values()
    entries = [ollama_models.running(one.model, one.window, one.keep_alive, house.script.vram_share) for one in resident]
    _json(reply, {"models": entries})


async def show(house: House, request: Request, reply: Reply, _: Fault | None) -> None:
    """`/api/show`: what a model can do."""
    script = house.script
    model = model_of(script, parsed(request.body))
    _json(reply, ollama_models.shown(model, script.capabilities.get(model.name), script.remote.get(model.name, "")))


async def copy(house: House, request: Request, reply: Reply, _: Fault | None) -> None:
    """`/api/copy`: another name for a model."""
    body = parsed(request.body)
    model_of(house.script, {"model": body.get("source", "")})
    _install(house, (*house.script.installed, ollama_models.full_name(body["destination"])))
    reply.whole(200, b"", None)


async def delete(house: House, request: Request, reply: Reply, _: Fault | None) -> None:
    """`/api/delete`: take a model away."""
    model = model_of(house.script, parsed(request.body))
    _install(house, tuple(name for name in house.script.installed if name != model.name))
    reply.whole(200, b"", None)


async def embed(house: House, request: Request, reply: Reply, _: Fault | None) -> None:
    """`/api/embed`: vectors."""
    body = parsed(request.body)
    texts = _texts(body)
    keep_alive = keep_alive_of(body)
    model = model_of(house.script, body, _TRY_PULLING)
    begun = time.perf_counter_ns()
    if not texts and keep_alive == 0:
        await house.machine.unload(model.name)
    if not texts:
        _json(reply, {"model": body["model"], "embeddings": []})
        return
    rows, read = await _vectors(house, model, body, texts, keep_alive)
    rows = ollama_words.shortened(rows, body["dimensions"]) if body.get("dimensions") else rows
    head = orjson.dumps({"model": body["model"]})[:-1] + b',"embeddings":' + orjson.dumps(rows, option=orjson.OPT_SERIALIZE_NUMPY)
    total = time.perf_counter_ns() - begun
    numbers = {"total_duration": total, "load_duration": total // 2, "prompt_eval_count": read}
    reply.whole(200, head + b"," + orjson.dumps(numbers)[1:])


async def v1_embeddings(house: House, request: Request, reply: Reply, _: Fault | None) -> None:
    """`/v1/embeddings`."""
    body = parsed(request.body)
    texts = _texts(body)
    model = model_of(house.script, body)
    rows, read = await _vectors(house, model, body, texts, 300.0)
    data = [{"object": "embedding", "embedding": row, "index": number} for number, row in enumerate(rows)]
    usage = {"prompt_tokens": read, "total_tokens": read}
    answer = {"object": "list", "data": data, "model": body["model"], "usage": usage}
    reply.whole(200, orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY), _JSON)


async def v1_models(house: House, _: Request, reply: Reply, __: Fault | None) -> None:
    """`/v1/models`."""
    data = [{"id": name, "object": "model", "created": 1795323529, "owned_by": "library"} for name in house.script.installed]
    reply.whole(200, orjson.dumps({"object": "list", "data": data}) + b"\n", _JSON)


async def _vectors(house: House, model: Installed, body: dict[str, Any], texts: list[str], keep_alive: float) -> tuple[Any, int]:
    """Vectors, shape (texts, dimension), and tokens read. Raises `RefusalError` for a text over the window, if asked to."""
    script = house.script
    counts = [ollama_words.token_count(text) for text in texts]
    async with house.machine.loaded(model, runner_of(body, "0"), keep_alive) as resident:
        window = min(resident.window, model.window)
        if body.get("truncate") is False and not script.cuts_silently and max(counts) > window:
            raise RefusalError(400, OVER_WINDOW)
        if script.embed_s:
            await asyncio.sleep(script.embed_s)
        house.machine.counters.embedded += len(texts)
        return ollama_words.vectors(texts, script.dimension), sum(min(count, window) for count in counts)


def _texts(body: dict[str, Any]) -> list[str]:
    texts = body.get("input", [])
    texts = [texts] if isinstance(texts, str) else texts
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise RefusalError(400, "invalid input type")
    return texts


def _install(house: House, names: tuple[str, ...]) -> None:
    house.machine.script = changed(house.script, {"installed": names})


def _json(reply: Reply, value: object) -> None:
    reply.whole(200, orjson.dumps(value))


ROUTES: dict[tuple[str, str], tuple[str, Callable[[House, Request, Reply, Fault | None], Awaitable[None]]]] = {
    ("GET", "/"): ("root", root),
    ("GET", "/api/version"): ("version", version),
    ("GET", "/api/tags"): ("tags", tags),
    ("GET", "/api/ps"): ("ps", ps),
    ("POST", "/api/show"): ("show", show),
    ("POST", "/api/chat"): ("chat", chat),
    ("POST", "/api/embed"): ("embed", embed),
    ("POST", "/api/copy"): ("copy", copy),
    ("DELETE", "/api/delete"): ("delete", delete),
    ("GET", "/v1/models"): ("tags", v1_models),
    ("POST", "/v1/chat/completions"): ("chat", v1_chat),
    ("POST", "/v1/embeddings"): ("embed", v1_embeddings),
}
