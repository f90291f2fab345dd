"""Search by meaning while reading: an embedder and a vector store, opened when they are wanted.

Strategies that ask for neither load neither.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field

import anyio

from memreader.chunking import Chunk
from memreader.embedding_calls import Embeddings
from memreader.errors import ConfigurationError
from memreader.evidence import relevance
from memreader.memory.embedders import HOW, EmbedderOpener
from memreader.memory.embedding import Embedder, Fingerprint, Vector, cosine
from memreader.memory.vectors import Collection, Entry, Held, Hit, VectorStore

StoreOpener = Callable[[], AbstractAsyncContextManager[VectorStore]]
AT_ONCE = 512
"""Passages that are embedded and put into the store together: a crash loses no more than these
from the store, and none that was embedded from the cache."""


@dataclass(slots=True)
class Search:
    """Nearness of texts, for one reading."""

    open_embedder: EmbedderOpener | None
    """None where no embedding model is set up."""
    open_store: StoreOpener
    resources: AsyncExitStack
    metered: Callable[[Embedder], Embeddings]
    """Puts an embedding model on the reading's budget, with the cache before it."""
    note: Callable[[str], None]
    _embeddings: Embeddings | None = None
    _store: VectorStore | None = None
    _told: bool = False
    _opening: anyio.Lock = field(default_factory=anyio.Lock)

    @property
    def by_meaning(self) -> bool:
        """Whether there is an embedding model; else nearness is that of words."""
        return self.open_embedder is not None

    @property
    def used(self) -> str | None:
        """The fingerprint of the embedding model, if this reading has used it."""
        return None if self._embeddings is None else str(self._embeddings.known)

    async def fingerprint(self) -> Fingerprint:
        """What the vectors can be compared with: for indexes that depend on it."""
        return await (await self._embedding()).fingerprint()

    async def embed(self, texts: Sequence[str], *, query: bool = False) -> list[Vector]:
        """A vector for each text. Raises ConfigurationError where no embedding model is set up."""
        return await (await self._embedding()).embed(texts, query=query)

    async def nearness(self, question: str, texts: Sequence[str]) -> list[float]:
        """How near each text is to the question: cosine, or shared words without an embedder."""
        if not self.by_meaning:
            if not self._told:
                self._told = True
                self.note(
                    "No embedding model is set: nearness is measured by shared words. "
                    "--embedder sets one."
                )
            return [relevance(question, text).score for text in texts]
        (asked,) = await self.embed([question], query=True)
        return [cosine(asked, vector) for vector in await self.embed(texts)]

    async def keep(self, name: str, chunks: Sequence[Chunk]) -> None:
        """Have the vectors of passages in the store, under the name of their kind."""
        collection, store = await self._collection(name), await self._vectors()
        documents = dict.fromkeys(chunk.span.document for chunk in chunks)
        known = {(d, id) for d in documents for id in await store.known(collection, d)}
        new = [c for c in chunks if (c.span.document, _id(c)) not in known]
        for start in range(0, len(new), AT_ONCE):
            some = new[start : start + AT_ONCE]
            vectors = await self.embed([chunk.text for chunk in some])
            entries = [Entry(_id(c), c.span, c.text, v) for c, v in zip(some, vectors, strict=True)]
            await store.add(collection, entries)

    async def find(self, name: str, query: str, most: int, chunks: Sequence[Chunk]) -> list[Hit]:
        """At most `most` of these passages, which were kept under a name, the nearest first.

        The store may also have passages that the same text was cut into otherwise, by another
        tokenizer; where they take the place of ours, more are asked for.
        """
        (vector,) = await self.embed([query], query=True)
        store, collection = await self._vectors(), await self._collection(name)
        documents = list(dict.fromkeys(chunk.span.document for chunk in chunks))
        ours, wanted = {chunk.span for chunk in chunks}, most
        while True:
            hits = await store.query(collection, vector, wanted, documents)
            found = [hit for hit in hits if hit.span in ours]
            if len(found) >= most or len(hits) < wanted:
                return found[:most]
            wanted *= 2

    async def held(self, documents: Sequence[str]) -> list[Held]:
        """What the store holds of these documents; nothing where this reading opened none."""
        if self._store is None:
            return []
        return [held for held in await self._store.held() if held.document in documents]

    async def _collection(self, name: str) -> Collection:
        return Collection(name, await self.fingerprint())

    async def _embedding(self) -> Embeddings:
        if self.open_embedder is None:
            raise ConfigurationError(
                f"No embedding model is set, and this strategy searches by meaning. {HOW}"
            )
        async with self._opening:
            if self._embeddings is None:
                opened = await self.resources.enter_async_context(self.open_embedder())
                self._embeddings = self.metered(opened)
        return self._embeddings

    async def _vectors(self) -> VectorStore:
        async with self._opening:
            if self._store is None:
                self._store = await self.resources.enter_async_context(self.open_store())
        return self._store


def _id(chunk: Chunk) -> str:
    return f"{chunk.span.start}-{chunk.span.end}"
