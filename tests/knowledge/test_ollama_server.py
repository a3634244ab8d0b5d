"""Lists of models as a server gives them: what is ours is found, nonsense is an error of the model, not of ours."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from knowledge.errors import ModelBrokenError, ModelMissingError
from knowledge.ollama_server import Loaded, OllamaServer
from knowledge.wire import Wire


@asynccontextmanager
async def server(answers: dict[str, Any], model: str = "all-minilm") -> AsyncIterator[OllamaServer]:
    async def answer(request: web.Request) -> web.Response:
        return web.json_response(answers[request.path])

    app = web.Application()
    app.router.add_get("/api/ps", answer)
    app.router.add_get("/api/tags", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0]
    wire = Wire(f"http://{host}:{port}", model)
    try:
        yield OllamaServer(wire, (), timeout_s=5)
    finally:
        await wire.close()
        await runner.cleanup()


@pytest.mark.parametrize("path", ["/api/ps", "/api/tags"])
@pytest.mark.parametrize("answer", [{}, {"models": 7}, {"models": [7]}, {"models": [{"size": "large"}]}])
async def test_a_list_that_is_none_is_said_to_be_broken(path: str, answer: dict[str, Any]) -> None:
    async with server({path: answer}) as asked:
        with pytest.raises(ModelBrokenError, match="not a list of models"):
            await (asked.loaded() if path == "/api/ps" else asked.digest())


async def test_the_latest_of_a_name_is_ours_and_another_tag_is_not() -> None:
    listed = {"models": [{"model": "all-minilm:33m", "digest": "other"}, {"model": "all-minilm:latest", "digest": "ours"}]}
    async with server({"/api/tags": listed}) as asked:
        assert await asked.digest() == "ours"
    async with server({"/api/tags": listed}, "bge-m3") as asked:
        with pytest.raises(ModelMissingError):
            await asked.digest()


@pytest.mark.parametrize(("vram", "share"), [(50, 0.5), (0, 0.0), (100, 1.0), (120, 1.0), (None, None)])
async def test_the_share_on_the_gpu(vram: int | None, share: float | None) -> None:
    listed = {"models": [{"model": "all-minilm:latest", "size": 100, "size_vram": vram, "context_length": 512}]}
    async with server({"/api/ps": listed}) as asked:
        assert await asked.loaded() == Loaded(512, share)
