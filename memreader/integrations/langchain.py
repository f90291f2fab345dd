"""A retriever of LangChain as one of ours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import anyio.to_thread

from memreader.retrieving import Retriever


def retriever(given: Any) -> Retriever | None:
    """An adapter for an object with LangChain's `ainvoke`, or the older method; else None."""
    known = ("ainvoke", "get_relevant_documents")
    if any(callable(getattr(given, name, None)) for name in known):
        return LangChainRetriever(given)
    return None


@dataclass(frozen=True, slots=True)
class LangChainRetriever:
    """Gives the texts of the documents that a LangChain retriever finds.

    How many there are is the retriever's own setting (`search_kwargs={"k": ...}`).
    """

    inner: Any

    async def retrieve(self, question: str, most: int) -> Sequence[str]:
        """The page contents; a retriever without `ainvoke` is asked in a thread."""
        if callable(getattr(self.inner, "ainvoke", None)):
            found = await self.inner.ainvoke(question)
        else:
            found = await anyio.to_thread.run_sync(self.inner.get_relevant_documents, question)
        return [document.page_content for document in found[:most]]
