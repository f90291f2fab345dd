"""The joined graph of all documents as one reading sees it: names, facts by chunk, neighbours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from memreader.chunking import Chunk
from memreader.evidence import Evidence
from memreader.memory.graph import Fact, GraphStore, Neighbour, key_of
from memreader.memory.networkx_graph import facts_of
from memreader.memory.notes import Item


@dataclass(frozen=True, slots=True)
class Placed:
    """A fact, and the chunk of this reading that it comes from."""

    fact: Fact
    chunk: Chunk

    @property
    def item(self) -> Item:
        """The fact as a note; its evidence is the sentence that states it, where code found it."""
        span, whole = self.fact.span, self.chunk.span
        if span == whole:
            return Item(self.fact.text, (), self.chunk.index)
        quote = self.chunk.text[span.start - whole.start : span.end - whole.start]
        same = " ".join(quote.split()) == self.fact.text
        evidence = Evidence(quote, span, "exact" if same else "located")
        return Item(self.fact.text, (evidence,), self.chunk.index)


@dataclass(frozen=True, slots=True)
class Nodes:
    """A graph store, and the chunks that its facts come from."""

    store: GraphStore
    chunks: Sequence[Chunk]
    """All chunks of the reading, by index."""
    names: Mapping[str, str]
    """Names of nodes by the keys of all their names."""
    _first: Mapping[str, int]
    """Index of the first chunk of each document."""

    @classmethod
    def joined(
        cls, store: GraphStore, graphs: Iterable[Mapping[str, Any]], chunks: Sequence[Chunk]
    ) -> Nodes:
        """One graph of several documents: names merge, each fact keeps its document."""
        for graph in graphs:
            store.add(facts_of(graph))
        first: dict[str, int] = {}
        for chunk in chunks:
            first.setdefault(chunk.span.document, chunk.index)
        names = {
            key_of(name): node.name for node in store.nodes() for name in (node.name, *node.aliases)
        }
        return cls(store, chunks, names, first)

    def known(self, name: str) -> str | None:
        """The node of a name, by any of its forms; None for a name that is in no document."""
        return self.names.get(key_of(name))

    def facts(self, node: str | None = None) -> list[Placed]:
        """What is said of a node, or all facts, in the order of the reading."""
        placed = [
            Placed(fact, self.chunks[self._first[fact.span.document] + fact.chunk])
            for fact in self.store.facts(node)
        ]
        return sorted(placed, key=lambda p: (p.chunk.index, p.fact.span.start))

    def neighbours(self, node: str, visited: Iterable[str]) -> list[Neighbour]:
        """Neighbours that a path has not been at, the closest first."""
        been = set(visited)
        return [n for n in self.store.neighbours(node) if n.name not in been]

    def beside(self, index: int, step: int) -> int | None:
        """The chunk before (-1) or after (1) another; None beyond the ends of its document."""
        other = index + step
        if not 0 <= other < len(self.chunks):
            return None
        same = self.chunks[other].span.document == self.chunks[index].span.document
        return other if same else None
