"""One contract suite on each vector store."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from memreader.memory.stores import open_store
from memreader.memory.vectors import VectorStore
from memreader.store_contract import VectorStoreContract


class TestChromaInMemory(VectorStoreContract):
    """Chroma in this process's memory."""

    def opened(self) -> AbstractAsyncContextManager[VectorStore]:
        """A store of its own each time."""
        return open_store("chroma:memory")


class TestChromaInAFolder(VectorStoreContract):
    """Chroma in a folder, which keeps what all tests put there."""

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        base = tmp_path_factory.getbasetemp() / "one-folder"
        self.path: Path = base

    def opened(self) -> AbstractAsyncContextManager[VectorStore]:
        """The folder, opened anew."""
        return open_store(f"chroma:{self.path}")


@pytest.mark.slow
class TestChromaServer(VectorStoreContract):
    """A Chroma server on loopback."""

    @pytest.fixture(autouse=True)
    def _url(self, chroma_server: str) -> None:
        self.url = chroma_server

    def opened(self) -> AbstractAsyncContextManager[VectorStore]:
        """A client of its own each time."""
        return open_store(self.url)
