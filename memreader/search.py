"""Search by meaning while reading: an embedder and a vector store, opened when they are wanted.

Strategies that ask for neither load neither.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field

from memreader.chunking import Chunk
from memreader.errors import ConfigurationError
from memreader.evidence import relevance
from memreader.memory.embedding import Embedder, Vector, cosine
from memreader.memory.vectors import Collection, Entry, Hit, VectorStore

EmbedderOpener = Callable[[], AbstractAsyncContextManager[Embedder]]
StoreOpener = Callable[[], AbstractAsyncContextManager[VectorStore]]


@dataclass(slots=True)
class Search:
    """Nearness of texts, for one reading."""

    open_embedder: EmbedderOpener | None
    """None where no embedding model is set up."""
    open_store: StoreOpener
    resources: AsyncExitStack
    _embedder: Embedder | None = None
    _store: VectorStore | None = None
    _known: dict[str, Vector] = field(default_factory=dict)

    @property
    def by_meaning(self) -> bool:
        """Whether there is an embedding model; else nearness is that of words."""
        return self.open_embedder is not None

    async def embed(self, texts: Sequence[str], *, query: bool = False) -> list[Vector]:
        """A vector for each text. Raises ConfigurationError where no embedding model is set up."""
        return await (await self._embedding()).embed(texts, query=query)

    async def nearness(self, question: str, texts: Sequence[str]) -> list[float]:
        """How near each text is to the question: cosine, or shared words without an embedder."""
        if not self.by_meaning:
            return [relevance(question, text).score for text in texts]
        (asked,) = await self.embed([question], query=True)
        return [cosine(asked, vector) for vector in await self.embed(texts)]

    async def keep(self, name: str, chunks: Sequence[Chunk]) -> None:
        """Have the vectors of passages in the store, under the name of their kind."""
        collection, store = await self._collection(name), await self._vectors()
        by_document: dict[str, list[Chunk]] = {}
        for chunk in chunks:
            by_document.setdefault(chunk.span.document, []).append(chunk)
        for document, inside in by_document.items():
            known = await store.known(collection, document)
            new = [c for c in inside if _id(c) not in known]
            vectors = await self.embed([c.text for c in new])
            await store.add(
                collection,
                [Entry(_id(c), c.span, c.text, v) for c, v in zip(new, vectors, strict=True)],
            )

    async def find(self, name: str, query: str, most: int, documents: Sequence[str]) -> list[Hit]:
        """Passages of these documents that were kept under a name, the nearest first."""
        (vector,) = await self.embed([query], query=True)
        store = await self._vectors()
        return await store.query(await self._collection(name), vector, most, documents)

    async def _collection(self, name: str) -> Collection:
        return Collection(name, (await self._embedding()).fingerprint)

    async def _embedding(self) -> Embedder:
        if self._embedder is None:
            if self.open_embedder is None:
                raise ConfigurationError("No embedding model is set.")
            self._embedder = await self.resources.enter_async_context(self.open_embedder())
        return self._embedder

    async def _vectors(self) -> VectorStore:
        if self._store is None:
            self._store = await self.resources.enter_async_context(self.open_store())
        return self._store


def _id(chunk: Chunk) -> str:
    return f"{chunk.span.start}-{chunk.span.end}"
