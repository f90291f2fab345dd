"""A retriever of LlamaIndex as one of ours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from memreader.retrieving import Retriever


def retriever(given: Any) -> Retriever | None:
    """An adapter for an object with LlamaIndex's `aretrieve`; None for any other."""
    return LlamaIndexRetriever(given) if callable(getattr(given, "aretrieve", None)) else None


@dataclass(frozen=True, slots=True)
class LlamaIndexRetriever:
    """Gives the texts of the nodes that a LlamaIndex retriever finds.

    How many there are is the retriever's own setting (`similarity_top_k`).
    """

    inner: Any

    async def retrieve(self, question: str, most: int) -> Sequence[str]:
        """Texts without LlamaIndex's metadata, which stand in no document."""
        nodes = await self.inner.aretrieve(question)
        return [found.node.get_content() for found in nodes[:most]]
