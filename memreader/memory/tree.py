"""A tree of summaries over adjacent segments of text, each node with the place it stands for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
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
    extract: bool = False
    """Whether its text is cut out by code, because there is no summary of it."""


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
                    row.get("extract", False),
                )
                for row in data
            )
        )


def joined(trees: Sequence[Tree], fan_out: int, text: Callable[[Sequence[Node]], str]) -> Tree:
    """One tree over several, in their order; trees of no text are left out.

    The nodes above their roots take no call: `text` makes their text of the nodes below.
    """
    nodes: list[Node] = []
    roots: list[Node] = []
    for tree in filter(len, trees):
        shift = len(nodes)
        nodes += [
            replace(n, id=n.id + shift, children=tuple(c + shift for c in n.children)) for n in tree
        ]
        roots.append(nodes[-1])
    while len(roots) > 1:
        above: list[Node] = []
        for start in range(0, len(roots), fan_out):
            group = roots[start : start + fan_out]
            if len(group) > 1:
                group = [_over(group, len(nodes), text(group))]
                nodes += group
            above += group
        roots = above
    return Tree(tuple(nodes))


def _over(group: Sequence[Node], number: int, text: str) -> Node:
    level = 1 + max(node.level for node in group)
    spans = tuple(span for node in group for span in node.spans)
    return Node(number, level, text, spans, tuple(node.id for node in group), extract=True)
