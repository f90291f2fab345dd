"""From `chroma:PATH`, `chroma:memory` or `http://host:port` to an open vector store."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from memreader.errors import ConfigurationError
from memreader.memory.vectors import VectorStore


def open_store(spec: str) -> AbstractAsyncContextManager[VectorStore]:
    """A vector store for as long as the context lasts.

    Raises ConfigurationError for a spec that names nothing, MissingExtra without Chroma.
    """
    kind, _, where = spec.partition(":")
    if kind in ("chroma", "http", "https") and where:
        from memreader.memory.chroma import open_chroma

        return open_chroma(where if kind == "chroma" else spec)
    raise ConfigurationError(
        f"{spec!r} names no store. Write it as chroma:PATH, chroma:memory or http://host:port."
    )
