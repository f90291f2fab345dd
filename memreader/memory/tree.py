"""A tree of summaries over adjacent segments of text, each node with the place it stands for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from memreader.document import Span


@dataclass(frozen=True, slots=True)
class Node:
    """A summary: of one segment (level 0), or of the summaries below it."""

    id: int
    """Position among the tree's nodes; children come before their parents."""
    level: int
    text: str
    spans: tuple[Span, ...]
    """What it stands for: its segment, or those of all nodes below, in order."""
    children: tuple[int, ...] = ()
    """Ids of the nodes below, in the order of the text; none at level 0."""


@dataclass(frozen=True, slots=True)
class Tree:
    """Nodes by id; the last one is the root."""

    nodes: tuple[Node, ...]

    @property
    def root(self) -> Node:
        """The node above all others. Raises IndexError for a tree of no text."""
        return self.nodes[-1]

    @property
    def depth(self) -> int:
        """Levels above the segments' own summaries."""
        return self.root.level if self.nodes else 0

    def __getitem__(self, number: int) -> Node:
        return self.nodes[number]

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    def __len__(self) -> int:
        return len(self.nodes)

    def children(self, node: Node) -> list[Node]:
        """The nodes below, in the order of the text."""
        return [self.nodes[i] for i in node.children]

    def parent(self, node: Node) -> Node | None:
        """The node above; None for the root."""
        return next((n for n in self.nodes if node.id in n.children), None)

    def to_json(self) -> list[dict[str, Any]]:
        """Plain JSON values."""
        return [asdict(node) for node in self.nodes]

    @classmethod
    def from_json(cls, data: Sequence[dict[str, Any]]) -> Tree:
        """A tree from `to_json`."""
        return cls(
            tuple(
                Node(
                    row["id"],
                    row["level"],
                    row["text"],
                    tuple(Span(**span) for span in row["spans"]),
                    tuple(row["children"]),
                )
                for row in data
            )
        )
