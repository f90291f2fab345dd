"""The seam to a vector store: passages by the place they stand at, found by nearness.

A store holds collections; a collection holds the vectors of one kind of passage by one embedding
model. Each entry belongs to one document, so that the removal of a document takes exactly what
only it supports.
"""

from __future__ import annotations

from collections.abc import Collection as Group
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from memreader.document import Span
from memreader.memory.embedding import Fingerprint, Vector


@dataclass(frozen=True, slots=True)
class Collection:
    """Vectors that can be compared with each other."""

    name: str
    """What they are of: "passages of 300 tokens"."""
    fingerprint: Fingerprint


@dataclass(frozen=True, slots=True)
class Entry:
    """A passage with its vector."""

    id: str
    """Unique in its document and collection; adding it again replaces it."""
    span: Span
    text: str
    vector: Vector


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that was found."""

    id: str
    span: Span
    text: str
    score: float
    """Cosine, -1 to 1."""


@dataclass(frozen=True, slots=True)
class Held:
    """What a store holds of one document in one collection."""

    collection: Collection
    document: str
    """Id of the document."""
    entries: int


class VectorStore(Protocol):
    """Keeps vectors. One contract suite runs on each implementation.

    Raises ConfigurationError where a collection was made with another fingerprint.
    """

    async def add(self, collection: Collection, entries: Sequence[Entry]) -> None:
        """Keep entries; after it returned, none of them is lost by a crash."""
        ...

    async def known(self, collection: Collection, document: str) -> set[str]:
        """Ids of the entries that a document has in a collection."""
        ...

    async def query(
        self, collection: Collection, vector: Vector, most: int, documents: Group[str]
    ) -> list[Hit]:
        """At most `most` entries of these documents, the nearest first, equals by id."""
        ...

    async def held(self) -> list[Held]:
        """What there is, by collection and document."""
        ...

    async def remove(self, document: str) -> int:
        """Forget a document in all collections; returns how many entries went."""
        ...
