"""What outlives a reading: journal, shelf, probes and vectors, in a folder or in memory."""

from __future__ import annotations

import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import anyio.to_thread

from memreader.database import MEMORY
from memreader.errors import StoreInUse
from memreader.journal import Journal
from memreader.memory.embedding_cache import EmbeddingCache
from memreader.memory.stores import open_store
from memreader.memory.vectors import Held, VectorStore
from memreader.shelf import Shelf

IN_MEMORY = "chroma:memory"


class Stores:
    """Journal, shelf, probes and vectors: in a folder, or in memory for the life of this object."""

    def __init__(self, folder: Path | None = None, store: str | None = None) -> None:
        self.folder = folder
        self.store = store
        """The vector store that the user names; None for the default one."""
        self._journal: Journal | None = None
        self._shelf: Shelf | None = None
        self._embeddings: EmbeddingCache | None = None
        self._vectors: VectorStore | None = None

    def journal(self) -> Journal:
        """The journal, opened on first use."""
        if self._journal is None:
            self._journal = Journal(self.folder / "journal.sqlite" if self.folder else MEMORY)
        return self._journal

    def shelf(self) -> Shelf:
        """The shelf, opened on first use."""
        if self._shelf is None:
            self._shelf = Shelf(self.folder / "shelf.sqlite" if self.folder else MEMORY)
        return self._shelf

    def embeddings(self) -> EmbeddingCache:
        """The cache of vectors by content, opened on first use."""
        if self._embeddings is None:
            path = self.folder / "embeddings.sqlite" if self.folder else MEMORY
            self._embeddings = EmbeddingCache(path)
        return self._embeddings

    @property
    def vectors_spec(self) -> str:
        """The vector store in force: the one that was named, else Chroma in the folder."""
        return self.store or (f"chroma:{self.folder / 'chroma'}" if self.folder else IN_MEMORY)

    @asynccontextmanager
    async def vectors(self, note: Callable[[str], None] | None) -> AsyncIterator[VectorStore]:
        """The vector store in force.

        Where the user named none and another process owns the default one, the vectors stand in
        memory: they come from the cache of embeddings, so that nothing is paid twice. `note` says
        so; without one, as where they are wanted to last, StoreInUse is raised.
        """
        if self.vectors_spec == IN_MEMORY:
            yield await self._in_memory()
            return
        async with AsyncExitStack() as stack:
            try:
                store = await stack.enter_async_context(open_store(self.vectors_spec))
            except StoreInUse as error:
                if self.store is not None or note is None:
                    raise
                note(f"Vectors are kept in memory for this reading: {error}")
                store = await self._in_memory()
            yield store

    async def _in_memory(self) -> VectorStore:
        """A store for the life of this object."""
        if self._vectors is None:
            from memreader.memory.chroma_clients import forget, in_memory

            store = await anyio.to_thread.run_sync(in_memory)
            self._vectors = store
            weakref.finalize(self, forget, store).atexit = False
        return self._vectors

    async def held(self) -> list[Held]:
        """What the vector store holds; a store that nobody made yet is not made for this.

        Raises StoreInUse where another process owns it.
        """
        async with self._kept() as vectors:
            return [] if vectors is None else await vectors.held()

    async def forget_vectors(self, document: str) -> int:
        """Remove a document from the vector store, if there is one; how many entries went.

        Raises StoreInUse where another process owns it.
        """
        async with self._kept() as vectors:
            return 0 if vectors is None else await vectors.remove(document)

    @asynccontextmanager
    async def _kept(self) -> AsyncIterator[VectorStore | None]:
        """The store in force and no other in its place; None where there is none yet."""
        spec = self.vectors_spec
        kind, _, where = spec.partition(":")
        if spec == IN_MEMORY:
            yield self._vectors
        elif kind == "chroma" and not (Path(where) / "chroma.sqlite3").exists():
            yield None
        else:
            async with open_store(spec) as vectors:
                yield vectors

    @property
    def probes(self) -> Path | None:
        """Where probe results are kept; None for nowhere."""
        return self.folder / "probes.json" if self.folder else None
