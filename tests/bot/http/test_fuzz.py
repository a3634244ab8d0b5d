"""Whatever is sent: an answer, or an error that says what is wrong; never one of ours."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.bot.http.door import Open, open_door

EXPECTED = {200, 400, 404, 413, 422}
WORDS = st.sampled_from(["question", "stream", "conversation", "collections", "model", "messages", "role", "content", "q", "n"])
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20) | st.just("grillon")
LEAVES |= st.sampled_from(["user", "assistant", "system"])
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS | st.text(max_size=5), inner, max_size=5),
    max_leaves=12,
)
LIKELY = st.fixed_dictionaries(
    {"question": st.text(max_size=30)},
    optional={"stream": st.booleans(), "conversation": JSON, "collections": JSON, "x": JSON},
)
CHATS = st.fixed_dictionaries(
    {"model": st.just("grillon"), "messages": st.lists(st.fixed_dictionaries({"role": LEAVES, "content": JSON}), max_size=4)},
    optional={"stream": st.booleans(), "stream_options": JSON, "n": JSON},
)


def test_any_body(tmp_path: Path) -> None:
    with asyncio.Runner() as runner:
        opening = open_door(tmp_path)
        opened = runner.run(opening.__aenter__())

        async def status_of(path: str, body: bytes, headers: dict[str, str]) -> int:
            async with opened.client.post(path, data=body, headers=headers) as response:
                await response.read()
                return response.status

        @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(path=st.sampled_from(["/ask", "/v1/chat/completions"]), body=st.binary(max_size=50) | _text(JSON | LIKELY | CHATS))
        def check(path: str, body: bytes) -> None:
            assert runner.run(status_of(path, body, {})) in EXPECTED

        @settings(max_examples=75, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(query=st.dictionaries(WORDS, st.text(max_size=20), max_size=4))
        def check_query(query: dict[str, str]) -> None:
            assert runner.run(_query_status(opened, query)) in EXPECTED

        try:
            check()
            check_query()
        finally:
            runner.run(opening.__aexit__(None, None, None))


def _text(values: st.SearchStrategy[Any]) -> st.SearchStrategy[bytes]:
    """The values as JSON; those that orjson cannot say (whole numbers beyond 64 bits) as a string of theirs."""
    return values.map(
        lambda value: orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS) if _sayable(value) else b"{}"
    )


def _sayable(value: Any) -> bool:
    try:
        orjson.dumps(value)
    except TypeError:
        return False
    return True


async def _query_status(opened: Open, query: dict[str, str]) -> int:
    async with opened.client.get("/ask", params=query, timeout=aiohttp.ClientTimeout(10)) as response:
        await response.read()
        return response.status
