"""Chroma and LlamaIndex inside the private process: vectors and ids, nothing else, through `ChromaVectorStore`."""

from __future__ import annotations

import fcntl
import time
from typing import TYPE_CHECKING, Any, cast

import chromadb
import numpy as np
from chromadb.config import Settings
from llama_index.core.vector_stores.types import VectorStoreQuery
from llama_index.vector_stores.chroma import ChromaVectorStore

if TYPE_CHECKING:
    from pathlib import Path

    from chromadb.api import ClientAPI
    from chromadb.api.models.Collection import Collection
    from llama_index.core.schema import BaseNode
    from numpy.typing import NDArray

    from knowledge.child import Answer

_PAGE = 2000
_LOCK_S = 3.0
"""The process of a daemon that was killed a moment ago may still be dying."""


class FolderInUseError(Exception):
    """Another process holds the folder: two writers lose vectors without an error."""


class NotOpenError(Exception):
    """The process was started anew by a call that did not know of its end."""


class VectorsOnly:
    """A Chroma collection that keeps ids and vectors and drops the rest, in the shape that `ChromaVectorStore` asks for.

    `ids`, `cosines` and `found` (vectors, shape (hits, dimension)) are of the last query. One instance serves one call.
    """

    def __init__(self, collection: Collection) -> None:
        self._collection = collection
        self.ids: list[int] = []
        self.cosines: list[float] = []
        self.found: NDArray[np.float32] = np.empty((0, 0), np.float32)

    def add(self, *, ids: list[str], embeddings: list[NDArray[np.float32]], metadatas: object, documents: object) -> None:
        """Insert or replace; the metadata (the node itself, as JSON) and the text are not stored."""
        del metadatas, documents
        self._collection.upsert(ids=ids, embeddings=np.stack(embeddings))

    def delete(self, *, ids: list[str]) -> None:
        """Remove ids; those it does not hold are ignored."""
        self._collection.delete(ids=ids)

    def query(self, *, query_embeddings: list[float], n_results: int) -> dict[str, Any]:
        """Find the nearest and keep them here: LlamaIndex would make an empty node of each, at a tenth of what a query costs."""
        answer = self._collection.query(
            query_embeddings=np.asarray([query_embeddings], np.float32), n_results=n_results, include=["distances", "embeddings"]
        )
        self.ids = [int(id_) for id_ in answer["ids"][0]]
        self.cosines = [1 - distance for distance in (answer["distances"] or [[]])[0]]
        self.found = np.asarray(answer["embeddings"][0] if answer["embeddings"] else (), np.float32)
        return {"ids": [[]], "distances": [[]], "documents": [[]], "metadatas": [[]]}


class BareNode:
    """A node of an id and a vector: as much of LlamaIndex's as `ChromaVectorStore.add` asks for.

    Making a `TextNode` costs more than inserting its vector: pydantic looks its defaults up anew for each.
    """

    __slots__ = ("_vector", "node_id")
    ref_doc_id = None

    def __init__(self, id_: int, vector: NDArray[np.float32]) -> None:
        self.node_id = str(id_)
        self._vector = vector

    def get_embedding(self) -> NDArray[np.float32]:
        """The vector, as the array it is: Chroma takes it as well as a list, without 384 objects."""
        return self._vector

    def get_content(self, **_options: object) -> str:
        """Nothing: the text is in SQL."""
        return ""

    def model_dump(self, **_options: object) -> dict[str, Any]:
        """Nothing."""
        return {}

    @classmethod
    def class_name(cls) -> str:
        """What LlamaIndex would note beside the vector."""
        return ""


