"""Embeddings of LlamaIndex: any object or class with its interface. LlamaIndex is not imported."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any

import anyio.to_thread

from memreader.errors import ConfigurationError, MemreaderError, ServerFault
from memreader.llm.registry import ModelSettings
from memreader.memory.embedding import Embedded, Embedder, Fingerprint, Hosting, Vector, normalised


@asynccontextmanager
async def open_llama_index(name: str, settings: ModelSettings) -> AsyncIterator[Embedder]:
    """`llama-index:package.module:Class`, made without arguments.

    Raises ConfigurationError where there is no such class, or where it wants arguments.
    """
    module, _, attribute = name.partition(":")
    try:
        made = getattr(import_module(module), attribute)()
    except Exception as error:  # because whatever a stranger's class raises is the finding
        raise ConfigurationError(
            f"llama-index:{name} cannot be used: {error!r}. Write llama-index:package.module:Class "
            f"with a class that needs no arguments; else make the object in Python: "
            f"Reader(embedder=...)."
        ) from error
    if not hasattr(made, "get_text_embedding_batch"):
        raise ConfigurationError(f"llama-index:{name} is no embedding of LlamaIndex.")
    yield LlamaIndexEmbedder(made)


class LlamaIndexEmbedder:
    """An embedding of LlamaIndex as ours.

    Where it computes is not known here: what it costs is unknown, and its requests are booked.
    """

    def __init__(self, embedding: Any) -> None:
        self._embedding = embedding
        kind, name = type(embedding), getattr(embedding, "model_name", "")
        self._name = f"llama-index:{kind.__module__}:{kind.__qualname__}#{name}".rstrip("#")
        self._dimension = 0

    @property
    def fingerprint(self) -> Fingerprint:
        """Class and model name."""
        return Fingerprint(self._name, self._dimension)

    @property
    def hosting(self) -> Hosting:
        """A scheduler of its own; no price."""
        return Hosting(self._name, None, 1)

    async def embed(self, texts: Sequence[str], *, query: bool = False) -> list[Vector]:
        """One vector for each text."""
        return (await self.request(texts, query=query)).vectors

    async def request(self, texts: Sequence[str], *, query: bool = False) -> Embedded:
        """One batch, in a thread: its asynchronous methods may block the event loop.

        Raises ServerFault for whatever LlamaIndex or its client raises: another try may help.
        """
        vectors = await anyio.to_thread.run_sync(self._vectors, list(texts), query)
        if vectors:
            self._dimension = len(vectors[0])
        return Embedded(vectors)

    def _vectors(self, texts: list[str], query: bool) -> list[Vector]:
        try:
            if query:
                found = [self._embedding.get_query_embedding(text) for text in texts]
            else:
                found = self._embedding.get_text_embedding_batch(texts)
        except MemreaderError:
            raise
        except Exception as error:  # because each of its clients has errors of its own
            raise ServerFault(f"{self._name} failed: {error!r}", may_be_billed=True) from error
        return [normalised([float(x) for x in vector]) for vector in found]
