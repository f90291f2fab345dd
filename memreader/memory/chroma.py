"""The vector store on Chroma, always with our own vectors."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Sequence
from collections.abc import Collection as Group
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import anyio.to_thread

from memreader.document import Span
from memreader.errors import ConfigurationError, MissingExtra
from memreader.memory.embedding import Vector
from memreader.memory.vectors import Collection, Entry, Held, Hit, VectorStore


@asynccontextmanager
async def open_chroma(where: str) -> AsyncIterator[VectorStore]:
    """A store in memory (`memory`), in a folder, or on a Chroma server (`http://host:port`)."""
    try:
        import chromadb
    except ImportError as error:
        raise MissingExtra("A vector store", "chroma") from error
    if where == "memory":
        client = chromadb.EphemeralClient()
    else:
        client = chromadb.PersistentClient(path=where)
    yield ChromaStore(client)


@dataclass(frozen=True, slots=True)
class ChromaStore:
    """Entries as rows `document:id`, one Chroma collection for each name and fingerprint."""

    client: Any

    async def add(self, collection: Collection, entries: Sequence[Entry]) -> None:
        """Keep entries, in batches that Chroma takes."""
        await anyio.to_thread.run_sync(self._add, collection, entries)

    async def known(self, collection: Collection, document: str) -> set[str]:
        """Ids of a document's entries."""
        found = await anyio.to_thread.run_sync(
            lambda: self._held(collection).get(where={"document": document}, include=[])
        )
        return {row.partition(":")[2] for row in found["ids"]}

    async def query(
        self, collection: Collection, vector: Vector, most: int, documents: Group[str]
    ) -> list[Hit]:
        """The nearest entries of these documents."""
        return await anyio.to_thread.run_sync(self._query, collection, vector, most, documents)

    async def held(self) -> list[Held]:
        """What there is."""
        raise ConfigurationError("not yet")

    async def remove(self, document: str) -> int:
        """Forget a document."""
        raise ConfigurationError("not yet")

    def _held(self, collection: Collection) -> Any:
        digest = hashlib.sha256(f"{collection.name}\n{collection.fingerprint}".encode())
        return self.client.get_or_create_collection(
            f"memreader-{digest.hexdigest()[:32]}",
            embedding_function=None,
            metadata={"name": collection.name, "fingerprint": str(collection.fingerprint)},
            configuration={"hnsw": {"space": "cosine"}},
        )

    def _add(self, collection: Collection, entries: Sequence[Entry]) -> None:
        held, size = self._held(collection), self.client.get_max_batch_size()
        for start in range(0, len(entries), size):
            batch = entries[start : start + size]
            held.upsert(
                ids=[f"{e.span.document}:{e.id}" for e in batch],
                embeddings=[list(e.vector) for e in batch],
                documents=[e.text for e in batch],
                metadatas=[
                    {"document": e.span.document, "start": e.span.start, "end": e.span.end}
                    for e in batch
                ],
            )

    def _query(
        self, collection: Collection, vector: Vector, most: int, documents: Group[str]
    ) -> list[Hit]:
        found = self._held(collection).query(
            query_embeddings=[list(vector)],
            n_results=most,
            where={"document": {"$in": list(documents)}},
            include=["documents", "metadatas", "distances"],
        )
        rows = zip(
            found["ids"][0], found["documents"][0], found["metadatas"][0], found["distances"][0],
            strict=True,
        )  # fmt: skip
        hits = [
            Hit(
                row.partition(":")[2],
                Span(about["document"], about["start"], about["end"]),
                text,
                1 - distance,
            )
            for row, text, about, distance in rows
        ]
        return sorted(hits, key=lambda hit: (-hit.score, hit.id))