class Vectors:
    """The methods the parent calls. Vectors travel as raw float32, ids as integers, similarities are cosines.

    A space is made by its first `add`; asking one that does not exist finds nothing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._opened: dict[str, Collection] | None = None

    def open(self, _params: dict[str, Any], _blob: bytes) -> Answer:
        """Lock the folder, load every space and ask it once, so that one that cannot be used fails here.

        Raises `FolderInUseError`, and whatever Chroma raises on a broken folder.
        """
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = (self._folder / "chroma.lock").open("w")
        deadline = time.monotonic() + _LOCK_S
        while not self._locked():
            if time.monotonic() > deadline:
                raise FolderInUseError(f"another process has {self._folder} open")
            time.sleep(0.05)
        self._load()
        for collection in self._spaces.values():
            sample = collection.get(limit=1, include=["embeddings"])["embeddings"]
            if sample is not None and len(sample):
                collection.query(query_embeddings=np.asarray(sample), n_results=1, include=["distances"])
        return {}, b""

    def counted(self, _params: dict[str, Any], _blob: bytes) -> Answer:
        """How many vectors each space holds."""
        return {"spaces": {name: collection.count() for name, collection in self._spaces.items()}}, b""

    def _locked(self) -> bool:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    @property
    def _spaces(self) -> dict[str, Collection]:
        if self._opened is None:
            raise NotOpenError("the folder is not open")
        return self._opened

    def _load(self) -> None:
        settings = Settings(anonymized_telemetry=False)
        self._client: ClientAPI = chromadb.PersistentClient(str(self._folder / "chroma"), settings=settings)
        self._opened = {collection.name: collection for collection in self._client.list_collections()}

    def add(self, params: dict[str, Any], blob: bytes) -> Answer:
        """Insert or replace the vectors of `ids` in `space`."""
        ids = params["ids"]
        rows = np.frombuffer(blob, np.float32).reshape(len(ids), -1)
        nodes = [BareNode(id_, row) for id_, row in zip(ids, rows, strict=True)]
        self._store(self._made(params["space"])).add(cast("list[BaseNode]", nodes))
        return {}, b""

    def query(self, params: dict[str, Any], blob: bytes) -> Answer:
        """The `k` nearest of each of `spaces` to one question, then those of `also` that they hold; vectors in the same order."""
        question = np.frombuffer(blob, np.float32).tolist()
        ids: list[int] = []
        similarities: list[float] = []
        vectors = b""
        for name in params["spaces"]:
            if name in self._spaces:
                bare = VectorsOnly(self._spaces[name])
                store = ChromaVectorStore(chroma_collection=bare)
                store.query(VectorStoreQuery(query_embedding=question, similarity_top_k=params["k"]))
                ids += bare.ids
                similarities += bare.cosines
                vectors += bare.found.tobytes()
        also = set(params.get("also", ())).difference(ids)
        for name in params["spaces"] if also else ():
            found, found_vectors = self.vectors({"space": name, "ids": list(also)}, b"")
            ids += found["ids"]
            vectors += found_vectors
        return {"ids": ids, "similarities": similarities}, vectors

    def vectors(self, params: dict[str, Any], _blob: bytes) -> Answer:
        """Those of `ids` that `space` holds, and their vectors in the same order."""
        if params["space"] not in self._spaces:
            return {"ids": []}, b""
        found = self._spaces[params["space"]].get(ids=[str(i) for i in params["ids"]], include=["embeddings"])
        return {"ids": [int(i) for i in found["ids"]]}, np.asarray(found["embeddings"], np.float32).tobytes()

    def held(self, params: dict[str, Any], _blob: bytes) -> Answer:
        """Those of `ids` that `space` holds."""
        if params["space"] not in self._spaces:
            return {"ids": []}, b""
        found = self._spaces[params["space"]].get(ids=[str(i) for i in params["ids"]], include=[])
        return {"ids": [int(i) for i in found["ids"]]}, b""

    def page(self, params: dict[str, Any], _blob: bytes) -> Answer:
        """The ids of `space` from `offset` on, at most 2,000; an unbounded call raises over 100,000 rows."""
        if params["space"] not in self._spaces:
            return {"ids": []}, b""
        found = self._spaces[params["space"]].get(limit=_PAGE, offset=params["offset"], include=[])
        return {"ids": [int(i) for i in found["ids"]]}, b""

    def delete(self, params: dict[str, Any], _blob: bytes) -> Answer:
        """Remove `ids` from `space`."""
        if params["space"] in self._spaces:
            self._store(self._spaces[params["space"]]).delete_nodes([str(i) for i in params["ids"]])
        return {}, b""

    def drop(self, params: dict[str, Any], _blob: bytes) -> Answer:
        """Remove `space` whole."""
        if self._spaces.pop(params["space"], None) is not None:
            self._client.delete_collection(params["space"])
        return {}, b""

    def _made(self, name: str) -> Collection:
        if name not in self._spaces:
            self._spaces[name] = self._client.create_collection(
                name, embedding_function=None, configuration={"hnsw": {"space": "cosine"}}
            )
        return self._spaces[name]

    def _store(self, collection: Collection) -> ChromaVectorStore:
        return ChromaVectorStore(chroma_collection=VectorsOnly(collection))
