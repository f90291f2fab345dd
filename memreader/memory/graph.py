"""The seam to a graph store: typed nodes, joined where one fact mentions both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from memreader.document import Span


@dataclass(frozen=True, slots=True)
class Fact:
    """One sentence about some nodes, and the place it comes from."""

    text: str
    nodes: tuple[str, ...]
    """Names of the nodes it mentions, as they are written there."""
    span: Span
    """The chunk, or the part of it, that states the fact."""
    chunk: int
    """Position of the chunk in its document, from 0."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A node that shares facts with another."""

    name: str
    weight: int
    """How many facts mention both."""


class GraphStore(Protocol):
    """Keeps facts and the nodes they mention. One contract suite runs on each implementation.

    A node lives as long as a fact mentions it, so that the removal of a document takes exactly
    what only it supports.
    """

    def add(self, facts: Iterable[Fact]) -> None:
        """Take facts in, with their nodes and edges; a fact that is there already adds nothing."""
        ...

    def facts(self, node: str) -> list[Fact]:
        """What is said of a node, in the order of the text."""
        ...

    def neighbours(self, node: str) -> list[Neighbour]:
        """Nodes that share facts with a node, the closest first, equals by name."""
        ...

    def rank(self, seeds: Mapping[str, float]) -> dict[str, float]:
        """Personalised PageRank from seeds with weights: shares that sum to 1."""
        ...

    def remove(self, document: str) -> int:
        """Forget a document's facts, and the nodes that only they mention; returns facts gone."""
        ...
