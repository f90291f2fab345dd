"""What outlives a reading: journal, shelf, probes and vectors, in a folder or in memory."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from pathlib import Path

from memreader.database import MEMORY
from memreader.journal import Journal
from memreader.memory.stores import open_store
from memreader.memory.vectors import VectorStore
from memreader.shelf import Shelf


class Stores:
    """Journal, shelf, probes and vectors: in a folder, or in memory for the life of this object."""

    def __init__(self, folder: Path | None = None, store: str | None = None) -> None:
        self.folder = folder
        self._store = store
        self._journal: Journal | None = None
        self._shelf: Shelf | None = None

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

    def vectors(self) -> AbstractAsyncContextManager[VectorStore]:
        """The vector store, as it is set; else Chroma in the folder, or in memory without one."""
        if self._store is not None:
            return open_store(self._store)
        return open_store(f"chroma:{self.folder / 'chroma'}" if self.folder else "chroma:memory")

    @property
    def probes(self) -> Path | None:
        """Where probe results are kept; None for nowhere."""
        return self.folder / "probes.json" if self.folder else None
