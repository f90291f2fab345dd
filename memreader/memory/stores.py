"""From `chroma:PATH`, `chroma:memory` or `http://host:port` to an open vector store.

Stores, a stranger's too, are found by the entry-point group `memreader.vector_stores`: a scheme
to a function of what stands after the colon that gives an async context manager.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from memreader.errors import ConfigurationError
from memreader.memory.vectors import VectorStore
from memreader.plugins import installed, opening

GROUP = "memreader.vector_stores"


def open_store(spec: str) -> AbstractAsyncContextManager[VectorStore]:
    """A vector store for as long as the context lasts.

    Raises ConfigurationError for a spec that names nothing, StoreInUse for a folder that another
    process owns, Unreachable where no server answers, MissingExtra without Chroma.
    """
    scheme, colon, where = spec.strip().partition(":")
    known = installed(GROUP)
    if not colon or scheme not in known:
        others = "".join(f", {name}:..." for name in known if name not in _OURS)
        raise ConfigurationError(
            f"{spec!r} names no vector store. Write it as chroma:PATH, chroma:memory or "
            f"http://host:port{others}."
        )
    store: AbstractAsyncContextManager[VectorStore] = opening(GROUP, scheme, "vector store", where)
    return store


_OURS = ("chroma", "http", "https")
